from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dbrt.engine.spec import (
    EngineSpec,
    check_shape,
    check_size,
    parse_pair,
    parse_shape,
    parse_targets,
    shape_for_frame,
)
from dbrt.errors import EngineError, UsageError

SPEC = EngineSpec(
    model_name="dbrt-lite",
    model_sha256="ab" * 32,
    shape=(416, 736),
    batch=1,
    precision="bf16",
    runner="openvino",
    runner_version="2026.4.1",
    target="x86_64",
    graph_version=1,
)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_name", "other"),
        ("model_sha256", "cd" * 32),
        ("shape", (736, 416)),
        ("batch", 2),
        ("precision", "fp32"),
        ("runner", "onnxruntime"),
        ("runner_version", "2026.4.2"),
        ("target", "aarch64"),
        ("graph_version", 2),
        ("threshold_head", True),
    ],
)
def test_every_field_changes_the_digest_and_is_named(field: str, value: Any) -> None:
    other = replace(SPEC, **{field: value})
    assert other.digest != SPEC.digest
    assert SPEC.difference(other).startswith(field.replace("_", " "))


def test_the_digest_is_the_same_in_every_process() -> None:
    assert SPEC.digest[:8] == "4b5f9735"


def test_the_file_name_is_the_architectures() -> None:
    assert SPEC.file_name == f"dbrt-lite-416x736-bf16-openvino-{SPEC.digest[:8]}.engine"


def test_a_spec_survives_its_json() -> None:
    assert EngineSpec.from_dict(SPEC.to_dict()) == SPEC
    assert SPEC.difference(SPEC) == ""


@pytest.mark.parametrize("data", [{}, {"shape": [1]}, {**SPEC.to_dict(), "more": 1}])
def test_what_is_no_spec_is_refused(data: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match="sidecar"):
        EngineSpec.from_dict(data)


@pytest.mark.parametrize(
    ("spec", "option"),
    [
        (SPEC, "dbrt build --shape 416x736 --model dbrt-lite --runner openvino --precision bf16 "),
        (replace(SPEC, shape=(736, 736)), "--size 736 "),
        (replace(SPEC, model_name="mine"), "--model mine.onnx "),
        (replace(SPEC, batch=4), "--batch 4 "),
    ],
)
def test_the_build_command_names_the_engine(spec: EngineSpec, option: str) -> None:
    assert option in spec.build_command


@pytest.mark.parametrize("size", [64, 320, 736, 4096])
def test_valid_sizes_pass(size: int) -> None:
    assert check_size(size) == size


@pytest.mark.parametrize(
    ("size", "nearest"),
    [
        (700, "take 672 or 704"),
        (65, "take 64 or 96"),
        (63, "take 64"),
        (0, "take 64"),
        (-32, "take 64"),
        (4095, "take 4064 or 4096"),
        (9999, "take 4096"),
    ],
)
def test_a_bad_size_is_answered_with_the_nearest(size: int, nearest: str) -> None:
    with pytest.raises(UsageError, match=f"{nearest}$"):
        check_size(size)


def test_a_bad_shape_names_the_side() -> None:
    assert check_shape((32, 4096)) == (32, 4096)
    with pytest.raises(UsageError, match="width 100 "):
        check_shape((64, 100))


@pytest.mark.parametrize(
    ("size", "height", "width", "shape"),
    [
        (736, 720, 1280, (416, 736)),
        (736, 1280, 720, (736, 416)),
        (736, 736, 736, (736, 736)),
        (512, 1080, 1920, (288, 512)),
        (320, 1, 4000, (32, 320)),
        (64, 1, 1, (64, 64)),
        (736, 737, 736, (736, 736)),
    ],
)
def test_the_shape_for_a_frame_is_the_scaled_frame_rounded_up(
    size: int, height: int, width: int, shape: tuple[int, int]
) -> None:
    assert shape_for_frame(size, height, width) == shape


def test_a_frame_without_pixels_has_no_shape() -> None:
    with pytest.raises(UsageError, match="0x5"):
        shape_for_frame(736, 5, 0)


@pytest.mark.parametrize("text", ["736x1280", " 736X1280 "])
def test_a_shape_is_read_from_text(text: str) -> None:
    assert parse_shape(text) == (736, 1280)


@pytest.mark.parametrize("text", ["", "736", "736x", "x736", "7x3x6", "-32x64", "1e3x64", "٣٢x64"])
def test_a_text_that_is_no_shape_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not HEIGHTxWIDTH: write for example 736x1280"):
        parse_shape(text)


@pytest.mark.parametrize("size", ["736", 736.0, None])
def test_a_size_that_is_no_whole_number_is_refused(size: Any) -> None:
    with pytest.raises(UsageError, match=f"size {size!r} is not a whole number"):
        check_size(size)


@pytest.mark.parametrize("shape", [736, (736,), "736x1280"])
def test_a_shape_that_is_no_pair_is_refused(shape: Any) -> None:
    with pytest.raises(UsageError, match=r"is not \(height, width\)"):
        check_shape(shape)


def test_the_example_has_the_order_that_is_asked_for() -> None:
    with pytest.raises(UsageError, match="not WIDTHxHEIGHT: write for example 1280x720"):
        parse_pair("1280", "--frame", "WIDTHxHEIGHT")


def test_a_shape_in_text_is_checked() -> None:
    with pytest.raises(UsageError, match="width 100 "):
        parse_shape("64x100")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sm75", ("sm_75",)),
        ("sm_89,SM75", ("sm_75", "sm_89")),
        (" sm120 , sm86, sm86", ("sm_86", "sm_120")),
    ],
)
def test_targets_are_sorted_and_each_there_once(text: str, expected: tuple[str, ...]) -> None:
    assert parse_targets(text) == expected


@pytest.mark.parametrize("text", ["", "75", "sm", "sm75,", "sm7x", "sm75 sm86", "2080ti"])
def test_what_names_no_card_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="names no cards: write for example sm75,sm86"):
        parse_targets(text)


@pytest.mark.parametrize(
    ("mine", "wanted", "covers"),
    [
        ("sm_75+sm_89", "sm_89", True),
        ("sm_75+sm_89", "sm_75+sm_89", True),
        ("sm_89", "sm_75+sm_89", False),
        ("sm_89", "sm_9", False),
        ("sm_120", "sm_12", False),
    ],
)
def test_an_engine_covers_the_cards_that_it_was_built_for(
    mine: str, wanted: str, covers: bool
) -> None:
    built = replace(SPEC, target=mine)
    assert built.covers(replace(SPEC, target=wanted)) is covers
    assert not built.covers(replace(SPEC, target=wanted, batch=SPEC.batch + 1))


def test_an_engine_for_several_cards_is_built_anew_for_them() -> None:
    several = replace(SPEC, runner="tensorrt", target="sm_75+sm_89")
    assert several.targets == ("sm_75", "sm_89")
    assert "--target sm75,sm89 --force" in several.build_command
    assert "--target" not in replace(several, target="sm_89").build_command
