"""What TensorRT's Python interface offers, version by version, read off the real bindings.

The bindings are wheels of one megabyte that PyPI has; the library behind them it has not. They
import over libraries made of nothing but the names they want. So the names and signatures of every
version can be read where TensorRT itself can't be installed; nothing in them can be run.

    python tests/reference/tensorrt_bindings.py download FOLDER   the wheels for this interpreter
    python tests/reference/tensorrt_bindings.py record FOLDER     tensorrt_api.json from them

`tensorrt_api.json` holds, of the classes that build and run an engine, every member with its
signature and the versions that have it so; the double of tests/engine/tensorrt is made from it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# The first and the last of each generation that dbrt runs with.
REQUIREMENTS = {
    "8.6.1": "tensorrt-bindings==8.6.1",
    "10.0.1": "tensorrt-cu12-bindings==10.0.1",
    "10.16.1.11": "tensorrt-cu12-bindings==10.16.1.11",
    "11.0.0.114": "tensorrt-cu12-bindings==11.0.0.114",
    "11.4.0.106": "tensorrt-cu13-bindings==11.4.0.106",
}

RECORD = Path(__file__).with_name("tensorrt_api.json")
RECORDED = (
    "Runtime",
    "ICudaEngine",
    "IExecutionContext",
    "IRuntimeConfig",
    "IRuntimeCache",
    "ILogger",
    "CudaGraphStrategy",
    "DataType",
    "ExecutionContextAllocationStrategy",
    "TensorIOMode",
    "Builder",
    "BuilderFlag",
    "IBuilderConfig",
    "ILayer",
    "ITensor",
    "ITimingCache",
    "LayerType",
    "MemoryPoolType",
    "NetworkDefinitionCreationFlag",
    "OnnxParser",
    "ParserError",
)

# 8.6 wants parsers of forms that were given up since, by their C++ names.
_WANTED = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "getBuilderPluginRegistry",
    "getPluginRegistry",
    "getNvOnnxParserVersion",
    "initLibNvInferPlugins",
    "_ZN11nvuffparser15createUffParserEv",
    "_ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi",
    "_ZN14nvcaffeparser117createCaffeParserEv",
    "_ZN14nvcaffeparser123shutdownProtobufLibraryEv",
)
_LIBRARIES = ("libnvinfer", "libnvonnxparser", "libnvinfer_plugin", "libnvparsers")

# Run in a process of its own: one process can hold one version, and the interpreter must be started
# with the stubs on the loader's path.
_DESCRIBE = """
import importlib, json, sys

def describe(thing):
    members = {}
    for name in dir(thing):
        if name.startswith("_") and name not in ("__init__", "__bool__"):
            continue
        member = getattr(thing, name, None)
        if isinstance(member, type):
            members[name] = {"kind": "class", "members": describe(member)}
        elif isinstance(member, property):
            members[name] = {"kind": "property"}
        elif callable(member):
            lines = [text.strip() for text in (member.__doc__ or "").strip().splitlines()] or [""]
            numbered = [text for text in lines if text[:1].isdigit() and text[1:3] == ". "]
            overloads = [text[3:] for text in numbered if text[3:].startswith(name + "(")]
            line = " | ".join(overloads) or lines[0]
            if name == "__init__" and not line.startswith("__init__(self: "):
                continue
            members[name] = {"kind": "method", "signature": line}
        else:
            members[name] = {"kind": "value"}
    return members

module = importlib.import_module(sys.argv[1])
print(json.dumps({"version": module.__version__, "members": describe(module)}))
"""


class BindingsError(Exception):
    """The bindings of a version can't be read here; the text says why."""


def download(folder: Path) -> list[str]:
    """Fetch the wheels for this interpreter; return the versions that there are none of."""
    folder.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    missing = []
    for version, requirement in REQUIREMENTS.items():
        if find_wheel(folder, version) is None:
            command = [*pip, "-d", str(folder), requirement]
            done = subprocess.run(command, stderr=subprocess.DEVNULL, check=False)
            if done.returncode:
                missing.append(version)
    return missing


