"""The list of wallpapers: twenty held out for good, the others for drawing."""

from dbrt.datasets.wallpapers import (
    FOLDERS,
    FOR_DRAWING,
    HELD_OUT,
    MORE,
    NAMED,
    Wallpaper,
    install_line,
    installed,
)


def test_twenty_of_twenty_seven_are_held_out():
    assert (len(HELD_OUT), len(NAMED)) == (20, 27)
    assert len({w.path() for w in NAMED + MORE}) == len(NAMED + MORE)


def test_no_picture_that_is_held_out_is_drawn_on_in_another_size():
    assert not {w.name for w in HELD_OUT} & {w.name for w in FOR_DRAWING}
    assert set(NAMED) - set(HELD_OUT) <= set(FOR_DRAWING)


def test_names_leave_the_size_out():
    assert Wallpaper("plasma-workspace-wallpapers", "Kite/contents/images/1x1.jpg").name == "Kite"
    assert Wallpaper("mate-backgrounds", "nature/Aqua.jpg").name == "Aqua"


def test_every_wallpaper_has_a_folder_and_a_licence():
    assert all(w.licence and w.package in FOLDERS for w in NAMED + MORE)


def test_only_files_that_are_there_count_as_installed(tmp_path):
    first = HELD_OUT[0]
    assert installed(HELD_OUT, tmp_path) == []
    first.path(tmp_path).parent.mkdir(parents=True)
    first.path(tmp_path).write_bytes(b"")
    assert installed(HELD_OUT, tmp_path) == [first]


def test_the_packages_to_install_are_named_once():
    line = install_line(NAMED)
    assert line.startswith("apt-get install ")
    assert sorted(line.split()[2:]) == sorted(FOLDERS)
