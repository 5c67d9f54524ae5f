"""The tests of tests/gpu, without a GPU: through the real cuda-bindings to a driver on the CPU."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dbrt.engine.cuda

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SOURCES = Path(dbrt.engine.cuda.__file__).parent


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compile the driver; return its folder."""
    if sys.platform != "linux":
        pytest.skip("the driver on the CPU is for Linux")
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler is here (Debian: apt-get install g++)")
    return compile_driver(tmp_path_factory.mktemp("driver"), compiler)


def compile_driver(folder: Path, compiler: str, *definitions: str) -> Path:
    source = HERE / "cpu_driver.cpp"
    options = ["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-I", str(SOURCES), *definitions]
    command = [compiler, *options, "-o", str(folder / "libcuda.so.1"), str(source)]
    subprocess.run(command, check=True)
    return folder


def run_gpu_tests(driver: Path, chosen: str) -> subprocess.CompletedProcess[str]:
    """Run them in a process that finds the driver on the CPU."""
    pytest.importorskip("cuda.bindings", reason="no cuda-bindings is here")
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": str(driver),
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
    }
    options = ["-q", "-p", "cpu_driver_plugin", "-p", "no:cacheprovider", "-k", chosen]
    files = ["tests/gpu/test_device.py", "tests/gpu/test_letterbox.py", "tests/gpu/test_runner.py"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *files],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_gpu_tests_pass_through_the_real_cuda_bindings(driver: Path) -> None:
    done = run_gpu_tests(driver, "not pycuda and not 4320 and not 4319")
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"(\d+) passed", done.stdout)
    assert found is not None
    assert int(found[1]) >= 45


@pytest.mark.parametrize(
    ("fault", "chosen"),
    [
        ("-DFAULT_NO_COPY_BACK", "bytes_come_back"),
        ("-DFAULT_LEAK", "bytes_come_back"),
    ],
)
def test_a_driver_with_a_fault_is_noticed(tmp_path: Path, fault: str, chosen: str) -> None:
    compiler = shutil.which("g++")
    if compiler is None or sys.platform != "linux":
        pytest.skip("no C++ compiler is here (Debian: apt-get install g++)")
    driver = compile_driver(tmp_path, compiler, fault)
    done = run_gpu_tests(driver, f"not pycuda and {chosen}")
    assert done.returncode == 1, done.stdout + done.stderr
