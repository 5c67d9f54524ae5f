from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dbrt.engine.mismatch import describe, missing, nearest
from dbrt.engine.spec import EngineSpec

WANTED = EngineSpec(
    model_name="dbrt-r18",
    model_sha256="ab" * 32,
    shape=(736, 736),
    batch=1,
    precision="fp16",
    runner="tensorrt",
    runner_version="tensorrt 10.16.1.11",
    target="sm_89",
    graph_version=2,
)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"target": "sm_75"}, "was built for sm_75, this machine is sm_89"),
        ({"target": "sm_75+sm_86"}, "was built for sm_75, sm_86, this machine is sm_89"),
        (
            {"runner_version": "tensorrt-rtx 1.7"},
            "was built with tensorrt-rtx 1.7, here is tensorrt 10.16.1.11",
        ),
        ({"model_sha256": "cd" * 32}, "is of another dbrt-r18 (SHA-256 cdcdcdcd..., here abababab"),
        ({"model_name": "m", "model_sha256": "cd"}, "is of model m, not dbrt-r18"),
        ({"shape": (416, 736)}, "is for 416x736, not 736x736"),
        ({"precision": "fp32"}, "is in fp32, not fp16"),
        ({"batch": 4}, "takes 4 frames a call, not 1"),
        ({"graph_version": 1}, "is of graph version 1, this dbrt makes 2"),
        ({"threshold_head": True}, "is with the threshold map"),
        ({"runner": "openvino"}, "is for openvino, not tensorrt"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_both_sides_of_a_difference_are_named(change: dict[str, Any], text: str) -> None:
    assert describe(replace(WANTED, **change), WANTED).startswith(text)


OTHER: dict[str, Any] = {"shape": (64, 64), "batch": 9, "graph_version": 9, "threshold_head": True}


@pytest.mark.parametrize("field", [field for field in WANTED.to_dict() if field != "model_name"])
def test_every_field_has_its_words(field: str) -> None:
    assert describe(replace(WANTED, **{field: OTHER.get(field, "other")}), WANTED)


def test_an_engine_for_more_cards_serves() -> None:
    assert describe(replace(WANTED, target="sm_75+sm_89"), WANTED) == ""


def test_what_is_missing_is_told_with_the_nearest_and_the_command() -> None:
    other_card = replace(WANTED, target="sm_75")
    far = replace(WANTED, target="sm_75", shape=(320, 320), precision="fp32")
    assert nearest([far, other_card], WANTED) is other_card
    line = missing([far, other_card], WANTED)
    assert line == (
        "there is no engine of dbrt-r18 at 736x736 in fp16 for tensorrt: "
        f"{other_card.file_name} was built for sm_75, this machine is sm_89: "
        f"run {WANTED.build_command}"
    )


def test_engines_of_other_models_and_runners_are_no_help() -> None:
    others = [replace(WANTED, model_name="m"), replace(WANTED, runner="openvino")]
    assert missing(others, WANTED).endswith(f"for tensorrt: run {WANTED.build_command}")
