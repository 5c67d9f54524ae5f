"""HTTP sources against a real server on the loopback; every time-out is a fraction of a second."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import av
import cv2
import pytest

from dbrt.errors import SourceError
from dbrt.stream.sources import open_source
from dbrt.stream.sources.live import ConnectionLost
from dbrt.stream.sources.network import NetworkSource, check_host
from dbrt.stream.sources.state import SourceState
from dbrt.stream.sources.url import SourceUrl

PASSWORD = "hunter2"


class Server(ThreadingHTTPServer):
    """Serves bytes by path; counts requests; /mjpeg sends parts and closes the connection."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages = {}
        self.parts = []
        self.requests = []
        self.release = threading.Event()

    def url(self, path, user=""):
        return f"http://{user}127.0.0.1:{self.server_address[1]}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path == "/mjpeg":
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=cut")
            self.end_headers()
            for part in self.server.parts:
                head = f"--cut\r\nContent-Type: image/jpeg\r\nContent-Length: {len(part)}\r\n\r\n"
                self.wfile.write(head.encode() + part + b"\r\n")
            return
        if self.path == "/silent":
            self.server.release.wait(30)
            return
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        if self.path.startswith("/status/"):
            self.send_error(int(self.path.removeprefix("/status/")))
            return
        self.send_page()

    def send_page(self):
        data = self.server.pages[self.path]
        start = 0
        asked = self.headers.get("Range", "")
        if asked.startswith("bytes="):
            start = int(asked[6:].split("-")[0])
        self.send_response(206 if asked else 200)
        if asked:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        try:
            self.wfile.write(data[start:])
        except (BrokenPipeError, ConnectionResetError):
            pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.release.set()
        running.shutdown()
        thread.join()


@pytest.fixture
def open_url(clock):
    def make(url, **options):
        options = {"open_timeout_s": 0.4, "read_timeout_s": 0.4, "clock": clock, **options}
        return NetworkSource(SourceUrl(url), **options)

    return make


def jpeg(frame):
    return cv2.imencode(".jpg", frame)[1].tobytes()


def test_motion_jpeg_is_live_and_reconnects_when_the_server_closes(
    server, open_url, make_picture, stop
):
    server.parts = [jpeg(make_picture(i)) for i in range(4)]
    lines = []
    source = open_url(server.url("/mjpeg"), report=lines.append)
    frames = source.frames(stop)
    items = [next(frames) for _ in range(6)]
    frames.close()
    assert [item.index for item in items] == list(range(6))
    assert all(item.is_live for item in items)
    assert items[0].frame.shape == (48, 64, 3)
    assert source.status.stats().reconnects == 1
    assert len(lines) == 1
    assert "closed the stream; trying again in 0." in lines[0]
    assert server.requests.count("/mjpeg") == 2


def test_every_connection_is_closed_again(server, open_url, make_picture, monkeypatch, stop):
    opened, av_open = [], av.open

    def open_and_keep(*args, **kwargs):
        opened.append(av_open(*args, **kwargs))
        return opened[-1]

    monkeypatch.setattr("av.open", open_and_keep)
    server.parts = [jpeg(make_picture(i)) for i in range(4)]
    frames = open_url(server.url("/mjpeg")).frames(stop)
    assert len([next(frames) for _ in range(9)]) == 9
    frames.close()
    assert len(opened) == 3
    for container in opened:
        with pytest.raises(AssertionError, match="not open"):
            container.seek(0)


def test_a_bad_part_is_counted_and_the_rest_goes_on(server, open_url, make_picture, stop):
    good = jpeg(make_picture())
    server.parts = [good, good, b"\xff\xd8 this is no picture \xff\xd9", good, good, good]
    source = open_url(server.url("/mjpeg"))
    frames = source.frames(stop)
    assert len([next(frames) for _ in range(4)]) == 4
    frames.close()
    assert source.status.stats().bad_packets >= 1
    assert source.status.stats().reconnects == 0


def test_a_video_file_over_http_loses_no_frame_and_ends(
    server, open_url, make_video, tmp_path, stop
):
    path = make_video(tmp_path / "clip.mp4", 12, options={"movflags": "faststart"})
    server.pages["/clip.mp4"] = path.read_bytes()
    source = open_url(server.url("/clip.mp4"))
    items = list(source.frames(stop))
    assert [item.index for item in items] == list(range(12))
    assert not any(item.is_live for item in items)
    assert items[-1].time_s == pytest.approx(11 / 25, abs=1e-3)
    assert source.status.state is SourceState.ENDED


