"""The watch over the probes: none of them may end, hang or delay the report."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dbrt.doctor import child
from dbrt.doctor.finding import Finding, State
from dbrt.doctor.watch import Watch, start_child

GOOD = Finding("gpu", "driver", State.OK, "580", data={"version": "580"})

# Stands in for dbrt.doctor.child: does to each probe what its name in the plan says.
SCRIPT = """
import json, os, sys, threading
plan = json.loads(os.environ["PLAN"])
with open(os.environ["STARTS"], "a") as log:
    log.write(" ".join(sys.argv[1:]) + "\\n")
for name in sys.argv[1:]:
    print(json.dumps({"start": name}), flush=True)
    print("a library chats", flush=True)
    what = plan.get(name, "good")
    if what == "abort":
        os.abort()
    if what == "exit":
        os._exit(3)
    if what == "hang":
        threading.Event().wait()
    if what == "fail":
        print(json.dumps({"failed": name, "reason": "OSError: no"}), flush=True)
    else:
        found = {"part": "gpu", "name": name, "state": "ok", "text": "t", "remedy": "", "data": {}}
        print(json.dumps({"done": name, "findings": [found]}), flush=True)
"""


@pytest.fixture
def watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Watch]:
    script = tmp_path / "child.py"
    script.write_text(SCRIPT)
    monkeypatch.setenv("STARTS", str(tmp_path / "starts"))

    def make(plan: dict[str, str], **limits: float) -> Watch:
        monkeypatch.setenv("PLAN", json.dumps(plan))
        limits = {"probe_limit_s": 60, "total_limit_s": 60, **limits}
        start = partial(start_child, command=(sys.executable, str(script)))
        return Watch(["auto", "driver", "openvino"], start=start, **limits)

    return make


def states(findings: list[Finding]) -> dict[str, str]:
    return {finding.name: str(finding.state) for finding in findings}


def starts(tmp_path: Path) -> list[str]:
    return (tmp_path / "starts").read_text().splitlines()


def test_all_probes_run_in_one_process(watch: Callable[..., Watch], tmp_path: Path) -> None:
    assert states(watch({}).collect()) == {"auto": "ok", "driver": "ok", "openvino": "ok"}
    assert starts(tmp_path) == ["auto driver openvino"]


@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize(
    ("what", "reason"), [("abort", "signal 6"), ("exit", "code 3")], ids=["killed", "left"]
)
def test_a_probe_that_ends_the_process_is_a_finding_and_the_others_run(
    what: str, reason: str, watch: Callable[..., Watch], tmp_path: Path
) -> None:
    found = watch({"driver": what}).collect()
    assert states(found) == {"auto": "ok", "driver": "broken", "openvino": "ok"}
    assert found[1].text == f"ended the process that asked it ({reason})"
    assert found[1].part == "gpu"
    assert starts(tmp_path) == ["auto driver openvino", "openvino"]


def test_a_probe_that_raises_is_a_finding_in_the_same_process(
    watch: Callable[..., Watch], tmp_path: Path
) -> None:
    found = watch({"auto": "fail", "openvino": "fail"}).collect()
    assert states(found) == {"auto": "broken", "driver": "ok", "openvino": "broken"}
    assert found[0].text == "OSError: no"
    assert len(starts(tmp_path)) == 1


def test_a_probe_that_hangs_is_ended(watch: Callable[..., Watch]) -> None:
    hanging = watch({"auto": "hang"}, probe_limit_s=1, total_limit_s=1)
    found = hanging.collect()
    assert set(states(found).values()) == {"broken"}
    assert "does not answer within" in found[0].text


class Scripted:
    """A child whose answers are given; None: no answer in time."""

    def __init__(self, answers: dict[str, Any], names: Sequence[str], log: list[Any]) -> None:
        self.answers = answers
        self.names = list(names)
        self.log = log

    def answer(self, limit_s: float) -> dict[str, Any] | None:
        name = self.names.pop(0)
        self.log.append((name, limit_s))
        if self.answers.get(name) == "hang":
            return None
        return {"done": name, "findings": [{**GOOD.to_dict(), "name": name}]}

    def end(self) -> str:
        self.log.append("end")
        return ""


def test_behind_a_probe_that_hangs_another_process_goes_on() -> None:
    log: list[Any] = []
    started: list[list[str]] = []

    def start(names: Sequence[str]) -> Scripted:
        started.append(list(names))
        return Scripted({"driver": "hang"}, names, log)

    names = ["auto", "driver", "openvino", "ffmpeg"]
    found = Watch(names, start=start, probe_limit_s=5, total_limit_s=60).collect()
    assert states(found) == {"auto": "ok", "driver": "broken", "openvino": "ok", "ffmpeg": "ok"}
    assert found[1].text == "does not answer within 5 s"
    assert started == [names, ["openvino", "ffmpeg"]]
    assert log.count("end") == 2


def test_when_all_time_is_gone_the_rest_is_not_asked() -> None:
    log: list[Any] = []
    watch = Watch(
        ["auto", "driver"],
        start=lambda names: Scripted({}, names, log),
        probe_limit_s=5,
        total_limit_s=0,
    )
    assert set(states(watch.collect()).values()) == {"broken"}
    assert log == ["end", "end", "end"]


def test_the_child_tells_each_probe_and_goes_on_after_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> list[Finding]:
        raise OSError("two\nlines")

    probes = {"a": ("gpu", fail), "b": ("gpu", lambda: [GOOD])}
    monkeypatch.setattr(child, "PROBES", probes)
    out = io.StringIO()
    child.run_probes(["a", "b"], out)
    assert [json.loads(line) for line in out.getvalue().splitlines()] == [
        {"start": "a"},
        {"failed": "a", "reason": "OSError: two lines"},
        {"start": "b"},
        {"done": "b", "findings": [GOOD.to_dict()]},
    ]


def test_a_finding_survives_the_way_through_json() -> None:
    assert Finding.from_dict(json.loads(json.dumps(GOOD.to_dict()))) == GOOD
