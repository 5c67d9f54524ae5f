"""What the package promises as a whole: what it ships, exports and loads."""

from __future__ import annotations

import ast
import configparser
import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

import dbrt
from dbrt.cli import COMMANDS

ROOT = Path(__file__).parents[1]
HEAVY = {
    "av",
    "cv2",
    "keras",
    "numba",
    "numpy",
    "onnx",
    "onnxruntime",
    "openvino",
    "rich",
    "tensorflow",
}


# Where the package that holds a module is called otherwise.
DISTRIBUTIONS = {
    "PIL": "pillow",
    "cuda": "cuda-bindings",
    "cv2": "opencv-python-headless",
    "fontTools": "fonttools",
    "google": "protobuf",
    "prometheus_client": "prometheus-client",
    "tensorrt_rtx": "tensorrt-rtx",
}
# In no extra, because their right build depends on the machine.
BACKENDS = {"jax", "torch"}


def setup_cfg() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def lines(value: str) -> list[str]:
    return [line for line in value.splitlines() if line and not line.startswith("#")]


def test_every_folder_of_code_is_in_the_wheel():
    """An unlisted folder works in an editable install and is absent from the wheel."""
    options = setup_cfg()["options"]
    mapping = dict(line.split(" = ") for line in lines(options["package_dir"]))
    found = {
        ".".join([package, *init.parent.relative_to(ROOT / folder).parts])
        for package, folder in mapping.items()
        for init in (ROOT / folder).rglob("__init__.py")
        if not any(part.is_symlink() for part in init.parents)
    }
    assert found == set(lines(options["packages"]))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows may check links out as text files")
def test_the_links_lead_to_the_mapped_folders():
    """Type checkers and the floor checker see the parts through them."""
    options = setup_cfg()["options"]
    mapping = dict(line.split(" = ") for line in lines(options["package_dir"]))
    broken = [
        package
        for package, folder in mapping.items()
        if package != "dbrt" and not (ROOT / package.replace(".", "/")).samefile(ROOT / folder)
    ]
    assert broken == []


def test_each_requirement_says_what_it_is_for():
    text = (ROOT / "setup.cfg").read_text("utf-8").splitlines()
    pairs = [(above, line) for above, line in pairwise(text) if " >= " in line]
    assert len(pairs) > 20
    unexplained = [line.strip() for above, line in pairs if not above.startswith("    #")]
    # the second of the two TensorFlow lines, which share a comment
    assert unexplained == [line for line in unexplained if line.startswith("tensorflow >=")]


def imported_libraries() -> dict[str, str]:
    """Return the top-level name of each foreign module that shipped code imports, and one place."""
    found: dict[str, str] = {}
    for folder in ("dbrt", "engine", "postproc", "stream", "train", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    names = [node.module]
                else:
                    continue
                found |= {name.split(".")[0]: str(path.relative_to(ROOT)) for name in names}
    return {n: p for n, p in found.items() if n not in {"dbrt", *sys.stdlib_module_names}}


def test_what_is_imported_is_required():
    config = setup_cfg()
    wanted = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    required = {
        re.split(r"[\s;<>=\[]", line)[0].lower() for value in wanted for line in lines(value)
    }
    missing = {
        name: path
        for name, path in imported_libraries().items()
        if DISTRIBUTIONS.get(name, name) not in required and name not in BACKENDS
    }
    assert "numpy" in imported_libraries()
    assert missing == {}


def test_the_exported_names_are_the_documented_ones():
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    table = page[: page.index("## ")]
    documented = re.findall(r"^\| `(\w+)`", table, re.M)
    assert sorted(documented) == sorted(dbrt.__all__)


@pytest.mark.parametrize("name", dbrt.__all__)
def test_every_exported_name_can_be_had(name):
    assert getattr(dbrt, name) is not None


def test_dir_shows_the_exported_names():
    assert dir(dbrt) == sorted(dbrt.__all__)


def test_a_name_that_is_not_there_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'detect_all'"):
        _ = dbrt.detect_all


def test_types_ship():
    assert (ROOT / "dbrt" / "py.typed").is_file()


CLI = "from dbrt.cli import main; assert main({args!r}) == 0"


@pytest.mark.parametrize(
    "statement",
    [
        "import dbrt",
        CLI.format(args=["--help"]),
        CLI.format(args=["--version"]),
        *(CLI.format(args=[name, "--help"]) for name in COMMANDS),
    ],
    ids=["import", "help", "version", *COMMANDS],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(statement):
    code = f"import json, sys; {statement}; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stderr.splitlines()[-1]))
    assert "dbrt" in loaded
    assert loaded & HEAVY == set()
