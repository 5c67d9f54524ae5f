"""The progress of a build: told to the caller, and stopped when the caller wants it stopped.

The library calls a monitor on the thread that builds, and swallows what a callback raises. So the
callbacks raise nothing: an exception is kept, the build cancelled, and the exception raised again
when the library has come back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from dbrt.engine.runner import OnProgress


class BuildProgress:
    """Follows the nested phases of one build.

    Told by the building thread, cancelled by any other.
    """

    def __init__(self, on_progress: OnProgress) -> None:
        self._on_progress = on_progress
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._phases: dict[str, int] = {}  # running, outermost first; steps of each

    @property
    def cancelled(self) -> bool:
        """Whether the build was told to stop."""
        return self._stop.is_set()

    def cancel(self) -> None:
        """Let the build end at its next step."""
        self._stop.set()

    def start(self, phase: str, steps: int) -> None:
        """Enter a phase within those that run."""
        self._phases[phase] = steps
        self._tell(phase, 0)

    def step(self, phase: str, step: int) -> bool:
        """Note a step of `phase`; False stops the build."""
        self._tell(phase, step + 1)
        return not self.cancelled

    def finish(self, phase: str) -> None:
        """Leave a phase."""
        self._phases.pop(phase, None)

    def run(self, work: Callable[[], Any]) -> Any:
        """Do `work` on a thread of its own and return what it returns.

        On a thread of its own, because Ctrl-C raises in the main thread, in whatever Python code
        runs there: in a callback of the library it would be lost. What is raised here, there or in
        `on_progress` cancels the build, is raised when the work has ended, and nothing else is.
        """
        results: list[Any] = []
        go, ended = threading.Event(), threading.Event()
        started = False

        def build() -> None:
            go.wait()
            try:
                if not self.cancelled:
                    results.append(work())
            except BaseException as exc:
                self._failure = self._failure or exc
            finally:
                ended.set()

        thread = threading.Thread(target=build, name="dbrt-tensorrt-build", daemon=True)
        try:
            # Ctrl-C may come within `start`, when there is no telling whether the thread runs: so
            # it begins only when told to.
            thread.start()
            started = True
            go.set()
            # Not `join`: interrupted by Ctrl-C, it takes the thread for ended (CPython 3.11).
            ended.wait()
        except BaseException:
            self.cancel()
            go.set()
            if started:
                ended.wait()
            raise
        thread.join()
        if self._failure is not None:
            raise self._failure
        return results[0]

    def _tell(self, phase: str, done: int) -> None:
        # The outermost phase lasts as long as the build; those within it say where it is.
        try:
            self._on_progress(phase, done, self._phases.get(phase, 0))
        except BaseException as exc:
            self._failure = exc
            self.cancel()


def make_monitor(module: Any, progress: BuildProgress) -> Any:
    """Make the object that the library reports to; None where it has none (TensorRT 8.6)."""
    if not hasattr(module, "IProgressMonitor"):
        return None

    class Monitor(module.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            module.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            progress.start(phase_name, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return progress.step(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            progress.finish(phase_name)

    return Monitor()
