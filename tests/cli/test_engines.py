from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest

from dbrt.cli import main
from dbrt.engine.cache import EngineCache
from dbrt.engine.inventory import take_inventory
from dbrt.engine.mismatch import describe
from dbrt.engine.spec import EngineSpec
from dbrt.engine.staleness import Here

PARITY = {"mean_error": 0.00012, "gained": 0, "lost": 0, "executed": False}
PLAN = EngineSpec(
    model_name="tiny",
    model_sha256="ab" * 32,
    shape=(736, 736),
    batch=1,
    precision="fp16",
    runner="tensorrt",
    runner_version="tensorrt-rtx 0.1",
    target="sm_75+sm_89",
    graph_version=1,
)
GRAPH = replace(PLAN, runner="onnxruntime", runner_version="0.1", precision="fp32", target="x86_64")
ENGINE = bytes(range(256)) * 64

Out = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineCache:
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Here, "wanted", lambda self, spec: replace(spec, graph_version=1))
    cache = EngineCache()
    cache.store(PLAN, ENGINE, build_s=1, parity=PARITY)
    cache.store(GRAPH, ENGINE, build_s=1)
    return cache


def names() -> list[str]:
    return [entry.name for entry in take_inventory(EngineCache()).entries]


def printed(out: Out) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(out.readouterr().out)
    assert data["schema"] == "dbrt.engines/1"
    assert data["folder"] == str(EngineCache().folder)
    return data


def test_list_shows_cards_proof_and_that_nothing_ran(capsys: Out) -> None:
    assert main(["engines", "list"]) == 0
    text = capsys.readouterr().out
    assert "tiny 736x736 fp16, tensorrt-rtx 0.1\n  for     sm_75, sm_89\n" in text
    assert "proof   error 0.00012, 0 gained, 0 lost; not executed on a GPU\n" in text
    assert "tiny 736x736 fp32, onnxruntime 0.1\n" in text
    assert f"file    {PLAN.file_name}\n" in text
    assert "2 engines, 0.0 MB, in" in text


def test_list_says_what_this_machine_would_not_take(
    capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = replace(GRAPH, runner_version="0.2")
    monkeypatch.setattr(
        Here, "wanted", lambda self, spec: newer if spec.runner == "onnxruntime" else spec
    )
    assert main(["engines", "list"]) == 0
    text = capsys.readouterr().out
    line = f"stale   {describe(GRAPH, newer)}: run {GRAPH.build_command}"
    assert "was built with onnxruntime 0.1, here is onnxruntime 0.2: run dbrt build" in line
    assert text.count(line) == text.count("stale ") == 1
    main(["engines", "list", "--json"])
    assert sum(bool(engine["stale"]) for engine in printed(capsys)["engines"]) == 1


def test_list_as_json_holds_everything(capsys: Out) -> None:
    assert main(["engines", "list", "--json", "--runner", "tensorrt"]) == 0
    (engine,) = printed(capsys)["engines"]
    assert engine["spec"] == PLAN.to_dict()
    assert (engine["executed"], engine["parity"], engine["problem"]) == (False, PARITY, None)


def test_an_empty_cache_is_listed(
    capsys: Out, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "none"))
    assert main(["engines", "list"]) == 0
    assert capsys.readouterr().out.startswith("0 engines, 0.0 MB")


def flip(cache: EngineCache, spec: EngineSpec) -> None:
    path = cache.path(spec)
    data = bytearray(path.read_bytes())
    data[9] ^= 1
    path.write_bytes(data)


def test_verify_tells_each_bad_engine_and_exits_6(cache: EngineCache, capsys: Out) -> None:
    assert main(["engines", "verify"]) == 0
    assert "2 engines in" in capsys.readouterr().out
    flip(cache, PLAN)
    cache.path(GRAPH).with_name(f"{GRAPH.file_name}.json").unlink()
    assert main(["engines", "verify"]) == 6
    captured = capsys.readouterr()
    bad = captured.err.splitlines()
    assert len(bad) == 2
    assert any("is corrupt" in line and "run dbrt build" in line for line in bad)
    assert any("can't be read" in line and "run dbrt engines remove" in line for line in bad)
    assert captured.out.endswith(", 2 bad\n")
    assert main(["engines", "verify", "--json", PLAN.digest[:8]]) == 6
    data = printed(capsys)
    assert data["ok"] is False
    assert [engine["ok"] for engine in data["engines"]] == [False]


