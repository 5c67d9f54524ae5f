from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dbrt.cli import main
from dbrt.doctor.report import PARTS

pytest.importorskip("openvino")
Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "cache"))
    # Shared machines are slow at times, and no time is asserted here.
    monkeypatch.setattr("dbrt.doctor.watch.PROBE_LIMIT_S", 60)
    monkeypatch.setattr("dbrt.doctor.watch.TOTAL_LIMIT_S", 120)


def doctor(out: Out, expected: int) -> dict[str, Any]:
    assert main(["doctor", "--json"]) == expected
    data: dict[str, Any] = json.loads(out.readouterr().out)
    assert data["schema"] == "dbrt.doctor/1"
    return data


def test_this_machine_is_described_to_programs_and_to_people(capsys: Out) -> None:
    data = doctor(capsys, 0)
    assert data["ok"] is True
    assert list(data["parts"]) == list(PARTS)
    assert data["auto"]["data"]["model"] == "dbrt-lite"
    assert {"processor", "matrix units", "threads"} == set(data["parts"]["machine"])
    assert {"tensorrt", "tensorrt-rtx", "openvino", "onnxruntime"} == set(data["parts"]["runners"])
    assert {"ffmpeg", "decoders", "encoders", "display"} <= set(data["parts"]["video"])
    assert data["parts"]["install"]["opencv"]["data"]["packages"]
    found = [finding for part in data["parts"].values() for finding in part.values()]
    assert [f for f in found if f["state"] == "missing" and not f["remedy"]] == []

    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    names = [name for part in data["parts"].values() for name in part]
    assert [name for name in names if name not in text] == []
    assert [line for line in text.splitlines() if line != line.rstrip()] == []
    assert text.splitlines()[-1].startswith("auto ok  dbrt-lite on ")


BROKEN = {
    "raises": "raise OSError('undefined symbol: x')",
    "ends the process": "import os; os._exit(9)",
    "prints": 'print(\'{"done": "auto", "findings": []}\'); raise ImportError(\'nothing\')',
}


@pytest.mark.parametrize("fault", BROKEN)
def test_broken_libraries_are_lines_and_exit_5(
    fault: str, tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("openvino", "onnxruntime"):
        (tmp_path / f"{name}.py").write_text(BROKEN[fault])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    data = doctor(capsys, 5)
    assert data["ok"] is False
    assert data["auto"]["state"] == "broken"
    runners = data["parts"]["runners"]
    assert {runners[name]["state"] for name in ("openvino", "onnxruntime")} == {"broken"}
    assert data["parts"]["video"]["ffmpeg"]["state"] == "ok"


def test_a_broken_library_that_auto_does_not_need_changes_nothing(
    tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "av.py").write_text("raise OSError('libavcodec.so.62')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    data = doctor(capsys, 0)
    assert data["parts"]["video"]["ffmpeg"]["state"] == "broken"
    assert "libavcodec.so.62" in data["parts"]["video"]["ffmpeg"]["text"]
