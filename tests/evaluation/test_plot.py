"""The precision-recall picture."""

import sys

import cv2
import pytest

from dbrt.errors import InputError, OutputError, RunnerError, UsageError
from dbrt.evaluation.entry import choose_score
from dbrt.evaluation.plot import SUFFIXES, check_plot, write_curve


@pytest.fixture
def matplotlib():
    return pytest.importorskip("matplotlib")


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_picture_is_written_in_each_form(entry, tmp_path, suffix):
    path = tmp_path / f"curve{suffix}"
    write_curve([entry], path)
    start = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(start)


@pytest.mark.usefixtures("matplotlib")
def test_the_curve_has_a_line_an_entry_and_a_star_for_what_was_chosen(
    entry, score, dataset, tmp_path, monkeypatch
):
    drawn = []
    figure = pytest.importorskip("matplotlib.figure").Figure
    monkeypatch.setattr(figure, "savefig", lambda self, *_a, **_k: drawn.append(self))
    chosen = score("other", {"a": "10,20,50,20,50,30,10,30,0.6\n"}, choose=True)
    write_curve([entry, chosen], tmp_path / "curve.png")
    axes = drawn[0].axes[0]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [label.split(":")[0] for label in labels] == ["some", "other", "best here"]
    assert "H-mean 0.667" in labels[0]  # 2 of 3 words; 2 of 3 detections that count
    assert "min_score" in labels[2]
    curve, point, *_ = axes.get_lines()
    assert max(curve.get_xdata()) == pytest.approx(2 / 3)
    assert (point.get_xdata()[0], point.get_ydata()[0]) == pytest.approx((2 / 3, 2 / 3))
    assert axes.get_title() == "folder, 3 pictures"


@pytest.mark.usefixtures("matplotlib")
def test_a_png_can_be_decoded(entry, tmp_path):
    write_curve([entry], tmp_path / "curve.png")
    assert cv2.imread(str(tmp_path / "curve.png")).std() > 10


@pytest.mark.usefixtures("matplotlib")
def test_detections_without_scores_have_no_curve(score, tmp_path):
    with pytest.raises(InputError, match="without scores"):
        write_curve([score("bare", {"a": "10,20,50,20,50,30,10,30\n"})], tmp_path / "c.png")


def test_the_curve_trades_recall_for_precision(entry):
    curve = entry.curve
    assert curve.reports[0].detections == 3
    at = dict(zip(curve.thresholds, curve.reports, strict=True))
    assert (at[0.5].precision, at[0.5].recall) == (1, pytest.approx(2 / 3))
    assert (at[0.86].precision, at[0.86].recall) == (1, pytest.approx(1 / 3))


def test_the_best_least_score_leaves_the_false_detection_out(entry):
    choice = choose_score(entry)
    assert choice.options == {"min_score": 0.32}  # just above the false one's 0.3
    assert choice.report.hmean == pytest.approx(0.8)


def test_no_least_score_is_chosen_without_scores(score):
    with pytest.raises(UsageError, match="without scores"):
        score("bare", {"a": "10,20,50,20,50,30,10,30\n"}, choose=True)


REFUSED = {
    "ending": ("curve.jpg", UsageError, r"end the name in \.png, \.svg, \.pdf"),
    "no-folder": ("nowhere/curve.png", OutputError, "there is no folder"),
    "taken": ("taken.png", OutputError, "is there already: .*--overwrite"),
}


@pytest.mark.usefixtures("matplotlib")
@pytest.mark.parametrize(("name", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_a_picture_that_cannot_be_written_is_refused_before_any_work(
    tmp_path, name, error, message
):
    (tmp_path / "taken.png").write_text("")
    with pytest.raises(error, match=message):
        check_plot(tmp_path / name)
    check_plot(tmp_path / "taken.png", overwrite=True)


@pytest.mark.usefixtures("matplotlib")
def test_a_folder_in_the_way_is_an_output_error(entry, tmp_path):
    (tmp_path / "curve.png").mkdir()
    with pytest.raises(OutputError, match="can't be written"):
        write_curve([entry], tmp_path / "curve.png")


@pytest.mark.usefixtures("matplotlib")
def test_a_full_disk_leaves_the_picture_before(entry, tmp_path, monkeypatch):
    (tmp_path / "curve.png").write_text("before")

    def fail(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    with pytest.raises(OutputError, match="the disk is full"):
        write_curve([entry], tmp_path / "curve.png")
    assert [path.name for path in tmp_path.glob("*curve*")] == ["curve.png"]
    assert (tmp_path / "curve.png").read_text() == "before"


def test_without_matplotlib_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RunnerError, match=r"dbrt\[bench\]"):
        check_plot(tmp_path / "curve.png")
