"""The start of the backend says nothing, and hides nothing that comes after it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import os
from dbrt.train.backend import default_backend
default_backend()
import tensorflow
os.write(2, b"after")
"""


@pytest.mark.parametrize(
    ("level", "expected"), [(None, "after"), ("0", "noise after")], ids=["quiet", "asked for"]
)
def test_what_tensorflow_says_at_its_start_is_shown_where_it_is_asked_for(
    tmp_path, level, expected
):
    (tmp_path / "tensorflow.py").write_text('import os\nos.write(2, b"noise ")\n')
    kept = {k: v for k, v in os.environ.items() if k not in ("KERAS_BACKEND", "PYTHONPATH")}
    kept.pop("TF_CPP_MIN_LOG_LEVEL", None)
    env = kept | {"PYTHONPATH": str(tmp_path)} | ({"TF_CPP_MIN_LOG_LEVEL": level} if level else {})
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, check=False, env=env, capture_output=True, text=True)
    assert done.stderr == expected
