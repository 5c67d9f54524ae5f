"""SourceUrl: an address that never shows its password, and redaction of foreign texts."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from dbrt.errors import UsageError

NETWORK_SCHEMES = ("rtsp", "rtsps", "http", "https")

# Greedy up to the last @: a password may hold @, / or #, and hiding too much is the safe side.
_CREDENTIALS = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*://)[^\s'\"]*@")
_SECRET = re.compile(
    r"(?i)([?&;](?:pass(?:word|wd)?|pwd|token|access_token|auth|api_?key|key|secret|sig(?:nature)?)=)"
    r"[^&\s'\"]*"
)


def redact(text: object) -> str:
    """Return `text` with user names, passwords and tokens of every URL in it replaced by `***`."""
    return _SECRET.sub(r"\1***", _CREDENTIALS.sub(r"\1***@", str(text)))


class SourceUrl:
    """The URL of a network source.

    `str()`, `repr()` and formatting give the redacted form; only `reveal()`, which is for the
    library that opens the connection, gives the whole.
    """

    __slots__ = ("_text", "host", "is_ambiguous", "port", "scheme")

    def __init__(self, text: str) -> None:
        """Split `text`; raises UsageError where it has no host or can't be split."""
        self._text = text
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise UsageError(
                f"{redact(text)} is no address that can be read: percent-encode @ : / # and ? in "
                "the user name and the password (@ is %40, : is %3A, / is %2F, # is %23, ? is %3F)"
            ) from None
        if parts.scheme.lower() not in NETWORK_SCHEMES:
            known = ", ".join(f"{scheme}://" for scheme in NETWORK_SCHEMES)
            raise UsageError(f"{redact(text)}: a network source begins with one of {known}")
        if not host:
            raise UsageError(f"{redact(text)} names no host: write {parts.scheme}://HOST/PATH")
        if parts.netloc.count("@") > 1:
            raise UsageError(f"{redact(text)}: the password holds an @: write %40 for it")
        self.scheme = parts.scheme.lower()
        self.host = host
        self.port = port
        # rtsp://bob:12/34@cam reads as host "bob", port 12: the @ behind shows what was meant.
        self.is_ambiguous = "@" in parts.path + parts.query + parts.fragment

    @property
    def is_rtsp(self) -> bool:
        """Whether this is rtsp:// or rtsps://."""
        return self.scheme in ("rtsp", "rtsps")

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection is made with TLS."""
        return self.scheme in ("rtsps", "https")

    @property
    def place(self) -> str:
        """HOST, or HOST:PORT where the URL names one; the redacted URL where it is ambiguous."""
        if self.is_ambiguous:
            return str(self)
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def has_credentials(self) -> bool:
        """Whether a user name stands in the URL."""
        return "@" in urlsplit(self._text).netloc

    def reveal(self) -> str:
        """Return the whole URL, password included: for opening it, never for showing it."""
        return self._text

    def __str__(self) -> str:
        return redact(self._text)

    def __repr__(self) -> str:
        return f"SourceUrl({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SourceUrl) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)
