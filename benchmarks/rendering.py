"""The table in the forms people and programs read: rich, Markdown, CSV."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from dbrt.benchmarks.machine import BUSY_LOAD, Load
from dbrt.benchmarks.networks import UNTRAINED
from dbrt.benchmarks.published import MACHINE
from dbrt.benchmarks.report import BenchReport, BenchRow, HasProvenance, MapNote
from dbrt.errors import unwritable

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = (
    "network",
    "size",
    "weights",
    "runner",
    "network ms",
    "p10 to p90",
    "post ms",
    "p10 to p90",
    "FPS",
    "published network ms",
    "published post ms",
)
LEFT = ("network", "weights", "runner")  # the others are figures, aligned right


def rich_table(report: BenchReport) -> Table:
    """Return the table for a terminal."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    for column in COLUMNS:
        # The widest headings stand over short figures: two lines keep the table narrow.
        heading = column.replace("published ", "published\n")
        table.add_column(heading, justify="left" if column in LEFT else "right")
    for row in report.rows:
        table.add_row(*_cells(row))
    return table


def notes(report: BenchReport) -> list[str]:
    """Return what a reader has to know about the figures, one sentence or two a line."""
    run = report.provenance
    samples = run.rounds * run.passes
    lines = [
        f"Network and post: medians of {samples} passes; in each of {run.rounds} round"
        f"{'' if run.rounds == 1 else 's'} all rows take turns; one frame at a time.",
        "FPS: 1000 / (letterbox + network + post), of the medians; reading frames is not in it.",
        *_map_lines(report.maps),
        f"Published: of another machine (an {MACHINE}, a GPU) and another program; "
        "empty where nothing was published.",
    ]
    if any(row.weights == UNTRAINED for row in report.rows):
        lines.append("Random weights take the time of trained ones and find nothing.")
    if run.rounds < run.rounds_asked:
        lines.append(
            f"The time was up after {run.rounds} of {run.rounds_asked} rounds: leave out --quick, "
            "or give --rounds, for all of them."
        )
    if run.load_before is not None and run.load_before[0] > BUSY_LOAD:
        lines.append(
            f"The machine was busy with other work (load {run.load_before[0]:.1f} before the "
            "run): the times are longer than on a free one."
        )
    return lines


def markdown(report: BenchReport) -> str:
    """Return the table, its notes and its provenance as a Markdown page."""
    rows = "\n".join(markdown_line(_cells(row)) for row in report.rows)
    rule = markdown_line("---" if column in LEFT else "---:" for column in COLUMNS)
    facts = "\n".join(markdown_line(pair) for pair in provenance(report).items())
    listed = "\n".join(f"- {note}" for note in notes(report))
    return (
        "# dbrt bench\n\n"
        f"{markdown_line(COLUMNS)}\n{rule}\n{rows}\n\n{listed}\n\n"
        f"## Where and when\n\n| what | value |\n| --- | --- |\n{facts}\n"
    )


def csv_text(report: BenchReport) -> str:
    """Return one line a row; the provenance is repeated in each, so that files can be joined."""
    facts = {f"run_{key.replace(' ', '_')}": value for key, value in provenance(report).items()}
    rows = [{**row.to_dict(), **facts} for row in report.rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_text(path: Path, text: str) -> None:
    """Write a file; raises OutputError where that fails."""
    try:
        path.write_text(text, "utf-8")
    except OSError as exc:
        with contextlib.suppress(OSError):  # half a table would pass for a whole one
            if path.is_file():  # a device stays
                path.unlink()
        raise unwritable(path, exc) from None


def provenance(report: HasProvenance) -> dict[str, str]:
    """Return the provenance as texts, in the order in which they are shown."""
    run, machine = report.provenance, report.provenance.machine
    memory = "unknown" if machine.memory_gib is None else f"{machine.memory_gib:g} GiB"
    return {
        "date": run.date,
        "cpu": machine.cpu,
        "cores": str(machine.cores),
        "cpu flags": " ".join(machine.cpu_flags) or "none of those looked for",
        "memory": memory,
        "os": machine.os,
        "python": machine.python,
        **machine.versions,
        "commit": machine.commit or "not a checkout",
        "runners": "; ".join(run.reasons),
        "threads": run.threads,
        "rounds": f"{run.rounds}, each of {run.passes} passes",
        "load before": _load(run.load_before),
        "load after": _load(run.load_after),
    }


def _cells(row: BenchRow) -> tuple[str, ...]:
    published = row.published
    return (
        row.network,
        str(row.size),
        row.weights,
        f"{row.runner} {row.precision}",
        f"{row.infer.median_ms:.1f}",
        f"{row.infer.p10_ms:.1f} to {row.infer.p90_ms:.1f}",
        f"{row.post.median_ms:.2f}",
        f"{row.post.p10_ms:.2f} to {row.post.p90_ms:.2f}",
        f"{row.fps:.1f}",
        "" if published is None else f"{published.network_ms:.1f}",
        "" if published is None else f"{published.post_ms:.1f}",
    )


def _map_lines(maps: tuple[MapNote, ...]) -> list[str]:
    """Say what was decoded: it decides how long decoding takes."""
    model = maps[0].model
    sizes = sorted({f"{width}x{height}" for note in maps for height, width in note.frame_sizes})
    regions = ", ".join(
        f"{min(note.regions)} to {max(note.regions)} at {note.size}" for note in maps
    )
    return [
        f"Post: the maps that {model} makes of {len(maps[0].regions)} frames of the sample clip "
        f"({', '.join(sizes)}, letterboxed), the same for all networks of a size; "
        f"regions a map: {regions}."
    ]


def _load(load: Load | None) -> str:
    return "unknown" if load is None else " ".join(f"{value:.2f}" for value in load)


def markdown_line(cells: Iterable[str]) -> str:
    """Return one row of a Markdown table."""
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
