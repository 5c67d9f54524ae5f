from __future__ import annotations

import pytest

from dbrt.doctor import report
from dbrt.doctor.finding import Finding, State
from dbrt.doctor.report import PARTS, examine

AUTO = Finding("runners", "auto", State.OK, "openvino")
DRIVER = Finding("gpu", "driver", State.MISSING, "none", "install it")


class Watch:
    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings

    def collect(self) -> list[Finding]:
        return self.findings


def test_findings_stand_by_part() -> None:
    found = examine(lambda: Watch([AUTO, DRIVER]))  # type: ignore[arg-type,return-value]
    parts = [finding.part for finding in found.findings]
    assert parts == sorted(parts, key=PARTS.index)
    assert found.can_run
    told = found.to_dict()
    assert (told["schema"], told["ok"]) == ("dbrt.doctor/1", True)
    assert told["parts"]["gpu"]["driver"] == {
        "state": "missing",
        "text": "none",
        "remedy": "install it",
        "data": {},
    }
    assert "auto" not in told["parts"]["runners"]
    assert told["auto"]["text"] == "openvino"


@pytest.mark.parametrize(
    "findings",
    [[], [Finding("runners", "auto", State.BROKEN, "no runner")]],
    ids=["no answer", "nothing runs"],
)
def test_without_a_runner_it_is_not_well(findings: list[Finding]) -> None:
    found = examine(lambda: Watch(findings))  # type: ignore[arg-type,return-value]
    assert not found.can_run
    assert found.to_dict()["ok"] is False


@pytest.mark.parametrize("name", ["examine_install", "examine_machine", "_examine_cache"])
def test_a_part_that_fails_is_a_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[Finding]:
        raise RuntimeError("unforeseen\nthing")

    monkeypatch.setattr(report, name, fail)
    found = examine(lambda: Watch([AUTO]))  # type: ignore[arg-type,return-value]
    (broken,) = [f for f in found.findings if f.state is State.BROKEN]
    assert broken.text == "RuntimeError: unforeseen thing"
    assert found.can_run
