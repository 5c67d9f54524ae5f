"""`dbrt detect`: what it writes where, and what it says of everything that can be wrong."""

from __future__ import annotations

import errno
import json
import os
import runpy
import struct
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from dbrt.cli import main
from dbrt.evaluation import read_results

TINY = runpy.run_path(str(Path(__file__).parents[1] / "engine" / "tiny_model.py"))


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The current folder, empty but for the tiny model, which takes bright places for text."""
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    TINY["write_tiny_model"](folder / "tiny.onnx")
    return folder


def detect(*args, model="tiny.onnx"):
    return main(["detect", *map(str, args), "--model", model, "--size", "96"])


def picture(bars=1):
    """(64, 96, 3) black with up to two bright bars."""
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[8:20, 10:70] = 255
    if bars == 2:
        frame[36:50, 40:90] = 255
    return frame


def save(path, bars=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture(bars))
    return path


@pytest.fixture
def two(here):
    """one.png with one bar and two.png with two, in the folder in."""
    return [save(here / "in/one.png", 1), save(here / "in/two.png", 2)]


@pytest.mark.usefixtures("two")
def test_json_lines_go_to_standard_output(capsys):
    assert detect("in") == 0
    out, err = capsys.readouterr()
    one, both = map(json.loads, out.splitlines())
    assert err == ""
    assert [Path(found["path"]).as_posix() for found in (one, both)] == ["in/one.png", "in/two.png"]
    assert one["schema"] == "dbrt.detect.picture/1"
    assert (one["width"], one["height"], one["truncated"]) == (96, 64, False)
    assert [len(found["regions"]) for found in (one, both)] == [1, 2]
    middle = np.mean(one["regions"][0]["quad"], axis=0)
    np.testing.assert_allclose(middle, [40, 14], atol=4)
    assert set(one["times_ms"]) == {"read", "letterbox", "network", "decode"}


@pytest.mark.usefixtures("two")
def test_polygons_are_in_the_lines_where_asked_for(capsys):
    assert detect("in/one.png", "--polygons") == 0
    assert len(json.loads(capsys.readouterr().out)["regions"][0]["polygon"]) >= 4


@pytest.mark.usefixtures("two")
def test_csv_has_a_header_and_a_line_for_each_region(capsys):
    assert detect("in", "--format", "csv") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "path,region,score,x1,y1,x2,y2,x3,y3,x4,y4,polygon"
    assert [line.split(",")[:2] for line in lines[1:]] == [
        [str(Path("in/one.png")), "0"],
        [str(Path("in/two.png")), "0"],
        [str(Path("in/two.png")), "1"],
    ]
    assert {line.count(",") for line in lines} == {11}


@pytest.mark.usefixtures("two")
def test_the_name_of_the_file_chooses_csv(here, capsys):
    assert detect("in", "--out", "regions.csv") == 0
    assert (here / "regions.csv").read_text("utf-8").startswith("path,region")
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("regions.csv: 2 pictures, 3 regions; tiny, openvino ")


def test_icdar_files_are_what_evaluate_reads(here, two):
    assert detect("in", "--format", "icdar", "--out", "results") == 0
    (first, second), missing = read_results(here / "results", two)
    assert (len(first[0]), len(second[0]), missing) == (1, 2, 0)
    assert second[1].min() > 0.5


@pytest.mark.usefixtures("two")
def test_json_is_one_object_of_everything(here, capsys):
    (here / "in/broken.png").write_text("no picture")
    assert detect("in", "--json") == 3
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["schema"] == "dbrt.detect/1"
    assert (found["model"], found["pictures"], found["regions"]) == ("tiny", 2, 3)
    assert [len(result["regions"]) for result in found["results"]] == [1, 2]
    assert "in/broken.png" in Path(found["failures"][0]).as_posix()
    assert found["times_ms"]["network"] > 0
    assert err.count("\n") == 1


@pytest.mark.usefixtures("two")
def test_a_broken_picture_is_told_and_the_others_are_done(here, capsys):
    (here / "in/cut.jpg").write_bytes(cv2.imencode(".jpg", picture())[1].tobytes()[:300])
    (here / "in/empty.png").touch()
    assert detect("in", "missing.png", "--out", "regions.jsonl", "--draw", "drawn") == 3
    errors = capsys.readouterr().err.splitlines()
    assert [line for line in errors if line.startswith("dbrt: ")] == errors[:3]
    assert "missing.png: no such" in errors[0]
    assert "cut.jpg: " in errors[1]
    assert "empty.png: is empty" in errors[2]
    done = [json.loads(line)["path"] for line in (here / "regions.jsonl").read_text().splitlines()]
    assert [Path(path).name for path in done] == ["one.png", "two.png"]
    assert sorted(path.name for path in (here / "drawn").iterdir()) == ["one.jpg", "two.jpg"]


def test_the_rotation_of_exif_is_honoured(here, capsys):
    jpeg = cv2.imencode(".jpg", picture(), [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    turn_right = 6  # the stored left side is the top of the upright picture
    tiff = b"MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x112, 3, 1, turn_right, 0, 0)
    app1 = b"\xff\xe1" + struct.pack(">H", 2 + 6 + len(tiff)) + b"Exif\0\0" + tiff
    (here / "turned.jpg").write_bytes(jpeg[:2] + app1 + jpeg[2:])
    assert detect("turned.jpg", "--draw", "drawn") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["width"], found["height"]) == (64, 96)
    middle = np.mean(found["regions"][0]["quad"], axis=0)
    np.testing.assert_allclose(middle, [64 - 14, 40], atol=4)
    assert cv2.imread("drawn/turned.jpg").shape == (96, 64, 3)


@pytest.mark.usefixtures("two")
def test_regions_are_drawn_on_the_picture(here, capsys):
    assert detect("in/one.png", "--draw", "drawn") == 0
    [region] = json.loads(capsys.readouterr().out)["regions"]
    drawn = cv2.imread(str(here / "drawn/one.jpg")).astype(int)
    rows, columns = np.nonzero(drawn[..., 1] - drawn[..., 2] > 80)  # green
    assert (columns.max(), rows.max()) == pytest.approx(np.max(region["quad"], axis=0), abs=3)
    assert np.abs(drawn - picture())[40:].max() < 40  # JPEG's loss


@pytest.mark.usefixtures("two")
def test_maps_are_three_pictures_of_its_size(here):
    assert detect("in/two.png", "--maps", "deep/maps") == 0
    names = [f"two-{kind}.png" for kind in ("approximate-binary", "probability", "threshold")]
    assert sorted(path.name for path in (here / "deep/maps").iterdir()) == names
    shown = [cv2.imread(str(here / "deep/maps" / name)) for name in names]
    assert [map.shape for map in shown] == [(64, 96, 3)] * 3
    # Yellow where there is text, dark blue where there is none.
    assert shown[1][14, 40, 2] > 200 > shown[1][14, 40, 0]
    assert shown[1][28, 20].max() < 150


def test_maps_need_a_model_with_a_threshold_head(here, two, capsys):
    plain = TINY["tiny_model"](threshold_head=False)
    (here / "plain.onnx").write_bytes(plain.SerializeToString())
    assert detect("in", "--maps", "maps", model="plain.onnx") == 2
    assert "has no threshold head: leave out --maps" in capsys.readouterr().err
    assert not (here / "maps").exists()


def test_one_name_in_two_folders_makes_two_outputs(here, capsys):
    save(here / "north/sign.png", 1)
    save(here / "south/sign.png", 2)
    args = ("north", "south", "--draw", "out", "--format", "icdar", "--out", "out")
    assert detect(*args) == 0
    assert sorted(path.name for path in (here / "out").iterdir()) == [
        "north_sign.jpg",
        "res_north_sign.txt",
        "res_south_sign.txt",
        "south_sign.jpg",
    ]
    assert len((here / "out/res_south_sign.txt").read_text().splitlines()) == 2


EXISTING = {
    "out": (["--out", "old.jsonl"], "old.jsonl"),
    "draw": (["--draw", "old"], "old/one.jpg"),
    "maps": (["--maps", "old"], "old/one-threshold.png"),
    "icdar": (["--format", "icdar", "--out", "old"], "old/res_one.txt"),
}


@pytest.mark.parametrize(("args", "old"), EXISTING.values(), ids=EXISTING)
@pytest.mark.usefixtures("two")
def test_outputs_that_exist_are_kept_without_overwrite(here, args, old, capsys):
    (here / "old").mkdir()
    (here / old).write_text("mine")
    assert detect("in", *args, model="missing.onnx") == 7  # before the model is looked for
    assert "exists already" in capsys.readouterr().err
    assert (here / old).read_text() == "mine"
    assert detect("in", *args, "--overwrite") == 0
    assert (here / old).read_bytes() != b"mine"


def test_a_picture_that_is_read_is_never_overwritten(here, capsys):
    save(here / "in/one.jpg")
    before = (here / "in/one.jpg").read_bytes()
    assert detect("in", "--draw", "in", "--overwrite") == 7
    assert "is one of the pictures to read" in capsys.readouterr().err
    assert (here / "in/one.jpg").read_bytes() == before


WRONG = {
    "nothing": ([], 2, "missing argument 'PATH...'; see dbrt detect --help"),
    "missing": (["missing.jpg"], 3, "missing.jpg: no such picture or folder"),
    "text": (["text.jpg"], 3, "text.jpg: is not a picture that can be read"),
    "empty": (["empty.jpg"], 3, "empty.jpg: is empty"),
    "size": (["in", "--size", "700"], 2, "size 700"),
    "shape": (["in", "--shape", "100x64"], 2, "height 100"),
    "no shape": (["in", "--shape", "big"], 2, "--shape 'big' is not HEIGHTxWIDTH"),
    "min-score": (["in", "--min-score", "2"], 2, "--min-score"),
    "option": (["in", "--sise", "96"], 2, "no such option --sise; did you mean --size?"),
    "format": (["in", "--format", "xml"], 2, "'xml' is not one of"),
    "icdar to stdout": (["in", "--format", "icdar"], 2, "give --out FOLDER"),
    "json and csv": (["in", "--json", "--format", "csv"], 2, "give --out for --format csv"),
    "runner": (["in", "--runner", "gpu"], 2, "no runner gpu"),
    "no such runner": (["in", "--runner", "gpu"], 2, "no runner gpu"),
    "out in no folder": (["in", "--out", "no/where.jsonl"], 7, "there is no folder"),
    "out is a folder": (["in", "--out", "in"], 7, "in is a folder"),
    "draw is a file": (["in", "--draw", "text.jpg"], 7, "text.jpg is a file"),
    "draw below a file": (["in", "--draw", "text.jpg/in"], 7, "text.jpg is a file"),
}


@pytest.mark.parametrize(("args", "code", "message"), WRONG.values(), ids=WRONG)
@pytest.mark.usefixtures("two")
def test_what_is_wrong_is_one_line_and_its_code(here, args, code, message, capsys):
    (here / "text.jpg").write_text("not a picture, but long enough to be looked at\n" * 9)
    (here / "empty.jpg").touch()
    model = "missing.onnx" if code == 7 else "tiny.onnx"  # outputs are looked at first
    assert main(["detect", *args, "--model", model]) == code
    out, err = capsys.readouterr()
    assert message in err
    assert err.startswith("dbrt: ")
    assert err.count("\n") == 1
    assert out == ""


@pytest.mark.usefixtures("two")
def test_a_truncated_model_file_is_one_line(here, capsys):
    (here / "tiny.onnx").write_bytes((here / "tiny.onnx").read_bytes()[:200])
    assert detect("in", "--out", "regions.jsonl") == 3
    assert "tiny.onnx is cut short" in capsys.readouterr().err
    assert not (here / "regions.jsonl").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.usefixtures("two")
def test_a_full_disk_is_one_line(capsys):
    assert detect("in", "--out", "/dev/full", "--overwrite") == 7
    err = capsys.readouterr().err
    assert "/dev/full: can't be written, the disk is full: free some space" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    "args",
    [["--draw", "out"], ["--maps", "out"], ["--format", "icdar", "--out", "out"]],
    ids=["draw", "maps", "icdar"],
)
@pytest.mark.usefixtures("two")
def test_a_full_disk_leaves_no_part_of_a_file(here, args, monkeypatch, capsys):
    def write_half(path, data, *_, **__):
        with path.open("wb") as file:
            file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", write_half)
    monkeypatch.setattr(Path, "write_text", write_half)
    assert detect("in", *args) == 7
    assert "can't be written" in capsys.readouterr().err
    assert list((here / "out").iterdir()) == []


@pytest.mark.usefixtures("two")
def test_a_line_that_a_full_disk_cut_is_taken_back(here, monkeypatch, capsys):
    class FullDisk:
        """A file that takes 400 bytes."""

        def __init__(self, path, *_, **__):
            self.file = Path(path).open("wb", buffering=0)
            self.truncate, self.close = self.file.truncate, self.file.close

        def write(self, data):
            room = 400 - self.file.tell()
            if room == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return self.file.write(data[:room])

    monkeypatch.setattr("dbrt.pictures.outputs.open", FullDisk, raising=False)
    assert detect("in", "--out", "regions.jsonl") == 7
    lines = (here / "regions.jsonl").read_text().splitlines()
    assert [Path(json.loads(line)["path"]).name for line in lines] == ["one.png"]


@pytest.mark.usefixtures("two")
def test_the_progress_bar_stays_out_of_standard_output(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    assert detect("in") == 0
    out, err = capsys.readouterr()
    assert len([json.loads(line) for line in out.splitlines()]) == 2
    assert "pictures" in err


@pytest.mark.skipif(sys.platform != "linux", reason="needs file names that are any bytes")
def test_a_name_that_is_no_unicode_is_survived(here, capsys):
    name = os.fsdecode(b"caf\xe9.png")
    save(here / "plain.png").rename(here / name)
    assert detect(name) == 0
    assert json.loads(capsys.readouterr().out)["path"] == name
    assert detect(name, "--format", "csv", "--draw", "drawn") == 0
    assert "caf\\udce9.png,0" in capsys.readouterr().out
    assert os.listdir(b"drawn") == [b"caf\xe9.jpg"]


def test_help_fits_a_screen(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["detect", "--help"]) == 0
    assert len(capsys.readouterr().out.splitlines()) <= 45
