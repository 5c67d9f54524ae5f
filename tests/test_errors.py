"""The exception tree has the exit codes of docs/architecture.md."""

from __future__ import annotations

import re
from pathlib import Path

import dbrt
from dbrt import errors

ARCHITECTURE = Path(__file__).parents[1] / "docs" / "architecture.md"


def documented_codes() -> dict[str, int]:
    rows = re.findall(r"^\| (\d) \| `(\w+Error)` \|", ARCHITECTURE.read_text("utf-8"), re.M)
    return {name: int(code) for code, name in rows}


def raised_codes() -> dict[str, int]:
    found = [e for e in vars(errors).values() if isinstance(e, type)]
    return {e.__name__: e.exit_code for e in found if e is not errors.DbrtError}


def test_every_exception_has_the_documented_exit_code():
    assert len(documented_codes()) == 7
    assert raised_codes() == documented_codes()


def test_every_exception_is_a_dbrt_error_that_users_can_import():
    for_users = {name: getattr(dbrt, name) for name in raised_codes()}
    assert [n for n, e in for_users.items() if not issubclass(e, dbrt.DbrtError)] == []


def test_the_picture_in_the_docstring_is_the_tree():
    drawn = re.findall(r"── (\w+Error) +(\d)", errors.__doc__ or "")
    assert {name: int(code) for name, code in drawn} == raised_codes()