def find_wheel(folder: Path, version: str) -> Path | None:
    """Return the wheel of a version for this interpreter."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    name = REQUIREMENTS[version].split("==")[0].replace("-", "_")
    found = sorted(folder.glob(f"{name}-{version}-{python}-*.whl"))
    return found[-1] if found else None


def describe(folder: Path, version: str, scratch: Path) -> dict[str, Any]:
    """Return all names of a version's module: {name: {kind, signature or members}}.

    folder   holds the wheels
    scratch  an empty folder for what is unpacked and compiled

    Raises BindingsError where the wheel or a C compiler is missing, or the import fails.
    """
    wheel = find_wheel(folder, version)
    if wheel is None:
        raise BindingsError(f"no wheel of TensorRT {version}'s bindings in {folder}: make test")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch)
    _make_stubs(scratch, version.partition(".")[0])
    return describe_module("tensorrt_bindings", [scratch], loader_path=scratch)


def describe_module(
    name: str, path: Sequence[Path] = (), loader_path: Path | None = None
) -> dict[str, Any]:
    """Return all names of a module, imported in a process of its own."""
    environment = dict(os.environ)
    if loader_path is not None:
        environment["LD_LIBRARY_PATH"] = str(loader_path)
    environment["PYTHONPATH"] = os.pathsep.join(str(folder) for folder in path)
    done = subprocess.run(
        [sys.executable, "-c", _DESCRIBE, name],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BindingsError(f"{name}: {(done.stderr.strip().splitlines() or ['no reason'])[-1]}")
    members: dict[str, Any] = json.loads(done.stdout)["members"]
    return members


def _make_stubs(folder: Path, major: str) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise BindingsError("no C compiler is here (Debian: apt-get install gcc)")
    source = folder / "stub.c"
    source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in _WANTED))
    for library in _LIBRARIES:
        target = folder / f"{library}.so.{major}"
        subprocess.run([compiler, "-shared", "-fPIC", "-o", str(target), str(source)], check=True)


def summarise(described: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the content of tensorrt_api.json for {version: what `describe` returned}.

    {"versions": [...], "classes": {class: {member: {form: versions}}}}; the form is "property",
    "value", "class" or a signature without `self` and modules; the versions are "all" or a text
    with blanks between; members of inner classes are written "Severity.ERROR".
    """
    classes: dict[str, Any] = {}
    for version, members in described.items():
        for name in RECORDED:
            if name in members:
                _add(classes.setdefault(name, {}), members[name]["members"], version)
    everywhere = " ".join(described)
    for members in classes.values():
        for forms in members.values():
            for form, versions in forms.items():
                text = " ".join(versions)
                forms[form] = "all" if text == everywhere else text
    return {"versions": list(described), "classes": classes}


def to_text(record: dict[str, Any]) -> str:
    """Write a record with one member a line."""
    classes = []
    for name, members in record["classes"].items():
        lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(members[key])}" for key in members)
        classes.append(f" {json.dumps(name)}: {{\n{lines}\n }}")
    body = ",\n".join(classes)
    return f'{{\n"versions": {json.dumps(record["versions"])},\n"classes": {{\n{body}\n}}\n}}\n'


def _add(into: dict[str, Any], members: dict[str, Any], version: str, prefix: str = "") -> None:
    for name, member in members.items():
        form = _normal(member.get("signature", member["kind"]), name)
        into.setdefault(prefix + name, {}).setdefault(form, []).append(version)
        if member["kind"] == "class":
            _add(into, member["members"], version, f"{prefix}{name}.")


def _normal(signature: str, name: str) -> str:
    """Leave out what differs between versions and says nothing: modules, `self`, the name."""
    text = re.sub(
        r"\b\w+(?:_bindings)?\.tensorrt(?:_rtx)?\.|\btensorrt\.|typing_extensions\.", "", signature
    )
    text = re.sub(r"\(self: \w+(?:\.\w+)*(?:, )?", "(", text)
    return re.sub(rf"(^|\| ){re.escape(name)}\(", r"\1(", text).replace("buffer", "Buffer")


def main(command: str, folder: str) -> None:
    """Run one of the two commands."""
    if command == "download":
        missing = download(Path(folder))
        for version in missing:
            print(f"dbrt: no bindings of TensorRT {version} for this Python", file=sys.stderr)
        sys.exit(len(missing) == len(REQUIREMENTS))  # then there was no network: try again
    RECORD.write_text(to_text(summarise(describe_all(Path(folder)))))


def describe_all(folder: Path) -> dict[str, Any]:
    """Describe each version, and TensorRT-RTX as it is installed."""
    described = {}
    for version in REQUIREMENTS:
        with tempfile.TemporaryDirectory() as scratch:
            described[version] = describe(folder, version, Path(scratch))
    described["rtx"] = describe_module("tensorrt_rtx")
    return described


if __name__ == "__main__":
    main(*sys.argv[1:3])
