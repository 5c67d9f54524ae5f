"""The figures of an evaluation, or of several side by side, as text and as one JSON object."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from dbrt.evaluation.coverage import Coverage
from dbrt.evaluation.difference import CONFIDENCE, Change, Difference
from dbrt.evaluation.entry import Entry
from dbrt.evaluation.report import ORIENTATIONS, Band, Report
from dbrt.wording import counted

SCHEMA = "dbrt.evaluate/1"
COMPARISON_SCHEMA = "dbrt.evaluate.compare/1"

SHOWN_CHANGES = 5  # of the gains and of the losses, in the table; JSON has all

Row = tuple[str, Any]


def to_json(entry: Entry) -> dict[str, Any]:
    """Return one evaluation as one object."""
    return {"schema": SCHEMA, **_about(entry), **entry.to_dict()}


def comparison_to_json(
    entries: Sequence[Entry], differences: Sequence[Difference]
) -> dict[str, Any]:
    """Return several evaluations of the same pictures, and what each has more than the first."""
    first = entries[0]
    return {
        "schema": COMPARISON_SCHEMA,
        **_about(first),
        "entries": [{"label": entry.label, **entry.to_dict()} for entry in entries],
        "differences": [
            {"of": entry.label, "to": first.label, **difference.to_dict()}
            for entry, difference in zip(entries[1:], differences, strict=True)
        ],
    }


def lines(entry: Entry) -> Iterator[str]:
    """Yield the lines of one evaluation's table."""
    yield from _rows(
        [
            *_head(entry),
            *_source(entry),
            ("images", entry.report.images),
            *_figures(entry),
        ]
    )
    if entry.coverage is not None:
        yield ""
        yield from _rows(_coverage(entry.coverage))
    if entry.choice is not None:
        yield ""
        yield from _rows(_choice(entry))
    unit = entry.protocol.unit
    yield from _band_lines(unit, "text height", _heights(entry.report))
    yield from _band_lines(unit, "orientation", _orientations(entry.report))


def comparison_lines(entries: Sequence[Entry], differences: Sequence[Difference]) -> Iterator[str]:
    """Yield the lines of the table that compares several evaluations, a column for each.

    differences  of each entry but the first to the first
    """
    first = entries[0]
    yield from _rows([*_head(first), ("images", first.report.images)])
    yield ""
    yield from _columns(_comparison_table(entries, differences))
    for entry, difference in zip(entries[1:], differences, strict=True):
        yield ""
        yield from _difference_lines(first, entry, difference)


def _comparison_table(
    entries: Sequence[Entry], differences: Sequence[Difference]
) -> list[tuple[str, ...]]:
    unit = entries[0].protocol.unit
    reports = [entry.report for entry in entries]
    heads = ["difference"] if len(entries) == 2 else [f"less {entries[0].label}"] * len(differences)
    table: list[tuple[str, ...]] = [("", *(entry.label for entry in entries), *heads)]
    table.append(("regions", *(str(report.regions) for report in reports)))
    table.append((f"care {unit}s", *(str(report.care) for report in reports)))
    for name in ("precision", "recall", "hmean"):
        values = [f"{getattr(report, name):.4f}" for report in reports]
        changes = [f"{getattr(difference, name):+.4f}" for difference in differences]
        table.append((name, *values, *changes))
    for bands in (_heights, _orientations):
        for rows in zip(*(bands(report) for report in reports), strict=True):
            recalls = [band.recall for _, band in rows]
            changes = [f"{recall - recalls[0]:+.4f}" for recall in recalls[1:]]
            cells = (f"{recall:.4f}" for recall in recalls)
            table.append((f"recall {rows[0][0]}", *cells, *changes))
    return table


