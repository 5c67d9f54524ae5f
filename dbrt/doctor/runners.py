"""The libraries that run engines, as their runners see them, and what `auto` takes."""

from __future__ import annotations

from importlib import metadata

from dbrt.doctor.finding import Finding, State
from dbrt.engine.modelfile import find_model, read_model_file
from dbrt.engine.select import choose
from dbrt.engine.tensorrt.library import FLAVOURS, load_library
from dbrt.errors import DbrtError, RunnerError

PART = "runners"

INSTALL = {
    "tensorrt": "pip install 'dbrt[tensorrt]'",
    "tensorrt-rtx": "pip install 'dbrt[tensorrt-rtx]'",
    "openvino": "pip install openvino",
    "onnxruntime": "pip install 'dbrt[onnxruntime]'",
}


def examine_tensorrt(flavour: str) -> Finding:
    """Load TensorRT ("tensorrt") or TensorRT-RTX ("tensorrt-rtx"); needs no GPU."""
    if flavour not in FLAVOURS:
        raise ValueError(flavour)
    try:
        library = load_library(flavour)
    except RunnerError as exc:
        if not is_installed(flavour):
            return Finding(PART, flavour, State.MISSING, "not installed", INSTALL[flavour])
        text, _, remedy = str(exc).rpartition(": ")
        return Finding(PART, flavour, State.BROKEN, text, remedy)
    return Finding(PART, flavour, State.OK, library.version, data={"version": library.version})


def examine_runner(name: str) -> Finding:
    """Ask the runner `name` ("openvino" or "onnxruntime") what it would do here."""
    try:
        _, plan = choose(name)
    except RunnerError as exc:
        if not is_installed(name):
            return Finding(PART, name, State.MISSING, "not installed", INSTALL[name])
        return Finding(PART, name, State.BROKEN, str(exc), INSTALL[name])
    data = {"version": plan.version, "precision": plan.precision, "target": plan.target}
    return Finding(PART, name, State.OK, plan.reason, data=data)


def examine_auto() -> Finding:
    """Say what `--model auto --runner auto --precision auto` takes here, and why."""
    try:
        model = read_model_file(find_model("auto"))
        runner, plan = choose(card=model.card)
    except DbrtError as exc:
        return Finding(PART, "auto", State.BROKEN, str(exc), INSTALL["openvino"])
    data = {
        "model": model.name,
        "runner": runner.name,
        "version": plan.version,
        "precision": plan.precision,
        "target": plan.target,
        "reason": plan.reason,
    }
    text = f"{model.name} on {runner.name} in {plan.precision}: {plan.reason}"
    return Finding(PART, "auto", State.OK, text, data=data)


def is_installed(package: str) -> bool:
    """Whether a package is installed, whatever state it is in."""
    names = (package, f"{package}-gpu") if package == "onnxruntime" else (package,)
    for name in names:
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        return True
    return False
