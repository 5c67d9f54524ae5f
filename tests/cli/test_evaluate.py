"""`dbrt evaluate`: what it prints, and what it says of wrong options and missing data."""

import inspect
import json
import os
import subprocess
import sys
import types

import cv2
import numpy as np
import pytest

from dbrt.cli import main
from dbrt.detector import TextDetector
from dbrt.evaluation import run
from dbrt.regions import TextRegions

LINE = "10,20,50,20,50,30,10,30"
OTHER = "60,20,90,20,90,30,60,30"


@pytest.fixture
def folder(tmp_path):
    """Two pictures with two words each; detections find one of four and one false."""
    root = tmp_path / "mine"
    for name in ("images", "gts"):
        (root / name).mkdir(parents=True)
    for stem in ("a", "b"):
        cv2.imwrite(str(root / f"images/{stem}.png"), np.zeros((60, 100, 3), np.uint8))
        (root / f"gts/gt_{stem}.txt").write_text(f"{LINE},one\n{OTHER},two\n")
    return root


@pytest.fixture
def detections(tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    (results / "res_a.txt").write_text(f"{LINE},0.9\n0,0,5,0,5,5,0,5,0.4\n")
    (results / "res_b.txt").write_text("")
    return results


def evaluate(folder, *args):
    return main(["evaluate", "--dataset", "folder", "--root", str(folder), *map(str, args)])


class Detector:
    """Stands for TextDetector: finds one word in every picture; remembers how it was made."""

    made = None
    model = types.SimpleNamespace(name="tiny", sha256="00ff", unit="word")
    reason = "openvino fp32: asked for"

    def __init__(self, **options):
        Detector.made = options
        self.closed = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True

    def __call__(self, frame):
        quad = np.array(LINE.split(","), np.float32).reshape(1, 4, 2) + 0.3
        return TextRegions(quad, np.float32([0.8]))


@pytest.fixture
def detector(monkeypatch):
    monkeypatch.setattr(run, "TextDetector", Detector)
    monkeypatch.setattr(Detector, "made", None)
    return Detector


def test_the_table_has_counts_and_figures(folder, detections, capsys):
    assert evaluate(folder, "--detections", detections) == 0
    out, err = capsys.readouterr()
    rows = dict(line.rsplit(maxsplit=1) for line in out.split("\n\n")[0].splitlines())
    assert rows["images"] == "2"
    assert rows["regions"] == "2"
    assert rows["care words"] == "4"
    assert rows["precision"] == "0.5000"
    assert rows["recall"] == "0.2500"
    assert rows["hmean"] == "0.3333"
    assert err == ""


def test_json_is_one_object_with_the_names_of_the_table(folder, detections, capsys):
    assert evaluate(folder, "--detections", detections, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["schema"] == "dbrt.evaluate/1"
    assert (result["images"], result["regions"], result["care_words"]) == (2, 2, 4)
    assert (result["precision"], result["recall"], result["hmean"]) == (0.5, 0.25, 0.333333)
    assert result["source"] == {"folder": str(detections)}


def test_min_score_leaves_detections_out(folder, detections, capsys):
    assert evaluate(folder, "--detections", detections, "--min-score", "0.5", "--json") == 0
    assert json.loads(capsys.readouterr().out)["precision"] == 1


def test_limit_takes_the_first_pictures(folder, detections, capsys):
    assert evaluate(folder, "--detections", detections, "--limit", "1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["care_words"] == 2


def test_pictures_without_result_are_told(folder, detections, capsys):
    (detections / "res_b.txt").unlink()
    assert evaluate(folder, "--detections", detections) == 0
    assert "1 of 2 pictures without a result file" in capsys.readouterr().err


def test_a_model_is_run_with_the_options_given(folder, detector, tmp_path, capsys):
    args = ("--shape", "64x128", "--runner", "onnxruntime", "--save", tmp_path / "out", "--json")
    assert evaluate(folder, *args) == 0
    assert detector.made == {
        "model": "auto",
        "size": 736,
        "shape": (64, 128),
        "runner": "onnxruntime",
        "precision": "auto",
        "min_score": None,
        "output": "quad",
    }
    result = json.loads(capsys.readouterr().out)
    assert result["source"]["model"] == "tiny"
    assert (result["matched"], result["precision"], result["recall"]) == (2, 1, 0.5)
    assert (tmp_path / "out/res_b.txt").read_text() == f"{LINE},0.8000\n"


def test_saved_results_give_the_same_figures(folder, detector, tmp_path, capsys):
    assert evaluate(folder, "--save", tmp_path / "out", "--json") == 0
    assert evaluate(folder, "--detections", tmp_path / "out", "--json") == 0
    ran, read = map(json.loads, capsys.readouterr().out.splitlines())
    assert {**ran, "source": None} == {**read, "source": None}


def test_overwrite_replaces_saved_results(folder, detector, detections, capsys):
    assert evaluate(folder, "--save", detections, "--overwrite") == 0
    assert (detections / "res_b.txt").read_text() == f"{LINE},0.8000\n"


def test_two_models_are_compared(folder, detector, capsys):
    assert evaluate(folder, "--model", "one", "--model", "two", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["schema"] == "dbrt.evaluate.compare/1"
    assert [entry["label"] for entry in result["entries"]] == ["tiny #1", "tiny #2"]
    assert [entry["hmean"] for entry in result["entries"]] == [0.666667, 0.666667]
    [difference] = result["differences"]
    assert (difference["hmean"], difference["hmean_interval"]) == (0, [0, 0])


def test_a_model_is_compared_with_results_from_elsewhere(folder, detector, detections, capsys):
    args = ("--model", "mine", "--detections", detections, "--seed", "7")
    assert evaluate(folder, *args) == 0
    assert evaluate(folder, *args, "--json") == 0
    table, result = capsys.readouterr().out.rsplit("\n{", 1)
    assert "tiny  results  difference" in table
    assert "hmean of results less tiny: -0.3333, 95% interval " in table
    assert json.loads("{" + result)["differences"][0]["seed"] == 7


def test_a_gallery_is_written_and_told(folder, detections, tmp_path, capsys):
    assert evaluate(folder, "--detections", detections, "--gallery", tmp_path / "errors") == 0
    assert "<svg" in (tmp_path / "errors/index.html").read_text()
    assert "index.html: the worst pictures" in capsys.readouterr().err
    assert evaluate(folder, "--detections", detections, "--gallery", tmp_path / "errors") == 7
    assert "--overwrite" in capsys.readouterr().err


def test_a_curve_is_drawn_and_told(folder, detections, tmp_path, capsys):
    pytest.importorskip("matplotlib")
    assert evaluate(folder, "--detections", detections, "--plot", tmp_path / "curve.svg") == 0
    assert "curve.svg: precision over recall" in capsys.readouterr().err
    assert "<svg" in (tmp_path / "curve.svg").read_text()


def test_the_best_least_score_is_told(folder, detections, capsys):
    args = ("--detections", detections, "--choose-thresholds")
    assert evaluate(folder, *args) == 0
    assert evaluate(folder, *args, "--json") == 0
    table, result = capsys.readouterr().out.rsplit("\n{", 1)
    assert "best here   min_score 0.42" in table
    chosen = json.loads("{" + result)["chosen"]
    assert (chosen["min_score"], chosen["precision"], chosen["recall"]) == (0.42, 1, 0.25)


def test_test_pictures_choose_no_thresholds(folder, detector, tmp_path, capsys):
    folder.rename(tmp_path / "test")
    args = ("--dataset", "folder", "--root", str(tmp_path), "--split", "test")
    assert main(["evaluate", *args, "--choose-thresholds"]) == 2
    assert "thresholds are not chosen on folder test" in capsys.readouterr().err
    assert detector.made is None


REFUSED = {
    "save-of-two-models": (
        ("--model", "a", "--model", "b", "--save", "out"),
        2,
        "give one --model",
    ),
    "gallery-of-two": (("--model", "a", "--detections", ".", "--gallery", "out"), 2, "--gallery"),
    "plot-as-jpeg": (("--plot", "curve.jpg"), 2, "end the name in .png"),
    "plot-nowhere": (("--plot", "no/such/curve.svg"), 7, "there is no folder"),
    "save-with-detections": (("--detections", ".", "--save", "out"), 2, "--save"),
    "shape-without-cross": (("--shape", "736"), 2, "--shape '736' is not HEIGHTxWIDTH"),
    "size-before-data": (("--size", "700", "--root", "nowhere"), 2, "take 672 or 704"),
    "shape-of-words": (("--shape", "axb"), 2, "not HEIGHTxWIDTH"),
    "limit-0": (("--limit", "0"), 2, "--limit"),
    "min-score-2": (("--min-score", "2"), 2, "--min-score"),
    "no-such-split": (("--split", "nowhere"), 3, "put the pictures under"),
    "no-such-detections": (("--detections", "nowhere"), 3, "no such folder"),
    "unknown-dataset": (("--dataset", "coco"), 2, "choose from icdar2015"),
}


@pytest.mark.parametrize(("args", "code", "message"), REFUSED.values(), ids=REFUSED)
@pytest.mark.usefixtures("detector")
def test_a_wrong_option_is_refused_with_its_code(folder, capsys, args, code, message):
    assert evaluate(folder, *args) == code
    out, err = capsys.readouterr()
    assert message in err
    assert "Traceback" not in err
    assert out == ""


@pytest.mark.usefixtures("detector")
def test_results_are_not_overwritten(folder, detections, capsys):
    assert evaluate(folder, "--save", detections) == 7
    assert "res_a.txt: is there already" in capsys.readouterr().err


def test_min_score_needs_scores(folder, detections, capsys):
    (detections / "res_a.txt").write_text(f"{LINE}\n")
    assert evaluate(folder, "--detections", detections, "--min-score", "0.5") == 3
    assert "without scores" in capsys.readouterr().err


def test_a_malformed_annotation_is_named_with_its_line(folder, detections, capsys):
    (folder / "gts/gt_b.txt").write_text(f"{LINE},one\n1,2,3\n")
    assert evaluate(folder, "--detections", detections) == 3
    assert "gt_b.txt, line 2: expected x1,y1" in capsys.readouterr().err


def test_the_table_names_model_input_and_runner(folder, detector, capsys):
    assert evaluate(folder, "--shape", "64x128") == 0
    assert evaluate(folder, "--size", "320") == 0
    out = capsys.readouterr().out
    assert "model       tiny 64x128\n" in out
    assert "model       tiny size 320\n" in out
    assert f"runner      {detector.reason}\n" in out


def test_a_model_of_lines_on_words_is_told(folder, detector, monkeypatch, capsys):
    assert evaluate(folder) == 0
    assert "units" not in capsys.readouterr().out
    monkeypatch.setattr(detector.model, "unit", "line")
    assert evaluate(folder) == 0
    assert "units       finds lines, truth is words: few can match\n" in capsys.readouterr().out


def test_the_double_stands_for_the_real_detector():
    inspect.signature(TextDetector).bind(
        model="auto",
        size=736,
        shape=None,
        runner="auto",
        precision="auto",
        min_score=None,
        output="quad",
    )


def test_help_loads_no_array_library():
    code = (
        "import sys; from dbrt.cli import main; main(['evaluate', '--help']); "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'cv2', 'rich')))"
    )
    environment = {**os.environ, "COLUMNS": "100"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) <= 40
    assert "dbrt evaluate --dataset icdar2015 --split test --shape 736x1280" in done.stdout
