from __future__ import annotations

from pathlib import Path

import pytest

from dbrt.doctor import video
from dbrt.doctor.finding import State
from dbrt.doctor.video import examine_cameras, examine_codecs, examine_display
from dbrt.stream.sources import camera, codecs
from dbrt.stream.sources.codecs import Codecs


def test_the_ffmpeg_that_is_here_decodes_what_cameras_send() -> None:
    found = {finding.name: finding for finding in examine_codecs()}
    assert {finding.state for finding in found.values()} == {State.OK}
    assert {"h264", "hevc", "mjpeg"} <= set(found["decoders"].data["decoders"])
    assert "libx264" in found["encoders"].data["encoders"]
    assert found["ffmpeg"].data["version"][0].isdigit()


def test_an_ffmpeg_that_lacks_codecs_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    poor = Codecs("18.0", "8.0", ("mjpeg", "h264"), ("mjpeg",))
    monkeypatch.setattr(codecs, "find_codecs", lambda: poor)
    found = {finding.name: finding for finding in examine_codecs()}
    assert found["decoders"].text == "mjpeg, h264; not hevc"
    assert found["encoders"].text == "mjpeg; not libx264"
    assert {found["decoders"].remedy, found["encoders"].remedy} == {video.INSTALL}
    assert found["decoders"].state is found["encoders"].state is State.BROKEN


def plug_in(root: Path, number: int, name: str, index: str = "0") -> None:
    folder = root / f"video{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "index").write_text(f"{index}\n")


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two cameras with a node for metadata each; their devices lie in a folder of ours."""
    for number, name, index in ((0, "HD Pro", "0"), (1, "HD Pro", "1"), (2, "Scanner", "0")):
        plug_in(tmp_path / "sys", number, name, index)
    dev = tmp_path / "dev"
    dev.mkdir()
    real = camera.capture_nodes

    def nodes(root: Path) -> list[str]:
        return [str(dev / Path(node).name) for node in real(root)]

    monkeypatch.setattr(camera, "capture_nodes", nodes)
    (dev / "video0").touch()
    (dev / "video2").touch()
    return dev


def test_cameras_are_named_in_the_order_of_their_sources(devices: Path, tmp_path: Path) -> None:
    found = examine_cameras(tmp_path / "sys", "linux")
    assert [(f.name, f.state) for f in found] == [("cam0", State.OK), ("cam1", State.OK)]
    assert found[1].text == f"Scanner ({devices / 'video2'})"
    assert found[0].data == {"device": str(devices / "video0"), "name": "HD Pro"}


def test_a_camera_that_may_not_be_opened_says_what_to_do(
    devices: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video.os, "access", lambda *_: False)
    found = examine_cameras(tmp_path / "sys", "linux")
    assert found[0].state is State.BROKEN
    assert "usermod -aG video" in found[0].remedy


def test_a_camera_outside_the_container_says_so(devices: Path, tmp_path: Path) -> None:
    (devices / "video0").unlink()
    found = examine_cameras(tmp_path / "sys", "linux")
    assert found[0].state is State.BROKEN
    assert found[0].remedy == f"in a container: --device {devices / 'video0'}"


def test_no_camera_is_missing_and_no_more(tmp_path: Path) -> None:
    (found,) = examine_cameras(tmp_path, "linux")
    assert (found.state, found.text) == (State.MISSING, "none")


def test_other_systems_do_not_list_cameras(tmp_path: Path) -> None:
    (found,) = examine_cameras(tmp_path, "darwin")
    assert found.state is State.NOTE
    assert "cam0 is tried" in found.text


@pytest.mark.parametrize(
    ("reason", "state", "remedy"),
    [
        (None, State.OK, ""),
        ("there is no display: write it instead", State.MISSING, "write it instead"),
    ],
    ids=["a display", "none"],
)
def test_the_display_is_asked_for_as_the_overlay_does(
    reason: str | None, state: State, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbrt.stream.window.why_no_window", lambda: reason)
    found = examine_display()
    assert (found.state, found.remedy) == (state, remedy)
