"""NetworkSource: RTSP and HTTP streams, by PyAV."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import av
import av.container
import av.error

from dbrt.errors import SourceError
from dbrt.stream.clock import SYSTEM_CLOCK, Clock
from dbrt.stream.sources.failures import explain_open, explain_read
from dbrt.stream.sources.file import TimeLine
from dbrt.stream.sources.live import ConnectionLost, LiveSource, SessionFrame
from dbrt.stream.sources.media import decode_frames, frame_rate, to_bgr
from dbrt.stream.sources.source import Report, SourceFrame, no_report
from dbrt.stream.sources.state import SourceState
from dbrt.stream.sources.url import SourceUrl
from dbrt.wording import counted

OPEN_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 2.0
"""A stalled RTSP camera is noticed after twice this: FFmpeg's first expiry only releases the frame
that its parser holds back."""

KEY_FRAME_LIMIT_S = 20.0
"""How long packets may come without a picture: joining a stream between key frames can mean ten
seconds of waiting, and giving up sooner would reconnect for ever."""

ANALYZE_US = 500_000
"""Opens in 0.6 s in place of 1.2 s. Not `fflags=nobuffer`: it throws the first key frame away."""

_STILL_FORMATS = ("image2", "_pipe")
_PROTOCOLS = "http,https,tls,tcp,crypto,httpproxy,data"


class NetworkSource(LiveSource):
    """A stream at an rtsp://, rtsps://, http:// or https:// address.

    RTSP runs over TCP and is always live. HTTP is live too, unless what it serves has a length
    (an MP4 file) or is a single picture: then every frame counts, and its end is the end.
    """

    def __init__(
        self,
        url: SourceUrl,
        *,
        insecure: bool = False,
        max_outage_s: float | None = None,
        open_timeout_s: float = OPEN_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
        clock: Clock = SYSTEM_CLOCK,
        report: Report = no_report,
    ) -> None:
        super().__init__(str(url), max_outage_s=max_outage_s, clock=clock, report=report)
        self.url = url
        self.insecure = insecure
        self.open_timeout_s = open_timeout_s
        self.read_timeout_s = read_timeout_s

    def frames(self, stop: threading.Event) -> Iterator[SourceFrame]:
        """Yield frames; see LiveSource for streams. What has a length is read like a file."""
        try:
            yield from super().frames(stop)
        except _HasLength as found:
            with found.container:
                yield from self._read_file(found.container, stop)

    def session(self, stop: threading.Event) -> Iterator[SessionFrame]:
        """Connect once and yield frames until the connection ends."""
        check_host(self.url)
        container = self._open()
        if not self.url.is_rtsp and (_has_length(container) or _is_still(container)):
            raise _HasLength(container)  # whoever catches it closes it
        with container, self._reading():
            deadline = _KeyFrameDeadline(self.clock)
            frames = decode_frames(
                container,
                thread_type="SLICE",
                on_bad_packet=self.status.count_bad_packet,
                on_packet=deadline.check,
            )
            for decoded, decode_ms in frames:
                deadline.met = True
                started_s = time.perf_counter()
                frame = to_bgr(decoded)
                convert_ms = (time.perf_counter() - started_s) * 1000
                yield SessionFrame(frame, decode_ms + convert_ms, decoded.is_corrupt)
                if stop.is_set():
                    return
        raise ConnectionLost(f"{self.url.place} closed the stream")

    def _open(self) -> av.container.InputContainer:
        started_s = self.clock.now()
        try:
            container = av.open(
                self.url.reveal(),
                options=self._options(),
                timeout=(self.open_timeout_s, self.read_timeout_s),
            )
        except (av.error.FFmpegError, OSError, ValueError) as exc:
            elapsed_s = self.clock.now() - started_s
            raise explain_open(exc, self.url, elapsed_s, self.open_timeout_s) from None
        if not container.streams.video:
            container.close()
            raise ConnectionLost(f"no video at {self.url}", is_permanent=True)
        return container

    def _options(self) -> dict[str, str]:
        options: dict[str, str] = {}
        if self.url.is_rtsp:
            # The time-out of RTSP is called `timeout`; `stimeout` and `rw_timeout` do nothing.
            options["rtsp_transport"] = "tcp"
            options["timeout"] = str(int(self.open_timeout_s * 1e6))
            options["analyzeduration"] = str(ANALYZE_US)
        else:
            # `file` must never be in this list: a playlist could read files of this machine.
            options["protocol_whitelist"] = _PROTOCOLS
            options["rw_timeout"] = str(int(self.read_timeout_s * 1e6))
        if self.url.is_encrypted:
            # Set in both cases: PyAV 18 does not check by default, 19 does.
            options["tls_verify"] = "0" if self.insecure else "1"
            store = ssl.get_default_verify_paths().cafile
            if store and not self.insecure:
                options["ca_file"] = store
        return options

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (av.error.FFmpegError, OSError) as exc:
            raise explain_read(exc, self.url) from None

    def _read_file(
        self, container: av.container.InputContainer, stop: threading.Event
    ) -> Iterator[SourceFrame]:
        line = TimeLine(frame_rate(container))
        is_still = _is_still(container)
        index = -1
        frames = decode_frames(
            container, thread_type="AUTO", on_bad_packet=self.status.count_bad_packet
        )
        try:
            for index, (decoded, decode_ms) in enumerate(frames):
                time_s = line.place(decoded.pts, decoded.time_base)
                frame = to_bgr(decoded)
                now_s = self.clock.now()
                self.status.count_frame(now_s, damaged=decoded.is_corrupt)
                yield SourceFrame(frame, index, time_s, now_s, decode_ms, is_live=False)
                if stop.is_set() or is_still:
                    break
        except (av.error.FFmpegError, OSError) as exc:
            text = (
                f"{self.url.place} broke off after {counted(index + 1, 'frame')} "
                f"({line.last_s:.1f} s): {explain_read(exc, self.url)}; "
                "results up to there are kept"
                if index >= 0
                else f"{self.url.place} can't seek and the file's index is at its end: download "
                "the file and give its path"
            )
            self.status.change(SourceState.FAILED, text)
            raise SourceError(text) from None
        self.status.change(SourceState.ENDED)


class _HasLength(Exception):
    """What was opened is a file, not a stream; carries the open container."""

    def __init__(self, container: av.container.InputContainer) -> None:
        super().__init__()
        self.container = container


class _KeyFrameDeadline:
    """Ends a session in which packets come but no picture does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start_s = clock.now()
        self.met = False

    def check(self) -> None:
        """Raise ConnectionLost where it has taken too long."""
        if not self.met and self._clock.now() - self._start_s > KEY_FRAME_LIMIT_S:
            raise ConnectionLost(f"no picture in {KEY_FRAME_LIMIT_S:.0f} s of packets")


def _has_length(container: av.container.InputContainer) -> bool:
    return bool(container.duration and container.duration > 0)


def _is_still(container: av.container.InputContainer) -> bool:
    return container.format.name.endswith(_STILL_FORMATS)


def check_host(url: SourceUrl) -> None:
    """Raise ConnectionLost where the name of the host can't be resolved.

    Asked here because FFmpeg says no more than "Input/output error" about it.
    """
    try:
        socket.getaddrinfo(url.host, url.port)
    except (OSError, UnicodeError):
        hint = "; percent-encode / # ? in the password" if url.is_ambiguous else ""
        raise ConnectionLost(f"unknown host in {url}{hint}", is_permanent=True) from None
