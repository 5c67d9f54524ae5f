"""What `dbrt bench postproc` makes of its rows: ratios, table, CSV, plot."""

from __future__ import annotations

import csv
import io
import sys

import pytest

from dbrt.benchmarks.machine import describe_machine
from dbrt.benchmarks.paper import Thresholds
from dbrt.benchmarks.postproc import CONTOURS, FLOOR, QUADS, RAPIDOCR, PostprocRow, Scaling
from dbrt.benchmarks.postproc_rendering import csv_text, markdown, notes, table, write_plot
from dbrt.benchmarks.postproc_report import PostprocReport, ratios
from dbrt.benchmarks.report import Provenance
from dbrt.benchmarks.spread import Spread
from dbrt.errors import OutputError, RunnerError

# Regions of each map, and the milliseconds of each contender on it.
MAPS = {
    (0, "ordinary", 736, 10): {QUADS: 0.1, RAPIDOCR: 2.0, CONTOURS: 0.2, FLOOR: 0.05},
    (1, "ordinary", 736, 40): {QUADS: 0.2, RAPIDOCR: 16.0, CONTOURS: 0.2, FLOOR: 0.05},
    (2, "dense", 736, 300): {QUADS: 0.5, RAPIDOCR: 50.0, CONTOURS: 0.5, FLOOR: 0.1},
    (3, "ordinary", 320, 5): {QUADS: 0.1, RAPIDOCR: 1.0, CONTOURS: 0.01, FLOOR: 0.01},
}


@pytest.fixture
def rows():
    return tuple(
        PostprocRow(map, kind, size, regions, name, Spread(ms, ms, ms, 5))
        for (map, kind, size, regions), times in MAPS.items()
        for name, ms in times.items()
    )


@pytest.fixture
def report(rows):
    provenance = Provenance(
        describe_machine(), "2026-01-01", 5, 5, 1, "1", ("openvino",), (0.1, 0.1, 0.1), None
    )
    scaling = Scaling(threads=4, cores=2, one_ms=2.0, all_ms=1.0)
    return PostprocReport(rows, "tiny", Thresholds(), 1.5, 21.0, scaling, provenance)


def test_ratios_are_geometric_means_over_the_maps_they_name(rows):
    found = {(one.ours, one.peer, one.maps): one.times for one in ratios(rows)}
    assert found == {
        (QUADS, RAPIDOCR, 4): pytest.approx((20 * 80 * 100 * 10) ** 0.25),
        (QUADS, RAPIDOCR, 1): pytest.approx(100),
        (QUADS, CONTOURS, 1): pytest.approx(2),
        (FLOOR, QUADS, 1): pytest.approx(2),
    }


def test_goals_are_reached_or_not(rows, report):
    """RapidOCR takes 33.6 times as long over all maps and 100 over dense ones; the floor is 2."""
    reached = {(one.ours, one.peer, one.maps): one.reached for one in ratios(rows)}
    assert reached == {
        (QUADS, RAPIDOCR, 4): False,
        (QUADS, RAPIDOCR, 1): True,
        (QUADS, CONTOURS, 1): True,
        (FLOOR, QUADS, 1): True,
    }
    lines = [line for line in notes(report) if " Goal: " in line]
    assert [line.split(" Goal: ")[1] for line in lines] == [
        "at least 40, not reached.",
        "at least 60, reached.",
        "at least 1, reached.",
        "at most 3, reached.",
    ]


def test_the_notes_say_how_threads_scale_and_what_a_start_takes(report):
    text = "\n".join(notes(report))
    assert "4 maps by 4 threads on 2 cores: 1.000 ms at once" in text
    assert "2.00 times as quick" in text
    assert "1.50 s with kernels in the cache, 21.0 s where they are compiled first" in text


def test_the_table_has_a_column_for_each_size_and_kind(report):
    heading, *body = table(report)
    assert heading[1:] == [
        "736 ordinary, 10 to 40 regions",
        "736 dense, 300 regions",
        "320 ordinary, 5 regions",
    ]
    assert body[0] == [QUADS, "0.150", "0.500", "0.100"]


def test_notes_say_what_a_ratio_is_of(report):
    assert f"{RAPIDOCR} takes 100.00 times as long as {QUADS}" in "\n".join(notes(report))


def test_notes_say_how_to_get_the_peer_that_is_missing(report):
    alone = PostprocReport(
        tuple(row for row in report.rows if row.contender != RAPIDOCR),
        *(report.model, report.thresholds, report.first_map_s, report.first_map_cold_s),
        *(report.scaling, report.provenance),
    )
    assert any("dbrt[bench]" in note for note in notes(alone))
    assert not any("dbrt[bench]" in note for note in notes(report))


def test_markdown_ends_with_the_provenance(report):
    page = markdown(report)
    assert f"| {QUADS} | 0.150 | 0.500 | 0.100 |" in page
    assert "| date | 2026-01-01 |" in page


def test_csv_has_a_line_for_each_map_and_contender(report):
    lines = list(csv.DictReader(io.StringIO(csv_text(report))))
    assert len(lines) == len(report.rows)
    assert (lines[1]["contender"], lines[1]["ms"], lines[1]["regions"]) == (RAPIDOCR, "2.0", "10")
    assert {line["run_date"] for line in lines} == {"2026-01-01"}


def test_the_plot_is_drawn_for_the_largest_size(report, tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "plot.svg"
    write_plot(report, path)
    text = path.read_text("utf-8")
    assert "Decoding a 736 x 736 map" in text
    assert "the memory floor" in text


def test_a_plot_that_can_not_be_drawn_is_one_line(report, tmp_path):
    pytest.importorskip("matplotlib")
    with pytest.raises(OutputError, match=r"plot\.xyz can't be written"):
        write_plot(report, tmp_path / "plot.xyz")


def test_without_matplotlib_the_plot_says_what_to_install(report, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RunnerError, match=r"pip install 'dbrt\[bench\]'"):
        write_plot(report, tmp_path / "plot.png")