def test_a_bad_sidecar_is_listed_as_such(cache: EngineCache, capsys: Out) -> None:
    cache.path(GRAPH).with_name(f"{GRAPH.file_name}.json").write_text("[]")
    assert main(["engines", "list"]) == 0
    assert "bad     sidecar" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("chosen", "left"),
    [
        ([PLAN.digest[:8]], [GRAPH]),
        ([PLAN.file_name, GRAPH.file_name], []),
        (["--runner", "onnxruntime"], [PLAN]),
        (["--model", "tiny"], []),
        (["--model", "other"], [PLAN, GRAPH]),
        (["--all"], []),
        (["--stale"], [PLAN, GRAPH]),
    ],
    ids=lambda value: " ".join(value) if value and isinstance(value[0], str) else "",
)
def test_remove_takes_what_is_chosen(chosen: list[str], left: list[Any], capsys: Out) -> None:
    assert main(["engines", "remove", "--yes", *chosen]) == 0
    assert sorted(names()) == sorted(spec.file_name for spec in left)
    assert f"removed {2 - len(left)} engine" in capsys.readouterr().out


def test_stale_removes_what_cannot_be_used_and_leftovers(
    cache: EngineCache, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Here, "wanted", lambda self, spec: replace(spec, graph_version=2))
    (cache.folder / f"{replace(PLAN, batch=2).file_name}.lock").touch()
    assert main(["engines", "remove", "--stale", "--yes", "--json"]) == 0
    data = printed(capsys)
    assert sorted(data["removed"]) == sorted([PLAN.file_name, GRAPH.file_name])
    assert len(data["leftovers"]) == 1
    assert list(cache.folder.iterdir()) == []


def test_nothing_is_removed_unasked(capsys: Out, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["engines", "remove"]) == 2
    assert "nothing to remove" in capsys.readouterr().err
    assert main(["engines", "remove", "--all"]) == 2
    assert "2 engines would be removed: give --yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    asked: list[str] = []

    def refuse(text: str, **_: Any) -> None:
        asked.append(text)
        raise click.Abort

    monkeypatch.setattr(click, "confirm", refuse)
    assert main(["engines", "remove", "--all"]) == 130
    assert asked == ["Remove 2 engines?"]
    assert len(names()) == 2


def test_engines_travel_in_one_file(
    tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = str(tmp_path / "fleet.dbrt")
    assert main(["engines", "export", archive, "--json"]) == 0
    sha256 = printed(capsys)["sha256"]
    assert main(["engines", "export", archive]) == 7
    assert "give --force" in capsys.readouterr().err
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "elsewhere"))
    assert main(["engines", "import", archive, "--sha256", sha256]) == 0
    assert capsys.readouterr().out.count("imported  tiny-736x736") == 2
    assert main(["engines", "import", archive, "--json"]) == 0
    assert {engine["state"] for engine in printed(capsys)["engines"]} == {"there already"}
    assert main(["engines", "verify"]) == 0


def test_export_takes_names_and_filters(tmp_path: Path, capsys: Out) -> None:
    archive = tmp_path / "one.dbrt"
    assert main(["engines", "export", str(archive), PLAN.digest[:8]]) == 0
    assert "1 engine, 0.0 MB\nsha256 " in capsys.readouterr().out
    with zipfile.ZipFile(archive) as file:
        assert PLAN.file_name in file.namelist()
        assert GRAPH.file_name not in file.namelist()


def test_export_writes_a_triton_repository(tmp_path: Path, capsys: Out) -> None:
    folder = tmp_path / "models"
    export = ["engines", "export", "--triton", str(folder)]
    assert main([*export, GRAPH.digest[:8]]) == 0
    name = GRAPH.file_name.removesuffix(".engine")
    assert capsys.readouterr().out == f"{folder / name}  onnxruntime_onnx\n"
    assert (folder / name / "config.pbtxt").is_file()
    assert main([*export, "--json", "--force", "--runner", "onnxruntime"]) == 0
    assert printed(capsys)["models"] == [{"name": name, "platform": "onnxruntime_onnx"}]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["list", "nothere"], 3, "no engine nothere in the cache"),
        (["list", "--runner", "gpu"], 2, "no runner gpu"),
        (["export"], 2, "where to?"),
        (["export", "a.dbrt", "--model", "none"], 2, "no engine to export"),
        (["export", "--triton", "t"], 6, "Triton runs TensorRT alone"),
        (["import", "none.dbrt"], 3, "no archive none.dbrt"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_done_is_one_line(
    arguments: list[str],
    code: int,
    message: str,
    capsys: Out,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["engines", *arguments]) == code
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.count("\n") == 1


FAULTS: dict[str, Callable[[bytearray], bytes]] = {
    "truncated": lambda data: bytes(data[:-100]),
    "garbage": lambda data: b"not an archive",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_archive_is_one_line(
    fault: str, tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "fleet.dbrt"
    main(["engines", "export", str(archive)])
    archive.write_bytes(FAULTS[fault](bytearray(archive.read_bytes())))
    monkeypatch.setenv("DBRT_CACHE", str(tmp_path / "elsewhere"))
    capsys.readouterr()
    assert main(["engines", "import", str(archive)]) == 3
    assert "is cut short or none" in capsys.readouterr().err
    assert names() == []
