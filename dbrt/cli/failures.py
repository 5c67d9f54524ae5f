"""What a failure becomes on the command line: an exit code and one line that says what to do.

| raised | code | line |
| --- | --- | --- |
| DbrtError | its own | its message |
| click.UsageError | 2 | click's message and which --help to read |
| KeyboardInterrupt, click.Abort | 130 | stopped |
| SIGTERM | 143 | stopped |
| BrokenPipeError: the reader of standard output has gone, as with `head` | 141 | none |
| OSError: the disk is full | 7 | which file |
| anything else | 1 | a bug, and where to report it |
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click

from dbrt.errors import DISK_FULL, DbrtError, OutputError

REPORT = "run it again with --debug and report what it prints to the project's issue tracker"
INTERRUPTED, TERMINATED, PIPE_CLOSED, BUG = 128 + 2, 128 + 15, 128 + 13, 1


class TerminatedError(KeyboardInterrupt):
    """SIGTERM arrived; a KeyboardInterrupt, so that what cleans up after Ctrl-C cleans up here."""


@contextmanager
def sigterm_as_exception() -> Iterator[None]:
    """Raise TerminatedError in the main thread when SIGTERM arrives.

    Does nothing outside the main thread, where Python sets no handlers.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: object) -> None:
        raise TerminatedError

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        # None: a library had set it, past Python; the default is the nearest that can be put back.
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def exit_code_and_line(exc: BaseException) -> tuple[int, str]:
    """Return the exit code of `exc` and its line for standard error ("" where it needs none)."""
    code, text = _stopped(exc) or _expected(exc) or (BUG, _bug(exc))
    if isinstance(exc, click.exceptions.NoArgsIsHelpError):
        return code, text  # the whole help
    return code, " ".join(f"dbrt: {text}".split()) if text else ""


def _stopped(exc: BaseException) -> tuple[int, str] | None:
    """Return the code and text of what somebody outside ended."""
    if isinstance(exc, BrokenPipeError):
        _discard_stdout()
        return PIPE_CLOSED, ""
    if isinstance(exc, TerminatedError):
        return TERMINATED, "stopped"
    if isinstance(exc, KeyboardInterrupt | click.Abort):
        return INTERRUPTED, "stopped"
    return None


def _expected(exc: BaseException) -> tuple[int, str] | None:
    """Return the code and text of what the user can mend."""
    if isinstance(exc, DbrtError):
        return exc.exit_code, str(exc)
    if isinstance(exc, click.ClickException):
        return exc.exit_code, _usage(exc)
    if isinstance(exc, OSError) and exc.errno in DISK_FULL:
        if not exc.filename:
            _discard_stdout()
        where = exc.filename or "the output"
        text = f"{where} can't be written, the disk is full: free some space or write elsewhere"
        return OutputError.exit_code, text
    return None


def _bug(exc: BaseException) -> str:
    return f"this is a bug: {type(exc).__name__}: {exc}; {REPORT}"


def _usage(exc: click.ClickException) -> str:
    """Click's message as part of a line of ours: no capital, no full stop, and where to read on."""
    if isinstance(exc, click.exceptions.NoArgsIsHelpError):
        return exc.format_message()
    if isinstance(exc, click.NoSuchOption):
        near = f"; did you mean {exc.possibilities[0]}?" if exc.possibilities else ""
        message = f"no such option {exc.option_name}{near}"
    else:
        message = exc.format_message()
        message = (message[:1].lower() + message[1:]).rstrip(".")
    ctx = exc.ctx if isinstance(exc, click.UsageError) else None
    if ctx is None:
        return message
    return f"{message}{'' if message.endswith('?') else ';'} see {ctx.command_path} --help"


def _discard_stdout() -> None:
    """Send nowhere what is still buffered, or the interpreter complains about it when it exits."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # standard output is not a file: nothing is written at exit
        return
