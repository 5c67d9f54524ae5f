"""Scoring a model and a folder of results: the same figures whatever else is asked for."""

import runpy
from pathlib import Path

import pytest

from dbrt.errors import InputError
from dbrt.evaluation.entry import CURVE_GRID, distinct_labels
from dbrt.evaluation.protocols import protocol_for
from dbrt.evaluation.rendering import comparison_lines, comparison_to_json, lines, to_json
from dbrt.evaluation.run import differences, score_folder, score_model

TINY = runpy.run_path(str(Path(__file__).parents[1] / "engine" / "tiny_model.py"))


@pytest.fixture
def options(tmp_path, monkeypatch):
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "cache"))
    TINY["write_tiny_model"](tmp_path / "tiny.onnx")
    return {"model": str(tmp_path / "tiny.onnx"), "size": 96, "shape": None, "precision": "fp32"}


def test_a_model_is_scored_with_its_own_thresholds(dataset, options):
    entry = score_model(dataset, options)
    assert entry.label == entry.source["model"] == "tiny"
    assert entry.report.images == 3
    assert entry.report.regions > 0
    assert entry.choice is None


@pytest.mark.parametrize("min_score", [None, 0.75])
def test_scores_for_a_curve_leave_the_report_as_it_is(dataset, options, tmp_path, min_score):
    plain = score_model(dataset, options, min_score=min_score, save=tmp_path / "plain")
    curve = score_model(
        dataset, options, min_score=min_score, save=tmp_path / "curve", all_scores=True
    )
    assert curve.report == plain.report
    assert curve.min_score == (0.5 if min_score is None else min_score)  # 0.5: the tiny model's
    files = sorted((tmp_path / "plain").iterdir())
    assert [path.read_text() for path in files] == [
        (tmp_path / "curve" / path.name).read_text() for path in files
    ]


def test_a_curve_has_the_regions_below_the_models_least_score(score):
    results = {"c": "0,0,5,0,5,5,0,5,0.4\n"}
    entry = score("low", results, min_score=0.5)
    assert entry.report.regions == 0
    assert entry.curve.reports[0].regions == 1
    assert entry.curve.thresholds == CURVE_GRID


def test_thresholds_are_chosen_in_the_same_pass(dataset, options):
    entry = score_model(dataset, options, choose=True)
    assert entry.report == score_model(dataset, options).report
    assert entry.choice.report.hmean >= entry.report.hmean
    assert to_json(entry)["chosen"]["settings_tried"] == entry.choice.tried
    assert any(line.startswith("best here") for line in lines(entry))


def test_steps_are_shown_by_name(dataset, options):
    shown = []

    def show(heading):
        shown.append(heading)
        return iter

    score_model(dataset, options, choose=True, show=show)
    assert shown == ["pictures", "scoring", "thresholds"]


def test_a_least_score_needs_scores(score):
    with pytest.raises(InputError, match="without scores"):
        score("bare", {"a": "10,20,50,20,50,30,10,30\n"}, min_score=0.5)


def test_missing_files_are_counted(dataset, tmp_path):
    (tmp_path / "res_a.txt").write_text("")
    assert score_folder(dataset, tmp_path)[1] == 2


def test_equal_labels_are_numbered(entry, score):
    other = score("other", {})
    labels = [e.label for e in distinct_labels([entry, other, entry])]
    assert labels == ["some #1", "other", "some #2"]


def test_coverage_comes_with_truth_that_is_lines(entry, dataset, score, monkeypatch):
    assert entry.coverage is None
    assert "coverage" not in to_json(entry)
    receipts = protocol_for("sroie")
    monkeypatch.setattr("dbrt.evaluation.protocols.protocol_for", lambda name: receipts)
    halves = "10,20,29,20,29,30,10,30,0.9\n31,20,50,20,50,30,31,30,0.9\n"
    lined = score("lines", {"a": halves})
    assert lined.report.matched == 0
    assert to_json(lined)["coverage"]["lines"] == 3
    assert lined.coverage.covered == 1
    text = "\n".join(lines(lined))
    assert "care lines  3" in text
    assert "covered     0.3333 of the lines" in text


def test_a_comparison_has_a_column_each_and_the_difference(entry, score):
    better = score("better", {
        "a": "10,20,50,20,50,30,10,30,0.9\n60,20,90,20,90,30,60,30,0.9\n",
        "b": "10,20,50,20,50,30,10,30,0.8\n",
    })  # fmt: skip
    found = differences([entry, better])
    table = list(comparison_lines([entry, better], found))
    rows = {line[:10].strip(): line.split()[-3:] for line in table if line[:10].strip()}
    assert rows["precision"] == ["0.6667", "1.0000", "+0.3333"]
    assert rows["recall"] == ["0.6667", "1.0000", "+0.3333"]
    assert "hmean of better less some: +0.3333, 95% interval " in "\n".join(table)
    [level] = [line.split()[-3:] for line in table if line.startswith("recall horizontal")]
    assert level == ["0.6667", "1.0000", "+0.3333"]
    assert "2 pictures better, 0 worse, 1 the same" in table
    assert any(line.startswith("greatest gains    c.png") for line in table)
    result = comparison_to_json([entry, better], found)
    assert [part["label"] for part in result["entries"]] == ["some", "better"]
    assert result["differences"][0]["hmean"] == pytest.approx(1 / 3, abs=1e-6)
    assert (result["differences"][0]["of"], result["differences"][0]["to"]) == ("better", "some")


def test_three_are_compared_with_the_first(entry, score):
    entries = [entry, score("two", {}), score("three", {})]
    found = differences(entries)
    assert [part.recall for part in found] == [pytest.approx(-2 / 3)] * 2
    assert len([line for line in comparison_lines(entries, found) if " interval " in line]) == 2


def test_one_picture_is_no_plural(dataset, score):
    one = [score("first", {}), score("second", {"a": "10,20,50,20,50,30,10,30,0.9\n"})]
    text = "\n".join(comparison_lines(one, differences(one)))
    assert "1 picture better, 0 worse, 2 the same" in text


def test_an_interval_over_zero_says_that_it_is_too_small(entry, score):
    same = score("same", {"a": "60,20,90,20,90,30,60,30,0.9\n", "b": "10,20,50,20,50,30,10,30\n",
                          "c": "70,45,95,45,95,58,70,58,0.3\n"})  # fmt: skip
    [found] = differences([entry, same])
    assert found.hmean == 0
    assert not found.is_clear
    assert "too small to tell" in "\n".join(comparison_lines([entry, same], [found]))


def test_orientation_and_height_have_their_rows(entry):
    text = "\n".join(lines(entry))
    assert "horizontal, 0 to 10 deg" in text
    assert "vertical, 60 to 90 deg" in text
    assert "48 px up" in text
    bands = to_json(entry)["recall_by_orientation"]
    assert [band["orientation"] for band in bands] == [
        "horizontal", "slanted", "steep", "vertical"
    ]  # fmt: skip
    assert bands[0]["recall"] == pytest.approx(2 / 3, abs=1e-6)
    assert sum(band["care_words"] for band in bands) == 3
