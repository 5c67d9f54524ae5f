from __future__ import annotations

import signal
import threading

import pytest

from dbrt.engine.tensorrt.monitor import BuildProgress


class _FaultError(Exception):
    pass


def test_phases_are_told_with_their_steps() -> None:
    told: list[tuple[str, int, int]] = []
    progress = BuildProgress(lambda *phase: told.append(phase))
    progress.start("Building", 2)
    progress.start("Timing", 3)
    assert progress.step("Timing", 0)
    progress.finish("Timing")
    assert progress.step("Building", 1)
    assert told == [("Building", 0, 2), ("Timing", 0, 3), ("Timing", 1, 3), ("Building", 2, 2)]


def test_the_work_is_done_on_a_thread_of_its_own() -> None:
    name = BuildProgress(lambda *_: None).run(lambda: threading.current_thread().name)
    assert name == "dbrt-tensorrt-build"


def test_what_the_work_raises_is_raised() -> None:
    def fail() -> None:
        raise _FaultError

    with pytest.raises(_FaultError):
        BuildProgress(lambda *_: None).run(fail)


def test_a_fault_of_the_callback_cancels_and_is_raised_in_the_end() -> None:
    def show(phase: str, done: int, total: int) -> None:
        raise _FaultError

    progress = BuildProgress(show)

    def work() -> str:
        progress.start("Building", 1)  # raises nothing: the library would swallow it
        return "cancelled" if not progress.step("Building", 0) else "went on"

    with pytest.raises(_FaultError):
        progress.run(work)
    assert progress.cancelled


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no POSIX signals here")
def test_ctrl_c_cancels_and_waits_for_the_build() -> None:
    progress = BuildProgress(lambda *_: None)
    main = threading.main_thread().ident
    ended = []

    def work() -> None:
        assert main is not None
        signal.pthread_kill(main, signal.SIGINT)
        while progress.step("Building", 0):
            pass
        ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        progress.run(work)
    assert ended
