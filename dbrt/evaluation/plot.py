"""The precision-recall curve as a picture."""

from __future__ import annotations

import importlib
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dbrt.errors import OutputError, RunnerError, UsageError
from dbrt.evaluation.entry import Entry
from dbrt.evaluation.report import harmonic_mean
from dbrt.evaluation.whole_file import write_whole

SUFFIXES = (".png", ".svg", ".pdf")
_HMEANS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)  # contours


def require_matplotlib() -> None:
    """Raise RunnerError where matplotlib is missing."""
    try:
        importlib.import_module("matplotlib")
    except ImportError:
        raise RunnerError(
            "matplotlib, which draws the plot, is not installed: run "
            "python -m pip install 'dbrt[bench]' or leave out --plot"
        ) from None


def check_plot(path: Path, *, overwrite: bool = False) -> None:
    """Make sure, before any work is done, that the picture can be written.

    Raises RunnerError without matplotlib, UsageError for an ending that it does not draw,
    OutputError where the folder is missing or a file must not be replaced.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--plot {path}: end the name in {', '.join(SUFFIXES)}")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.parent}: make it or write elsewhere")
    if path.exists() and not overwrite:
        raise OutputError(f"{path}: is there already: write elsewhere or give --overwrite")
    require_matplotlib()


def write_curve(entries: Sequence[Entry], path: Path) -> None:
    """Draw precision over recall as the least score rises, a line each entry, over H-mean contours.

    A dot marks the least score that the report is for, a star the thresholds that were chosen,
    where they were.

    Raises RunnerError without matplotlib, InputError for detections without scores, OutputError
    where the file can't be written.
    """
    require_matplotlib()
    from matplotlib.figure import Figure  # type: ignore[import-not-found, unused-ignore]

    figure = Figure(figsize=(6.5, 6), layout="constrained")
    axes = figure.subplots()
    _draw_contours(axes)
    for entry in entries:
        _draw_entry(axes, entry)
    dataset = entries[0].dataset
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1),
        xlabel="recall",
        ylabel="precision",
        title=f"{dataset.name} {dataset.split or ''}".strip() + f", {len(dataset)} pictures",
        aspect="equal",
    )
    axes.legend(fontsize="small", loc="lower left")
    suffix = path.suffix.lower()
    data = io.BytesIO()
    metadata = {"Date": None} if suffix == ".svg" else None  # the same figures, the same file
    figure.savefig(data, format=suffix[1:], dpi=110, metadata=metadata)
    write_whole(path, data.getvalue())


def _draw_contours(axes: Any) -> None:
    recall = np.linspace(0.005, 1, 200)
    grid = np.meshgrid(recall, recall)
    lines = axes.contour(
        *grid, 2 * grid[0] * grid[1] / (grid[0] + grid[1]), _HMEANS, colors="0.85", linewidths=0.8
    )
    axes.clabel(lines, fontsize=7, colors="0.6", fmt="%g")


def _draw_entry(axes: Any, entry: Entry) -> None:
    reports = [report for report in entry.curve.reports if report.detections]
    recalls, precisions = [r.recall for r in reports], [r.precision for r in reports]
    report = entry.report
    figure = f"H-mean {harmonic_mean(report.precision, report.recall):.3f}"
    score = f" at {entry.min_score:.2f}" if np.isfinite(entry.min_score) else ""
    [line] = axes.plot(recalls, precisions, label=f"{entry.label}: {figure}{score}")
    axes.plot(report.recall, report.precision, marker="o", color=line.get_color())
    if entry.choice is not None:
        best = entry.choice.report
        options = ", ".join(f"{key} {value}" for key, value in entry.choice.options.items())
        axes.plot(
            best.recall,
            best.precision,
            marker="*",
            markersize=13,
            linestyle="none",
            color=line.get_color(),
            label=f"best here: H-mean {best.hmean:.3f} with\n{options}",
        )