def test_a_still_picture_over_http_is_one_frame(server, open_url, make_picture, stop):
    server.pages["/still.jpg"] = jpeg(make_picture())
    source = open_url(server.url("/still.jpg"))
    assert len(list(source.frames(stop))) == 1
    assert source.status.state is SourceState.ENDED


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/status/401", "asks for credentials"),
        ("/status/403", "refused access"),
        ("/status/404", "has no such stream"),
        ("/status/410", "did not accept the request"),
        ("/page", "no video at"),
        ("/to/file:///etc/passwd", "tried to redirect to a local file"),
        ("/to/http://127.0.0.1:1/x", "connection refused"),
    ],
)
def test_what_is_no_stream_is_one_line(server, open_url, stop, path, message):
    server.pages["/page"] = b"<html><body>Hello</body></html>" * 40
    source = open_url(server.url(path))
    with pytest.raises(SourceError, match=message) as caught:
        list(source.frames(stop))
    assert "\n" not in str(caught.value)
    assert "root:" not in str(caught.value)
    assert source.status.state is SourceState.FAILED


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_that_is_busy_is_asked_again(server, open_url, stop, status):
    source = open_url(server.url(f"/status/{status}"))
    with pytest.raises(SourceError, match="gave up after"):
        list(source.frames(stop))
    assert len(server.requests) > 2


@pytest.mark.parametrize("path", ["/status/401", "/status/404", "/page", "/mjpeg", "/silent"])
def test_no_message_shows_the_password(server, open_url, stop, path, make_picture):
    server.pages["/page"] = b"text"
    server.parts = [jpeg(make_picture())]
    lines = []
    source = open_url(server.url(path, f"bob:{PASSWORD}@"), report=lines.append, max_outage_s=0.0)
    with pytest.raises(SourceError) as caught:
        list(source.frames(stop))
    shown = f"{source.name} {lines} {caught.value} {caught.value!r} {source.status.stats()}"
    assert PASSWORD not in shown
    assert "bob" not in shown


def test_wrong_credentials_are_told_from_missing_ones(server, open_url, stop):
    source = open_url(server.url("/status/401", f"bob:{PASSWORD}@"))
    with pytest.raises(SourceError, match="refused the credentials"):
        list(source.frames(stop))


def test_a_refused_port_is_tried_for_a_while(open_url, stop, clock):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    source = open_url(f"rtsp://127.0.0.1:{port}/x")
    with pytest.raises(SourceError, match=f"127.0.0.1:{port}: connection refused; gave up"):
        list(source.frames(stop))
    assert len(clock.waits) > 3


@pytest.mark.parametrize("scheme", ["rtsp", "http"])
def test_a_host_that_never_answers_is_one_line(scheme, stop):
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(5)
        port = listening.getsockname()[1]
        source = NetworkSource(
            SourceUrl(f"{scheme}://127.0.0.1:{port}/x"), open_timeout_s=0.3, read_timeout_s=0.3
        )
        with pytest.raises(SourceError, match=f"no answer from 127.0.0.1:{port}"):
            list(source.frames(stop))


def test_rtsp_on_a_web_server_is_told(server, open_url, stop):
    source = open_url(server.url("/x").replace("http", "rtsp"))
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:\d+"):
        list(source.frames(stop))


def test_an_unknown_host_is_named_and_not_tried_again(open_url, stop, monkeypatch):
    def unknown(*_):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", unknown)
    with pytest.raises(ConnectionLost, match=r"unknown host in rtsp://\*\*\*@no\.such/x"):
        check_host(SourceUrl(f"rtsp://bob:{PASSWORD}@no.such/x"))
    source = open_url("rtsp://no.such/x")
    with pytest.raises(SourceError, match="unknown host"):
        list(source.frames(stop))


@pytest.mark.parametrize("insecure", [False, True])
def test_certificates_are_checked_unless_told_otherwise(open_url, monkeypatch, insecure, stop):
    asked = []

    def refuse(_url, *, options, **_):
        asked.append(options)
        raise av.error.OSError(5, "Input/output error")

    monkeypatch.setattr("av.open", refuse)
    source = open_url("https://127.0.0.1:1/x", insecure=insecure)
    with pytest.raises(SourceError, match="certificate that is not trusted"):
        list(source.frames(stop))
    assert asked[0]["tls_verify"] == ("0" if insecure else "1")
    assert "file" not in asked[0]["protocol_whitelist"].split(",")


def test_a_url_makes_a_network_source_without_connecting():
    source = open_source("rtsp://bob:hunter2@127.0.0.1:1/x", insecure=True)
    assert isinstance(source, NetworkSource)
    assert source.insecure
    assert source.name == "rtsp://***@127.0.0.1:1/x"
