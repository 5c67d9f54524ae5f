"""Which pictures arguments mean: files, folders, globs, and what means none."""

import os
import sys
from pathlib import Path

import pytest

from dbrt.pictures.inputs import find_pictures


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with pictures, other files, hidden ones and folders in it; the current one."""
    for name in [
        "p/f10.jpg",
        "p/f2.PNG",
        "p/notes.txt",
        "p/.hidden.jpg",
        "p/deep/g.jpg",
        "p/deep/.cache/h.jpg",
        "p/odd[1].jpg",
        "none/readme.txt",
    ]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


CASES = {
    "file": (["p/f2.PNG"], ["p/f2.PNG"]),
    "any suffix": (["p/notes.txt"], ["p/notes.txt"]),
    "folder": (["p"], ["p/f2.PNG", "p/f10.jpg", "p/odd[1].jpg"]),
    "glob": (["p/f*"], ["p/f2.PNG", "p/f10.jpg"]),
    "glob of any depth": (["p/**/g.jpg"], ["p/deep/g.jpg"]),
    "glob of folders": (["p/d*"], ["p/deep/g.jpg"]),
    "brackets in a name": (["p/odd[1].jpg"], ["p/odd[1].jpg"]),
    "brackets in a glob": (["p/f[12]*.jpg"], ["p/f10.jpg"]),
    "order of arguments": (["p/f10.jpg", "p/f2.PNG"], ["p/f10.jpg", "p/f2.PNG"]),
    "twice": (["p/f2.PNG", "p/deep/../f2.PNG", "p/f2*"], ["p/f2.PNG"]),
}


@pytest.mark.parametrize(("arguments", "expected"), CASES.values(), ids=CASES)
@pytest.mark.usefixtures("here")
def test_arguments_mean_pictures(arguments, expected):
    found, failures = find_pictures(arguments)
    assert [path.as_posix() for path in found] == expected
    assert failures == []


@pytest.mark.usefixtures("here")
def test_recursive_takes_the_folders_below_but_no_hidden_ones():
    found, failures = find_pictures(["p"], recursive=True)
    assert [path.name for path in found] == ["f2.PNG", "f10.jpg", "odd[1].jpg", "g.jpg"]
    assert failures == []


NOTHING = {
    "missing": ("missing.jpg", "missing.jpg: no such picture or folder: check the path"),
    "glob": ("p/x*.jpg", "matches no file"),
    "folder": ("none", "none: holds no pictures (.avif, .bmp"),
    "null byte": ("a\0b", "no such picture"),
    "too long": ("a" * 5000 + ".jpg", "no such picture"),
}


@pytest.mark.parametrize(("argument", "message"), NOTHING.values(), ids=NOTHING)
@pytest.mark.usefixtures("here")
def test_what_means_no_picture_is_an_error_and_the_rest_is_found(argument, message):
    found, [failure] = find_pictures([argument, "p/f2.PNG"])
    assert found == [Path("p/f2.PNG")]
    assert message in str(failure)


def test_a_folder_with_folders_hints_at_recursive(here):
    (here / "above/in").mkdir(parents=True)
    assert "--recursive" in str(find_pictures(["above"])[1][0])
    assert "--recursive" not in str(find_pictures(["above"], recursive=True)[1][0])


@pytest.mark.skipif(sys.platform == "win32", reason="needs symbolic links")
def test_links_in_a_circle_end(here):
    os.symlink(here / "p", here / "p/deep/loop")
    assert len(find_pictures(["p"], recursive=True)[0]) == 4
