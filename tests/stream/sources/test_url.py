from __future__ import annotations

import pytest

from dbrt.errors import UsageError
from dbrt.stream.sources.url import SourceUrl, redact

SECRETS = ("hunter2", "bob", "s3cr3t")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("rtsp://bob:hunter2@10.0.0.1/x", "rtsp://***@10.0.0.1/x"),
        ("rtsp://bob:p@ss/w:rd#1@10.0.0.1/x", "rtsp://***@10.0.0.1/x"),
        ("http://h/x?token=s3cr3t&size=2", "http://h/x?token=***&size=2"),
        ("http://h/x?a=1&Password=s3cr3t", "http://h/x?a=1&Password=***"),
        ("cannot open 'rtsp://bob:hunter2@h/x': gone", "cannot open 'rtsp://***@h/x': gone"),
        ("rtsp://10.0.0.1:554/x", "rtsp://10.0.0.1:554/x"),
        ("no URL at all", "no URL at all"),
    ],
)
def test_credentials_are_redacted(text, shown):
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://bob:hunter2@cam/x",
        "rtsp://bob:hunter2%40@cam:554/x?token=s3cr3t",
        "https://cam/x?auth=s3cr3t&pwd=hunter2",
    ],
)
def test_no_form_of_a_url_shows_a_secret_but_reveal(text):
    url = SourceUrl(text)
    shown = f"{url} {url!r} {url.place} {[url]} {url!s:>50}"
    assert not [secret for secret in SECRETS if secret in shown]
    assert url.reveal() == text


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://bob:hunter2/x@cam/x",
        "rtsp://bob:hunter2#x@cam/x",
        "rtsp://bob:hunter2@x@cam/x",
        "rtsp://bob:[hunter2@cam/x",
        "rtsp://bob:hunter2:99999999@@cam",
    ],
)
def test_a_password_that_splits_wrongly_is_refused_without_showing_it(text):
    with pytest.raises(UsageError, match="%") as caught:
        SourceUrl(text)
    assert not [secret for secret in SECRETS if secret in str(caught.value)]


def test_a_host_that_may_be_a_password_is_not_named():
    url = SourceUrl("rtsp://bob:12/34@cam/x")
    assert url.is_ambiguous
    assert "bob" not in url.place


@pytest.mark.parametrize("text", ["rtsp://", "rtsp:///x", "http://:80/", "rtsp://:554"])
def test_a_url_without_a_host_is_refused(text):
    with pytest.raises(UsageError, match="names no host"):
        SourceUrl(text)


def test_another_scheme_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match=r"rtsp://, rtsps://, http://, https://"):
        SourceUrl("ftp://host/x")


def test_equal_urls_are_equal_and_hash_alike():
    assert SourceUrl("rtsp://h/x") == SourceUrl("rtsp://h/x")
    assert len({SourceUrl("rtsp://h/x"), SourceUrl("rtsp://h/x"), SourceUrl("rtsp://h/y")}) == 2


def test_parts_of_a_url():
    url = SourceUrl("RTSPS://bob:x@Cam:322/x")
    assert (url.scheme, url.host, url.port, url.place) == ("rtsps", "cam", 322, "cam:322")
    assert url.is_rtsp
    assert url.is_encrypted
    assert url.has_credentials
