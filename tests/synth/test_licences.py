"""The list of what a series was made from."""

from pathlib import Path

import pytest

from dbrt.synth import licences


def test_a_copyright_file_names_its_licences_once_each(tmp_path):
    (tmp_path / "fonts-x").mkdir()
    (tmp_path / "fonts-x/copyright").write_text(
        "Files: *\nLicense: OFL-1.1\n text\n\nFiles: debian/*\nLicense: GPL-2+\n\n"
        "License: OFL-1.1\n"
    )
    assert licences.declared_licences("fonts-x", tmp_path) == "OFL-1.1, GPL-2+"


def test_a_copyright_file_without_fields_is_pointed_to(tmp_path):
    (tmp_path / "fonts-y").mkdir()
    (tmp_path / "fonts-y/copyright").write_text("Written by somebody. Free.\n")
    assert licences.declared_licences("fonts-y", tmp_path).startswith("see ")


def test_a_package_without_a_copyright_file_is_unknown(tmp_path):
    assert licences.declared_licences("none", tmp_path) == licences.UNKNOWN


def test_files_of_no_package_are_listed_by_folder(tmp_path):
    (tmp_path / "a.ttf").write_bytes(b"")
    (origin,) = licences.origins([tmp_path / "a.ttf"])
    assert origin == licences.Origin(str(tmp_path), licences.UNKNOWN, (tmp_path / "a.ttf",))


def test_files_of_a_package_are_listed_with_it():
    path = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
    if not (path.is_file() and Path("/usr/share/doc/fonts-dejavu-core/copyright").is_file()):
        pytest.skip("fonts-dejavu-core is not installed as a Debian package")
    (origin,) = licences.origins([path])
    assert origin.name == "fonts-dejavu-core"
    assert "vera" in origin.licence.lower()


def test_without_dpkg_files_are_listed_by_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(licences.shutil, "which", lambda name: None)
    assert [o.name for o in licences.origins([tmp_path / "a.ttf"])] == [str(tmp_path)]


def test_the_list_says_what_was_used(tmp_path):
    text = licences.licence_list([tmp_path / "a.ttf"], [])
    assert "a.ttf" in text
    assert text.rstrip().endswith("Photographs\n  none")
