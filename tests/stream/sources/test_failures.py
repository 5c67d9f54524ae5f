from __future__ import annotations

import errno

import av.error
import pytest

from dbrt.stream.sources.failures import explain_open, explain_read
from dbrt.stream.sources.url import SourceUrl

TEXT = "rtsp://bob:hunter2@cam:554/x"


def error(kind, number, text):
    """An error as PyAV makes it: the URL is in its `str`."""
    made = kind(number, text, TEXT)
    assert "hunter2" in str(made)
    return made


@pytest.mark.parametrize(
    ("exc", "elapsed_s", "message", "is_permanent"),
    [
        (
            error(av.error.ExitError, 1, "Immediate exit"),
            5.0,
            "no answer from cam:554 in 5 s",
            True,
        ),
        (error(av.error.InvalidDataError, 1, "Invalid data"), 4.9, "no answer", True),
        (error(av.error.InvalidDataError, 1, "Invalid data"), 0.1, "does not speak RTSP", True),
        (error(av.error.ConnectionRefusedError, 111, "Refused"), 0.0, "connection refused", False),
        (error(av.error.HTTPUnauthorizedError, 1, "401"), 0.0, "refused the credentials", True),
        (error(av.error.HTTPNotFoundError, 1, "404"), 0.0, "no such stream", True),
        (error(av.error.HTTPServerError, 1, "500"), 0.0, "server error", False),
        (error(av.error.OSError, errno.EPROTONOSUPPORT, "x"), 0.0, "RTSP over TCP", True),
        (error(av.error.OSError, errno.EHOSTUNREACH, "No route"), 0.0, "cam:554: no route", False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_an_opening_that_fails_says_why_and_whether_to_try_again(
    exc, elapsed_s, message, is_permanent
):
    found = explain_open(exc, SourceUrl(TEXT), elapsed_s, 5.0)
    assert message in str(found)
    assert found.is_permanent is is_permanent
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("exc", "message"),
    [
        (error(av.error.ExitError, 1, "Immediate exit"), "no data from cam:554"),
        (error(av.error.InvalidDataError, 1, "Invalid data"), "cam:554 closed the stream"),
        (error(av.error.OSError, errno.EIO, "Input/output error"), "cam:554 closed the stream"),
        (error(av.error.OSError, errno.ECONNRESET, "Reset by peer"), "lost cam:554: reset by peer"),
    ],
    ids=["stall", "cut", "end", "reset"],
)
def test_a_connection_that_ends_says_why(exc, message):
    assert str(explain_read(exc, SourceUrl(TEXT))) == message
