"""Running OpenVINO tells nobody: dbrt sees people's cameras."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

IMPORT = "from dbrt.engine.openvino import OpenVinoRunner, _openvino; _openvino()"


def test_openvino_is_loaded_without_its_telemetry(tmp_path: Path) -> None:
    home = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    environment = {k: v for k, v in os.environ.items() if k != "CI"} | home
    subprocess.run([sys.executable, "-c", IMPORT], env=environment, check=True, timeout=100)
    assert list(tmp_path.iterdir()) == []