def _difference_lines(first: Entry, second: Entry, difference: Difference) -> Iterator[str]:
    verdict = (
        f"{second.label} is {'better' if difference.hmean > 0 else 'worse'}"
        if difference.is_clear
        else "too small to tell on these pictures"
    )
    yield (
        f"hmean of {second.label} less {first.label}: {difference.hmean:+.4f}, "
        f"{CONFIDENCE:.0%} interval {difference.low:+.4f} to {difference.high:+.4f}: {verdict}"
    )
    same = len(difference.changes) - len(difference.gains) - len(difference.losses)
    yield (
        f"{counted(len(difference.gains), 'picture')} better, {len(difference.losses)} worse, "
        f"{same} the same"
    )
    for title, changes in (("gains", difference.gains), ("losses", difference.losses)):
        for i, change in enumerate(changes[:SHOWN_CHANGES]):
            yield f"{f'greatest {title}' if i == 0 else '':<18}{_change(change)}"


def _change(change: Change) -> str:
    return f"{change.picture:<20}  hmean {change.first.hmean:.2f} to {change.second.hmean:.2f}"


def _about(entry: Entry) -> dict[str, Any]:
    dataset = entry.dataset
    return {"dataset": dataset.name, "split": dataset.split, "protocol": entry.protocol.name}


def _head(entry: Entry) -> list[Row]:
    dataset = entry.dataset
    return [
        ("dataset", " ".join(filter(None, (dataset.name, dataset.split)))),
        ("protocol", entry.protocol.name),
    ]


def _source(entry: Entry) -> list[Row]:
    source, truth = entry.source, entry.protocol.unit
    if "folder" in source:
        return [("detections", source["folder"])]
    size = "x".join(map(str, source["shape"])) if source["shape"] else f"size {source['size']}"
    rows = [("model", f"{source['model']} {size}"), ("runner", source["reason"])]
    if source["unit"] != truth:
        rows.append(("units", f"finds {source['unit']}s, truth is {truth}s: few can match"))
    return rows


def _figures(entry: Entry) -> list[Row]:
    report = entry.report
    return [
        ("regions", report.regions),
        (f"care {entry.protocol.unit}s", report.care),
        ("precision", f"{report.precision:.4f}"),
        ("recall", f"{report.recall:.4f}"),
        ("hmean", f"{report.hmean:.4f}"),
    ]


def _coverage(coverage: Coverage) -> list[Row]:
    shares = coverage.to_dict()
    return [
        ("covered", f"{shares['lines_covered']:.4f} of the lines, by more than half"),
        ("", f"{shares['area_covered']:.4f} of their area"),
        ("on text", f"{shares['detections_on_text']:.4f} of the detections, by more than half"),
    ]


def _choice(entry: Entry) -> list[Row]:
    assert entry.choice is not None
    report = entry.choice.report
    options = ", ".join(f"{key} {value}" for key, value in entry.choice.options.items())
    figures = f"precision {report.precision:.4f}, recall {report.recall:.4f}"
    return [
        ("best here", options),
        ("", f"hmean {report.hmean:.4f}, {figures}; of {entry.choice.tried} settings"),
    ]


def _heights(report: Report) -> list[tuple[str, Band]]:
    return [
        (
            f"{band.low:g} to {band.high:g} px"
            if band.high != float("inf")
            else f"{band.low:g} px up",
            band,
        )
        for band in report.bands
    ]


def _orientations(report: Report) -> list[tuple[str, Band]]:
    return [
        (f"{name}, {band.low:g} to {band.high:g} deg", band)
        for name, band in zip(ORIENTATIONS, report.angles, strict=True)
    ]


def _band_lines(unit: str, title: str, bands: list[tuple[str, Band]]) -> Iterator[str]:
    yield ""
    yield f"{title:<26}care {unit}s  recall"
    for name, band in bands:
        yield f"{name:<26}{band.care:>{6 + len(unit)}}  {band.recall:.4f}"


def _rows(rows: Sequence[Row]) -> Iterator[str]:
    for title, value in rows:
        yield f"{title:<12}{value}"


def _columns(table: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield the rows of a table, titles to the left, figures to the right."""
    count = max(map(len, table))
    rows = [(*row, *[""] * (count - len(row))) for row in table]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for title, *cells in rows:
        padded = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
        yield "  ".join([title.ljust(widths[0]), *padded]).rstrip()
