"""Runs the probes in a child process, and goes on behind one that killed or hung it."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import IO, Any, Protocol

from dbrt.doctor.finding import Finding, State
from dbrt.doctor.probes import PROBES

# A library of 200 MB that is read from a cold disk takes seconds. All together stay below the 20 s
# that the health checks of docker/ allow.
PROBE_LIMIT_S = 8.0
TOTAL_LIMIT_S = 15.0

COMMAND = (sys.executable, "-m", "dbrt.doctor.child")
TIMED_OUT = "does not answer within {:g} s"


class Answers(Protocol):
    """What is asked of a child."""

    def answer(self, limit_s: float) -> dict[str, Any] | None:
        """Return the next result; None where it has ended or does not answer in time."""

    def end(self) -> str:
        """End it; return how it ended by itself, "" where it did not."""


class Watch:
    """One round of probes. Start it, do something else, then collect.

    start  starts the child that runs the probes of these names
    """

    def __init__(
        self,
        names: Sequence[str] = tuple(PROBES),
        *,
        start: Callable[[Sequence[str]], Answers] | None = None,
        probe_limit_s: float | None = None,
        total_limit_s: float | None = None,
    ) -> None:
        self._left = list(names)
        self._start = start or start_child
        self._probe_limit_s = PROBE_LIMIT_S if probe_limit_s is None else probe_limit_s
        total_limit_s = TOTAL_LIMIT_S if total_limit_s is None else total_limit_s
        self._end_s = time.monotonic() + total_limit_s
        self._child = self._start(self._left)

    def collect(self) -> list[Finding]:
        """Wait for the probes and return what they found; a failed one is a finding too.

        Ends after the time limit, whatever the child does; no child is left behind.
        """
        found: list[Finding] = []
        try:
            while self._left:
                found += self._next()
        finally:
            self._child.end()
        return found

    def _next(self) -> list[Finding]:
        """Return the findings of the next probe."""
        name = self._left[0]
        limit_s = min(self._probe_limit_s, self._end_s - time.monotonic())
        message = self._child.answer(limit_s) if limit_s > 0 else None
        self._left.pop(0)
        if message is not None and message.get("done") == name:
            return [Finding.from_dict(values) for values in message["findings"]]
        if message is not None and message.get("failed") == name:
            return [_broken(name, message["reason"])]
        reason = self._child.end()
        if self._left and self._end_s > time.monotonic():
            self._child = self._start(self._left)
        return [_broken(name, reason or TIMED_OUT.format(max(limit_s, 0)))]


def start_child(names: Sequence[str], command: Sequence[str] = COMMAND) -> Answers:
    """Start `command` on the probes of these names."""
    return _Child([*command, *names])


class _Child:
    """The process, and a thread that reads what it says."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        if self._process.stdout is None:
            raise ValueError("the child has no standard output")
        self._messages: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        arguments = (self._process.stdout, self._messages)
        self._reader = threading.Thread(
            target=_read, args=arguments, name="dbrt-doctor-reader", daemon=True
        )
        self._reader.start()

    def answer(self, limit_s: float) -> dict[str, Any] | None:
        end_s = time.monotonic() + limit_s
        while (left_s := end_s - time.monotonic()) > 0:
            try:
                message = self._messages.get(timeout=left_s)
            except queue.Empty:
                return None
            if message is None or "start" not in message:
                return message
        return None

    def end(self) -> str:
        # It says nothing more after its last line; a moment, so that its code can be read.
        try:
            code = self._process.wait(0 if self._reader.is_alive() else 1)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            code = None
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        if code is None:
            return ""
        how = f"signal {-code}" if code < 0 else f"code {code}"
        return f"ended the process that asked it ({how})"


def _read(stdout: IO[str], messages: queue.SimpleQueue[dict[str, Any] | None]) -> None:
    for line in stdout:
        try:
            message = json.loads(line)
        except ValueError:
            continue
        if isinstance(message, dict):
            messages.put(message)
    messages.put(None)


def _broken(name: str, reason: str) -> Finding:
    return Finding(PROBES[name][0], name, State.BROKEN, reason)
