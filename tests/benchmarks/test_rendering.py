from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import pytest

from dbrt.benchmarks.machine import Machine
from dbrt.benchmarks.networks import UNTRAINED
from dbrt.benchmarks.published import Published
from dbrt.benchmarks.rendering import COLUMNS, csv_text, markdown, notes
from dbrt.benchmarks.report import BenchReport, BenchRow, MapNote, Provenance
from dbrt.benchmarks.spread import Spread

ROW = BenchRow(
    network="ResNet-50",
    size=320,
    weights=UNTRAINED,
    runner="openvino",
    precision="bf16",
    letterbox=Spread(1.0, 0.9, 1.5, 6),
    infer=Spread(27.25, 26.0, 40.0, 6),
    post=Spread(0.75, 0.5, 1.0, 6),
    fps=34.48,
    published=Published(13.3, 2.9),
)
LIGHT = replace(ROW, network="MobileNetV2 light", weights="dbrt-lite", published=None)
MACHINE = Machine(
    cpu="Some CPU | with a bar",
    cores=2,
    cpu_flags=("avx2",),
    memory_gib=8.0,
    os="Linux",
    python="CPython 3.11",
    versions={"numpy": "2.0"},
    commit=None,
)


@pytest.fixture
def report() -> BenchReport:
    return BenchReport(
        rows=(LIGHT, ROW),
        maps=(MapNote(320, "dbrt-lite", ((720, 1280),) * 2, (4, 9)),),
        provenance=Provenance(
            machine=MACHINE,
            date="2026-01-01T00:00:00+00:00",
            rounds=2,
            rounds_asked=2,
            passes=3,
            threads="2",
            reasons=("openvino with bf16",),
            load_before=(0.1, 0.1, 0.1),
            load_after=None,
        ),
    )


def table_cells(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_markdown_has_a_line_a_row_with_published_figures_beside(report: BenchReport) -> None:
    cells = table_cells(markdown(report))
    assert cells[0] == list(COLUMNS)
    assert cells[2][:3] == ["MobileNetV2 light", "320", "dbrt-lite"]
    assert cells[2][-2:] == ["", ""]
    assert cells[3] == [
        *("ResNet-50", "320", "seeded random, not trained", "openvino bf16"),
        *("27.2", "26.0 to 40.0", "0.75", "0.50 to 1.00", "34.5", "13.3", "2.9"),
    ]


def test_markdown_has_the_provenance_and_escapes_bars(report: BenchReport) -> None:
    facts = dict(cells for cells in table_cells(markdown(report)) if len(cells) == 2)
    assert facts["cpu"] == "Some CPU \\| with a bar"
    assert facts["numpy"] == "2.0"
    assert facts["commit"] == "not a checkout"
    assert facts["rounds"] == "2, each of 3 passes"
    assert facts["load after"] == "unknown"


def test_csv_repeats_the_provenance_in_each_row(report: BenchReport) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(report))))
    assert [row["network_ms"] for row in rows] == ["27.25", "27.25"]
    assert [row["published_network_ms"] for row in rows] == ["", "13.3"]
    assert {row["run_cpu"] for row in rows} == {MACHINE.cpu}
    assert rows[0]["fps"] == "34.48"


def test_json_is_plain_and_has_the_names_of_the_csv(report: BenchReport) -> None:
    found = json.loads(json.dumps(report.to_dict()))
    assert set(found["rows"][0]) < set(csv_text(report).splitlines()[0].split(","))
    assert found["rows"][0]["published_post_ms"] is None
    assert found["provenance"]["machine"]["cores"] == 2
    assert found["maps"][0]["regions"] == [4, 9]


def test_notes_say_what_is_in_the_figures(report: BenchReport) -> None:
    text = "\n".join(notes(report))
    assert "medians of 6 passes; in each of 2 rounds all rows" in text
    assert "1000 / (letterbox + network + post)" in text
    assert "of another machine (an RTX 2080 Ti" in text
    assert "dbrt-lite makes of 2 frames of the sample clip (1280x720" in text
    assert "4 to 9 at 320" in text
    assert "Random weights" in text
    assert "busy" not in text
    assert "The time was up" not in text


def test_a_table_of_trained_networks_says_nothing_of_random_ones(report: BenchReport) -> None:
    assert "Random" not in "\n".join(notes(replace(report, rows=(LIGHT,))))


def test_a_busy_machine_is_named(report: BenchReport) -> None:
    run = replace(report.provenance, load_before=(3.21, 1.0, 1.0))
    assert "busy with other work (load 3.2" in "\n".join(notes(replace(report, provenance=run)))


def test_rounds_that_were_left_out_are_named(report: BenchReport) -> None:
    run = replace(report.provenance, rounds_asked=5)
    text = "\n".join(notes(replace(report, provenance=run)))
    assert "The time was up after 2 of 5 rounds" in text
