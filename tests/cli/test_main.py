"""`main`: every way a command ends becomes one code and, on standard error, one line."""

from __future__ import annotations

import errno
import signal
import subprocess
import sys
import types
from collections.abc import Callable

import click
import pytest

from dbrt import errors
from dbrt.cli import COMMANDS, main

ERRORS = [
    errors.UsageError,
    errors.InputError,
    errors.SourceError,
    errors.RunnerError,
    errors.EngineError,
    errors.OutputError,
    errors.TrainingError,
]


@pytest.fixture
def run_as_detect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run a function as the command `detect`, with one option of each kind, and return the code."""

    def run(body: Callable[[], object], *args: str) -> int:
        @click.command()
        @click.option("--size", type=int)
        @click.option("--source", required=False)
        def command(size: int | None, source: str | None) -> object:
            return body()

        module = types.ModuleType("dbrt.cli.detect")
        module.command = command  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "dbrt.cli.detect", module)
        return main(["detect", *args])

    return run


def raiser(exc: BaseException) -> Callable[[], object]:
    def body() -> object:
        raise exc

    return body


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: e.__name__)
def test_an_expected_failure_is_one_line_and_its_own_code(error, run_as_detect, capsys):
    code = run_as_detect(raiser(error("no text in a.jpg:\n  give another")))
    out, err = capsys.readouterr()
    assert (code, out) == (error.exit_code, "")
    assert err == "dbrt: no text in a.jpg: give another\n"


def test_a_bug_says_so_and_what_to_report(run_as_detect, capsys):
    assert run_as_detect(raiser(ValueError("three"))) == 1
    err = capsys.readouterr().err
    assert err.startswith("dbrt: this is a bug: ValueError: three; ")
    assert "--debug" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("where", ["--debug detect", "detect --debug"])
def test_debug_shows_the_traceback_and_then_the_line(where, run_as_detect, capsys):
    run_as_detect(lambda: None)  # puts the stand-in for `detect` in place
    assert run_as_detect(raiser(errors.InputError("cut short")), "--debug") == 3
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert err.endswith("dbrt: cut short\n")


def test_debug_after_two_dashes_is_an_argument(run_as_detect, capsys):
    assert run_as_detect(lambda: 0, "--", "--debug") == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_environment_asks_for_a_traceback_too(run_as_detect, monkeypatch, capsys):
    monkeypatch.setenv("DBRT_DEBUG", "1")
    run_as_detect(raiser(errors.InputError("cut short")))
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("returned", [0, 3], ids=["done", "partial"])
def test_a_code_that_a_command_returns_is_the_exit_code(returned, run_as_detect):
    assert run_as_detect(lambda: returned) == returned


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--foo"], "dbrt: no such option --foo; see dbrt --help"),
        (["--verison"], "dbrt: no such option --verison; did you mean --version? see dbrt --help"),
        (["strem"], "dbrt: no such command strem; did you mean stream? see dbrt --help"),
        (["xyzzy"], "dbrt: no such command xyzzy; see dbrt --help"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_a_usage_error_of_dbrt_is_one_line_that_says_where_to_read(args, line, capsys):
    assert main(args) == 2
    assert capsys.readouterr().err == line + "\n"


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["--foo"], "dbrt: no such option --foo; see dbrt detect --help"),
        (
            ["--siz", "3"],
            "dbrt: no such option --siz; did you mean --size? see dbrt detect --help",
        ),
        (
            ["--size", "big"],
            "dbrt: invalid value for '--size': 'big' is not a valid integer; "
            "see dbrt detect --help",
        ),
        (
            ["a.jpg"],
            "dbrt: got unexpected extra argument (a.jpg); see dbrt detect --help",
        ),
    ],
    ids=["option", "near-option", "value", "argument"],
)
def test_a_usage_error_of_a_command_is_one_line(args, line, run_as_detect, capsys):
    assert run_as_detect(lambda: None, *args) == 2
    assert capsys.readouterr().err == line + "\n"


def test_no_command_at_all_shows_the_help(capsys):
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().err


def test_help_names_every_command_and_imports_none(capsys):
    before = set(sys.modules)
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in shown] == []
    assert {f"dbrt.cli.{name}" for name in COMMANDS} & (set(sys.modules) - before) == set()


def test_ctrl_c_ends_with_130(run_as_detect, capsys):
    assert run_as_detect(raiser(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == "dbrt: stopped\n"


def test_sigterm_ends_with_143_and_cleans_up_as_ctrl_c_does(run_as_detect):
    cleaned = []

    def body() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            cleaned.append(True)
            raise

    before = signal.getsignal(signal.SIGTERM)
    assert run_as_detect(body) == 143
    assert cleaned == [True]
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_full_disk_is_one_line_with_the_file(run_as_detect, capsys):
    full = OSError(errno.ENOSPC, "No space left on device", "out.mp4")
    assert run_as_detect(raiser(full)) == errors.OutputError.exit_code
    assert capsys.readouterr().err.startswith("dbrt: out.mp4 can't be written, the disk is full")


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_standard_output_on_a_full_disk_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dbrt", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == errors.OutputError.exit_code
    assert done.stderr.startswith("dbrt: the output can't be written, the disk is full")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Windows reports a closed pipe otherwise")
def test_a_reader_that_goes_away_is_no_failure_to_talk_about():
    child = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read(); import dbrt.cli as c;"
         "sys.exit(c.main(['--help']))"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.close()  # before the child is let go
    child.stdin.close()
    with child.stderr:
        assert child.stderr.read() == b""
    assert child.wait() == 141


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_shows_how_to_call_it(name, capsys):
    assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"Usage: dbrt {name}")
    assert shown.count(f"dbrt {name}") >= 2, "no example"
