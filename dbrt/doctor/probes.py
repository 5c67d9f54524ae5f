"""The probes that load libraries, each by its name; `child` runs them one after another.

The choice comes first: it is what a health check asks for, and it must not wait for the others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from dbrt.doctor.finding import Finding

Found = list[Finding]


def _auto() -> Found:
    from dbrt.doctor.runners import examine_auto

    return [examine_auto()]


def _gpu() -> Found:
    from dbrt.doctor.graphics import examine_graphics

    return examine_graphics()


def _tensorrt(flavour: str) -> Found:
    from dbrt.doctor.runners import examine_tensorrt

    return [examine_tensorrt(flavour)]


def _runner(name: str) -> Found:
    from dbrt.doctor.runners import examine_runner

    return [examine_runner(name)]


def _codecs() -> Found:
    from dbrt.doctor.video import examine_codecs

    return examine_codecs()


def _cameras() -> Found:
    from dbrt.doctor.video import examine_cameras

    return examine_cameras()


def _display() -> Found:
    from dbrt.doctor.video import examine_display

    return [examine_display()]


# Name: the part of the report that it belongs to, and what finds it out.
PROBES: dict[str, tuple[str, Callable[[], Found]]] = {
    "auto": ("runners", _auto),
    "driver": ("gpu", _gpu),
    "tensorrt": ("runners", partial(_tensorrt, "tensorrt")),
    "tensorrt-rtx": ("runners", partial(_tensorrt, "tensorrt-rtx")),
    "openvino": ("runners", partial(_runner, "openvino")),
    "onnxruntime": ("runners", partial(_runner, "onnxruntime")),
    "ffmpeg": ("video", _codecs),
    "cameras": ("video", _cameras),
    "display": ("video", _display),
}
