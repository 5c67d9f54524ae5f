"""FFmpeg, the cameras and the display."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from dbrt.doctor.finding import Finding, State

PART = "video"

# Without these an IP camera shows nothing, and --out NAME.mp4 writes nothing.
NEEDED_DECODERS = ("h264", "hevc", "mjpeg")
NEEDED_ENCODER = "libx264"
INSTALL = "pip install --force-reinstall --no-deps av"


def examine_codecs() -> list[Finding]:
    """Say which FFmpeg PyAV brings, what it decodes and what it encodes."""
    from dbrt.stream.sources.codecs import find_codecs

    codecs = find_codecs()
    lacking = [name for name in NEEDED_DECODERS if name not in codecs.decoders]
    decoders, encoders = list(codecs.decoders), list(codecs.encoders)
    has_encoder = NEEDED_ENCODER in encoders
    return [
        Finding(
            PART,
            "ffmpeg",
            State.OK,
            f"{codecs.ffmpeg} (PyAV {codecs.pyav})",
            data={"version": codecs.ffmpeg, "pyav": codecs.pyav},
        ),
        Finding(
            PART,
            "decoders",
            State.BROKEN if lacking else State.OK,
            ", ".join(decoders) + (f"; not {', '.join(lacking)}" if lacking else ""),
            INSTALL if lacking else "",
            {"decoders": decoders},
        ),
        Finding(
            PART,
            "encoders",
            State.OK if has_encoder else State.BROKEN,
            ", ".join(encoders) + ("" if has_encoder else f"; not {NEEDED_ENCODER}"),
            "" if has_encoder else INSTALL,
            {"encoders": encoders},
        ),
    ]


def examine_cameras(
    root: Path = Path("/sys/class/video4linux"), system: str = sys.platform
) -> list[Finding]:
    """Name the cameras of this machine, and say which of them this user may open."""
    if not system.startswith("linux"):
        text = "this system does not list them: --source cam0 is tried when it starts"
        return [Finding(PART, "cameras", State.NOTE, text, data={"cameras": []})]
    from dbrt.stream.sources.camera import capture_nodes

    nodes = capture_nodes(root)
    if not nodes:
        remedy = "plug one in; in a container: --device /dev/video0"
        return [Finding(PART, "cameras", State.MISSING, "none", remedy, {"cameras": []})]
    return [_camera(f"cam{i}", node, root) for i, node in enumerate(nodes)]


def examine_display() -> Finding:
    """Say whether --overlay can open a window."""
    from dbrt.stream.window import why_no_window

    reason = why_no_window()
    if reason is None:
        return Finding(PART, "display", State.OK, "windows can be opened")
    text, _, remedy = reason.partition(": ")
    return Finding(PART, "display", State.MISSING, text, remedy)


def _camera(name: str, node: str, root: Path) -> Finding:
    try:
        model = (root / Path(node).name / "name").read_text("utf-8", "replace").strip()
    except OSError:
        model = "unnamed"
    data = {"device": node, "name": model}
    text = f"{model} ({node})"
    if os.path.exists(node) and os.access(node, os.R_OK | os.W_OK):
        return Finding(PART, name, State.OK, text, data=data)
    if not os.path.exists(node):
        return Finding(
            PART,
            name,
            State.BROKEN,
            f"{text}: no such device here",
            f"in a container: --device {node}",
            data,
        )
    remedy = "sudo usermod -aG video $USER, then log in again"
    return Finding(PART, name, State.BROKEN, f"{text}: no permission", remedy, data)
