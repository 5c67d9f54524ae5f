"""A signal that comes after runners were closed reaches Python, in whatever order they went."""

from __future__ import annotations

import subprocess
import sys

import pytest

CHILD = """
import signal, sys
from pathlib import Path
from dbrt.engine.modelfile import read_model_file
from dbrt.engine.select import open_runner

model = read_model_file(Path(sys.argv[1]))
first = open_runner(model, shape=(32, 32), runner="openvino")
second = open_runner(model, shape=(32, 64), runner="openvino")
opened = {"first": first, "second": second}
del first, second
for name in sys.argv[2:]:
    opened.pop(name).close()
signal.signal(signal.SIGTERM, lambda *_: print("reached"))
signal.raise_signal(signal.SIGTERM)
"""


@pytest.mark.parametrize("order", [["first", "second"], ["second", "first"]], ids="-".join)
def test_a_signal_after_two_runners_is_no_crash(order, model, cache_folder):
    pytest.importorskip("openvino")
    command = [sys.executable, "-c", CHILD, str(model.path), *order]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stdout) == (0, "reached\n"), done.stderr
