"""The figures of `dbrt bench postproc` as text, Markdown, CSV and a plot."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from dbrt.benchmarks.machine import BUSY_LOAD
from dbrt.benchmarks.postproc import CONTOURS, FLOOR, RAPIDOCR, PostprocRow
from dbrt.benchmarks.postproc_report import PostprocReport, Ratio, cells, ratios
from dbrt.benchmarks.rendering import markdown_line, provenance
from dbrt.errors import OutputError
from dbrt.evaluation.plot import require_matplotlib


def table(report: PostprocReport) -> list[list[str]]:
    """Heading and rows: a contender each, a column for each size and kind of map."""
    groups = cells(report.rows)
    heading = ["milliseconds"]
    for size, kind, fewest, most, _ in groups:
        regions = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        heading.append(f"{size} {kind}, {regions} regions")
    names = list(dict.fromkeys(row.contender for row in report.rows))
    return [heading] + [[name, *(f"{times[name]:.3f}" for *_, times in groups)] for name in names]


def notes(report: PostprocReport) -> list[str]:
    """Return what a reader has to know, and the ratios, a line each."""
    run, used, scaling = report.provenance, report.thresholds, report.scaling
    lines = [
        f"Medians over the maps of a column; each map's time is the median of {run.rounds} turns, "
        "in which all contenders follow each other, in another order each time.",
        f"Maps: what {report.model} makes of eight frames of the sample clip (ordinary) and three "
        f"drawn pages (dense), square; binarize {used.binarize:g}, least score "
        f"{used.min_score:g}, unclip {used.unclip_ratio:g} for all.",
        f"{CONTOURS}: on the map thresholded before. {FLOOR}: one reading of the map.",
        *(
            f"{one.peer} takes {one.times:.2f} times as long as {one.ours} ({one.least:.2f} to "
            f"{one.most:.2f}; {one.which}, {one.maps} maps, geometric mean).{_goal(one)}"
            for one in ratios(report.rows)
        ),
        f"{scaling.threads} maps by {scaling.threads} threads on {scaling.cores} cores: "
        f"{scaling.all_ms:.3f} ms at once, {scaling.one_ms:.3f} ms one after the other, "
        f"{scaling.one_ms / scaling.all_ms:.2f} times as quick.",
        f"From the start of a process to its first decoded map: {report.first_map_s:.2f} s with "
        f"kernels in the cache, {report.first_map_cold_s:.1f} s where they are compiled first.",
    ]
    if all(row.contender != RAPIDOCR for row in report.rows):
        lines.append("RapidOCR is not installed: python -m pip install 'dbrt[bench]' adds it.")
    if run.load_before is not None and run.load_before[0] > BUSY_LOAD:
        lines.append(
            f"The machine was busy with other work (load {run.load_before[0]:.1f} before the "
            "run): the times are longer than on a free one."
        )
    return lines


def _goal(ratio: Ratio) -> str:
    if ratio.goal is None:
        return ""
    limit = "at least" if ratio.at_least else "at most"
    return f" Goal: {limit} {ratio.goal:g}, {'reached' if ratio.reached else 'not reached'}."


def markdown(report: PostprocReport) -> str:
    """Return table, notes and provenance as a Markdown page."""
    heading, *rows = table(report)
    rule = markdown_line("---" if k == 0 else "---:" for k in range(len(heading)))
    body = "\n".join(markdown_line(row) for row in rows)
    listed = "\n".join(f"- {note}" for note in notes(report))
    facts = "\n".join(markdown_line(pair) for pair in provenance(report).items())
    return (
        "# dbrt bench postproc\n\n"
        f"{markdown_line(heading)}\n{rule}\n{body}\n\n{listed}\n\n"
        f"## Where and when\n\n| what | value |\n| --- | --- |\n{facts}\n"
    )


def csv_text(report: PostprocReport) -> str:
    """Return one line for each map and contender; the provenance is repeated in each."""
    facts = {f"run_{key.replace(' ', '_')}": value for key, value in provenance(report).items()}
    rows = [{**row.to_dict(), "model": report.model, **facts} for row in report.rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_plot(report: PostprocReport, path: Path) -> None:
    """Draw time against regions, both logarithmic: a line each contender, reading as the floor.

    Of the largest size only. Raises RunnerError without matplotlib, OutputError where the file
    can't be written or its ending is none that matplotlib draws.
    """
    require_matplotlib()
    from matplotlib.figure import Figure  # type: ignore[import-not-found, unused-ignore]

    size = max(row.size for row in report.rows)
    rows = [row for row in report.rows if row.size == size and row.regions > 0]
    figure = Figure(figsize=(7.5, 5), layout="constrained")
    axes = figure.subplots()
    for name in dict.fromkeys(row.contender for row in rows):
        _draw_line(axes, name, [row for row in rows if row.contender == name])
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="regions in the map",
        ylabel="milliseconds",
        title=f"Decoding a {size} x {size} map, one core",
    )
    axes.grid(which="both", alpha=0.25)
    axes.legend(fontsize="small")
    try:
        figure.savefig(path, dpi=110, metadata={"Date": None} if path.suffix == ".svg" else None)
    except (OSError, ValueError) as exc:
        raise OutputError(f"{path} can't be written: {exc}") from None


def _draw_line(axes: Any, name: str, rows: list[PostprocRow]) -> None:
    points = sorted((row.regions, row.spread.median_ms) for row in rows)
    if name == FLOOR:
        floor = min(time for _, time in points)
        axes.axhline(floor, color="0.4", linestyle="--", label=f"{name}: the memory floor")
    else:
        axes.plot(*zip(*points, strict=True), marker="o", markersize=4, label=name)
