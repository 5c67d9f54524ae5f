"""What FFmpeg's errors mean for a network source, in words, without the URL's password.

`str()` of a PyAV error holds the whole URL; only its number and its class are used here.
"""

from __future__ import annotations

import errno

import av.error

from dbrt.stream.sources.live import ConnectionLost
from dbrt.stream.sources.url import SourceUrl, redact

NEARLY = 0.9
"""FFmpeg reports a host that never answers as invalid data; only the time it took tells."""


def explain_open(
    exc: Exception, url: SourceUrl, elapsed_s: float, timeout_s: float
) -> ConnectionLost:
    """Return why the connection could not be opened, and whether trying again may help."""
    place = url.place
    no_answer = isinstance(exc, av.error.ExitError | TimeoutError)
    if no_answer or elapsed_s >= NEARLY * timeout_s:
        return ConnectionLost(f"no answer from {place} in {timeout_s:.0f} s", is_permanent=True)
    for kind, text, is_permanent in (
        (av.error.HTTPUnauthorizedError, _credentials(url), True),
        (av.error.HTTPForbiddenError, f"{place} refused access (403)", True),
        (av.error.HTTPNotFoundError, f"{place} has no such stream: check the path in {url}", True),
        (av.error.HTTPTooManyRequestsError, f"{place} is asked too often (429)", False),
        (av.error.HTTPServerError, f"{place} failed (server error)", False),
        (av.error.HTTPClientError, f"{place} did not accept the request", True),
        (av.error.ProtocolNotFoundError, f"{url} redirects to what is no stream", True),
        (ConnectionRefusedError, f"cannot reach {place}: connection refused", False),
        (av.error.InvalidDataError, _no_video(url), True),
    ):
        if isinstance(exc, kind):
            return ConnectionLost(text, is_permanent=is_permanent)
    return _by_number(exc, url)


def _by_number(exc: Exception, url: SourceUrl) -> ConnectionLost:
    number = getattr(exc, "errno", None)
    if number == errno.EPROTONOSUPPORT:
        return ConnectionLost(f"{url.place} does not offer RTSP over TCP", is_permanent=True)
    if number == errno.EIO and url.is_encrypted:
        return ConnectionLost(
            f"cannot open {url}: no TLS there, or a certificate that is not trusted "
            "(--insecure accepts any)",
            is_permanent=True,
        )
    if number == errno.EIO:
        return ConnectionLost(f"no video at {url}", is_permanent=True)
    if number == errno.EINVAL and not url.is_rtsp:
        return ConnectionLost(f"{url.place} tried to redirect to a local file", is_permanent=True)
    return ConnectionLost(f"cannot reach {url.place}: {describe(exc)}")


def explain_read(exc: Exception, url: SourceUrl) -> ConnectionLost:
    """Return why an open connection has ended; trying again may always help."""
    if isinstance(exc, av.error.ExitError | TimeoutError):
        return ConnectionLost(f"no data from {url.place}")
    if isinstance(exc, av.error.InvalidDataError) or getattr(exc, "errno", None) == errno.EIO:
        return ConnectionLost(f"{url.place} closed the stream")
    return ConnectionLost(f"lost {url.place}: {describe(exc)}")


def describe(exc: Exception) -> str:
    """Return the short text of an error, redacted: av's `strerror` has no URL, its `str` has."""
    return redact(getattr(exc, "strerror", None) or type(exc).__name__).lower()


def _credentials(url: SourceUrl) -> str:
    if url.has_credentials:
        return f"{url.place} refused the credentials"
    return f"{url.place} asks for credentials: write {url.scheme}://USER:PASSWORD@{url.host}/..."


def _no_video(url: SourceUrl) -> str:
    if url.is_rtsp:
        return f"{url.place} does not speak RTSP"
    return f"no video at {url}"
