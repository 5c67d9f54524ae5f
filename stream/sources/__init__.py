"""Where frames come from: files, folders, cameras, network streams, and the sample clip."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from dbrt.errors import SourceError, UsageError
from dbrt.stream.clock import SYSTEM_CLOCK, Clock
from dbrt.stream.sources.source import Report, Source, SourceFrame, no_report
from dbrt.stream.sources.state import SourceState, SourceStats
from dbrt.stream.sources.url import NETWORK_SCHEMES, SourceUrl, redact

__all__ = [
    "Source",
    "SourceFrame",
    "SourceState",
    "SourceStats",
    "SourceUrl",
    "open_source",
    "redact",
    "sample_path",
]

KINDS = (
    "a video file, a folder of pictures, a camera (cam0, 0, /dev/video0), rtsp://..., http://... "
    "or sample"
)


def open_source(
    text: str,
    *,
    realtime: bool = False,
    insecure: bool = False,
    clock: Clock = SYSTEM_CLOCK,
    report: Report = no_report,
) -> Source:
    """Return the source that `text` names, checked as far as that goes without connecting.

    realtime  play a file or a folder at its own pace, and drop what comes too early
    insecure  accept any certificate of a TLS server

    Raises UsageError for a text that names no kind of source, SourceError for a source that is
    not there. Files win over nothing: what is not a URL of a known scheme, a camera or `sample`
    is a path, so FFmpeg's `concat:` and `subfile,` never reach it.
    """
    match = re.match(r"([a-zA-Z][a-zA-Z0-9+.-]*)://", text)
    if match is not None:
        if match[1].lower() not in NETWORK_SCHEMES:
            raise UsageError(f"unknown source {redact(text)}: give {KINDS}")
        from dbrt.stream.sources.network import NetworkSource

        return NetworkSource(SourceUrl(text), insecure=insecure, clock=clock, report=report)
    if text == "sample":
        return _open_path(sample_path(), realtime, clock, report)
    path = Path(text)
    if not path.exists() and re.fullmatch(r"(cam)?\d+|cam-.*|cam", text):
        from dbrt.stream.sources.camera import CameraSource

        return CameraSource(text, clock=clock, report=report)
    if text.startswith("/dev/"):
        from dbrt.stream.sources.camera import CameraSource

        return CameraSource(text, clock=clock, report=report)
    if not path.exists():
        hint = "" if "." in path.name else f"; give {KINDS}"
        raise SourceError(f"no such file: {text}{hint}")
    return _open_path(path, realtime, clock, report)


def _open_path(path: Path, realtime: bool, clock: Clock, report: Report) -> Source:
    from dbrt.stream.sources.folder import FolderSource, is_picture

    if path.is_dir() or is_picture(path):
        return FolderSource(path, realtime=realtime, clock=clock, report=report)
    from dbrt.stream.sources.file import FileSource

    return FileSource(path, realtime=realtime, clock=clock, report=report)


def sample_path() -> Path:
    """Return the path of the clip that ships with dbrt."""
    path = Path(str(resources.files("dbrt"))) / "samples" / "sample.mp4"
    if not path.is_file():
        raise SourceError("the sample clip is missing from this installation: install dbrt again")
    return path
