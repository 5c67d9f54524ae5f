"""A small RTSP server for the tests, run by the system's Python: it has GStreamer's bindings.

Serves a moving test pattern on a free port of the loopback. The first line it prints is its URL.
Then it reads commands from standard input, one a line: `stall` and `resume` (a frozen camera),
`kick` (every connection is closed), `size WxH` (the picture changes its size). Each is answered
with one line. It ends when standard input does, so a test that crashes leaves nothing behind.

Debian: python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-{base,good,ugly}
"""

from __future__ import annotations

import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

PIPELINE = (
    "( videotestsrc is-live=true pattern=ball ! "
    "capsfilter name=size caps=video/x-raw,width=320,height=240,framerate=25/1 ! "
    "videoconvert ! video/x-raw,format=I420 ! "
    "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=12 ! identity name=tap ! "
    "rtph264pay name=pay0 pt=96 config-interval=-1 )"
)


class Camera(GstRtspServer.RTSPMediaFactory):
    """One pipeline for all clients, that can be made to stall and to change its size."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stalled = False
        self.size_filter = None
        self.set_launch(PIPELINE)
        self.set_shared(True)
        self.connect("media-configure", self.on_media)

    def on_media(self, _factory: object, media: GstRtspServer.RTSPMedia) -> None:
        element = media.get_element()
        self.size_filter = element.get_by_name("size")
        pad = element.get_by_name("tap").get_static_pad("src")
        pad.add_probe(Gst.PadProbeType.BUFFER, self.gate)

    def gate(self, _pad: object, _info: object) -> Gst.PadProbeReturn:
        return Gst.PadProbeReturn.DROP if self.is_stalled else Gst.PadProbeReturn.OK

    def resize(self, text: str) -> None:
        width, height = text.split("x")
        caps = f"video/x-raw,width={width},height={height},framerate=25/1"
        self.size_filter.set_property("caps", Gst.Caps.from_string(caps))


def main() -> None:
    Gst.init(None)
    loop = GLib.MainLoop()
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service("0")
    camera = Camera()
    server.get_mount_points().add_factory("/test", camera)
    server.attach(None)

    def obey(line: str) -> None:
        word, _, rest = line.strip().partition(" ")
        if word in ("stall", "resume"):
            camera.is_stalled = word == "stall"
        elif word == "kick":
            server.client_filter(lambda *_: GstRtspServer.RTSPFilterResult.REMOVE)
        elif word == "size":
            camera.resize(rest)
        print(f"done {word}", flush=True)

    def read_commands() -> None:
        for line in sys.stdin:
            GLib.idle_add(obey, line)
        GLib.idle_add(loop.quit)

    threading.Thread(target=read_commands, daemon=True).start()
    print(f"rtsp://127.0.0.1:{server.get_bound_port()}/test", flush=True)
    loop.run()


if __name__ == "__main__":
    main()
