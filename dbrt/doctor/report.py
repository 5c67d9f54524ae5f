"""Report: everything that was found out, in the order in which it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dbrt.doctor.finding import Finding, State
from dbrt.doctor.machine import examine_machine
from dbrt.doctor.packages import examine_install
from dbrt.doctor.watch import Watch

SCHEMA = "dbrt.doctor/1"
PARTS = ("install", "machine", "gpu", "runners", "video", "cache")


@dataclass(frozen=True)
class Report:
    """The findings, by part and in order.

    auto  what `auto` takes; its state says whether anything can run
    """

    findings: tuple[Finding, ...]
    auto: Finding

    @property
    def can_run(self) -> bool:
        """Whether `auto` finds a model and a runner for it."""
        return self.auto.state is State.OK

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: `parts` holds what the table shows, by the same names."""
        parts: dict[str, dict[str, Any]] = {part: {} for part in PARTS}
        for finding in self.findings:
            values = finding.to_dict()
            del values["part"], values["name"]
            parts[finding.part][finding.name] = values
        auto = self.auto.to_dict()
        del auto["part"], auto["name"]
        return {"schema": SCHEMA, "ok": self.can_run, "auto": auto, "parts": parts}


def examine(start: Callable[[], Watch] = Watch) -> Report:
    """Look at the whole machine; about a second, and never much longer than the time limit."""
    watch = start()  # the slow half runs while this process looks at files
    found = _safely("install", examine_install) + _safely("machine", examine_machine)
    found += _safely("cache", _examine_cache)
    found += watch.collect()
    auto = next((f for f in found if (f.part, f.name) == ("runners", "auto")), None)
    if auto is None:
        auto = Finding("runners", "auto", State.BROKEN, "was not found out")
    others = [f for f in found if f is not auto]
    return Report(tuple(sorted(others, key=lambda f: PARTS.index(f.part))), auto)


def _examine_cache() -> list[Finding]:
    from dbrt.doctor.store import examine_cache

    return [examine_cache()]


def _safely(part: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """Return what `look` finds; its own failure is a finding."""
    try:
        return look()
    except Exception as exc:  # the report is for machines on which anything may be broken
        reason = " ".join(f"{type(exc).__name__}: {exc}".split())
        return [Finding(part, part, State.BROKEN, reason)]
