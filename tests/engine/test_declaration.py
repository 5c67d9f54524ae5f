"""Detectors from elsewhere: the same network under other names and colours gives the same maps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from dbrt.engine.declaration import KEYS, parse_declared
from dbrt.engine.graph import prepare
from dbrt.engine.modelfile import ModelFile, read_model_file
from dbrt.errors import InputError, UsageError

Maps = NDArray[np.uint8]

# The tiny model's normalisation, in the units of who scales pictures to 0..1 first.
DECLARED = """
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
pixel_max = 1
channels = "rgb"
"""
BGR = """
mean = [0.406, 0.456, 0.485]
std = [0.225, 0.224, 0.229]
pixel_max = 1
channels = "bgr"
"""


def rename(proto: onnx.ModelProto, **names: str) -> None:
    graph = proto.graph
    for value in [*graph.input, *graph.output]:
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for slots in (node.input, node.output):
            for i, name in enumerate(slots):
                slots[i] = names.get(name, name)


def turn_kernel(proto: onnx.ModelProto) -> None:
    """Make the network take BGR."""
    (stem,) = (w for w in proto.graph.initializer if w.name == "stem/kernel_f16")
    turned = np.ascontiguousarray(numpy_helper.to_array(stem)[:, ::-1])
    stem.CopyFrom(numpy_helper.from_array(turned, stem.name))


@pytest.fixture
def foreign(make_model: Callable[..., Any]) -> onnx.ModelProto:
    """The tiny model as somebody else would have exported it."""
    proto: onnx.ModelProto = make_model(threshold_head=False)
    del proto.metadata_props[:]
    rename(proto, image="x", probability="sigmoid_0.tmp_0")
    return proto


def write(folder: Path, proto: onnx.ModelProto, toml: str | None) -> Path:
    path = folder / "det small.onnx"
    path.write_bytes(proto.SerializeToString())
    if toml is not None:
        path.with_suffix(".toml").write_text(toml)
    return path


def maps(model: ModelFile, frames: Maps) -> Maps:
    found: Maps = ReferenceEvaluator(prepare(model, (64, 96), batch=2)).run(
        None, {"frame": frames}
    )[0]
    return found


def assert_same(found: Maps, expected: Maps) -> None:
    # 1: the constants of 0..255 and those of 0..1 differ in their last bits.
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert np.ptp(expected) > 50


def test_a_declared_detector_gives_the_maps_of_the_same_network(
    tmp_path: Path, foreign: onnx.ModelProto, model: ModelFile, frames: Maps
) -> None:
    read = read_model_file(write(tmp_path, foreign, DECLARED))
    assert read.name == "det-small"
    assert np.allclose(read.mean, model.mean)
    assert (read.unit, read.binarize, read.min_score, read.score) == ("word", 0.3, 0.6, "box")
    assert not read.has_threshold_head
    assert_same(maps(read, frames), maps(model, frames))


def test_a_network_of_bgr_is_fed_bgr(
    tmp_path: Path, foreign: onnx.ModelProto, model: ModelFile, frames: Maps
) -> None:
    turn_kernel(foreign)
    read = read_model_file(write(tmp_path, foreign, BGR))
    assert_same(maps(read, frames), maps(model, frames))
    wrong = read_model_file(write(tmp_path, foreign, DECLARED))
    assert np.abs(maps(wrong, frames).astype(int) - maps(model, frames)).max() > 5


def test_colours_are_turned_in_front_of_a_network_without_a_plain_stem(
    tmp_path: Path, foreign: onnx.ModelProto, model: ModelFile, frames: Maps
) -> None:
    turn_kernel(foreign)
    foreign.graph.node[1].input[0] = "same"
    foreign.graph.node.insert(0, helper.make_node("Identity", ["x"], ["same"], "same"))
    read = read_model_file(write(tmp_path, foreign, BGR))
    assert_same(maps(read, frames), maps(model, frames))


def test_inner_tensors_with_our_names_do_not_collide(
    tmp_path: Path, foreign: onnx.ModelProto, model: ModelFile, frames: Maps
) -> None:
    rename(foreign, stem="image", fuse="probability")
    read = read_model_file(write(tmp_path, foreign, DECLARED))
    assert_same(maps(read, frames), maps(model, frames))


def test_graphs_within_nodes_are_renamed_too(
    tmp_path: Path, foreign: onnx.ModelProto, model: ModelFile, frames: Maps
) -> None:
    value = helper.make_tensor_value_info("inner", TensorProto.FLOAT, None)
    branch = helper.make_graph([helper.make_node("Identity", ["x"], ["inner"])], "b", [], [value])
    foreign.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
    node = helper.make_node("If", ["yes"], ["same"], "if", then_branch=branch, else_branch=branch)
    foreign.graph.node[1].input[0] = "same"
    foreign.graph.node.insert(0, node)
    read = read_model_file(write(tmp_path, foreign, DECLARED))
    assert_same(maps(read, frames), maps(model, frames))


def test_names_choose_among_several_outputs(
    tmp_path: Path, make_model: Callable[..., Any], model: ModelFile, frames: Maps
) -> None:
    proto = make_model()
    del proto.metadata_props[:]
    rename(proto, probability="p", threshold="t")
    with pytest.raises(InputError, match="has several, p, t: declare output"):
        read_model_file(write(tmp_path, proto, DECLARED))
    read = read_model_file(write(tmp_path, proto, DECLARED + 'output = "p"\nthreshold = "t"'))
    assert read.has_threshold_head
    assert_same(maps(read, frames), maps(model, frames))
    proto = prepare(read, (64, 96), threshold_head=True)
    assert [output.name for output in proto.graph.output] == ["map", "threshold"]


def test_one_number_stands_for_three_and_the_rest_is_read(
    tmp_path: Path, foreign: onnx.ModelProto
) -> None:
    toml = (
        'mean = 127.5\nstd = 127.5\npixel_max = 255\nchannels = "bgr"\nname = "mine"\n'
        'backbone = "small"\nunit = "line"\nbinarize = 0.2\nmin_score = 0.4\nunclip_ratio = 2\n'
        'score = "region"\n'
    )
    read = read_model_file(write(tmp_path, foreign, toml))
    assert read.mean == read.std == (127.5, 127.5, 127.5)
    assert (read.name, read.backbone, read.unit) == ("mine", "small", "line")
    assert read.decode_options == {
        "binarize": 0.2,
        "min_score": 0.4,
        "unclip_ratio": 2.0,
        "score": "region",
    }


def test_the_command_line_declares_and_wins(tmp_path: Path, foreign: onnx.ModelProto) -> None:
    texts = ["mean=0.5", "std=0.5,0.25,0.5", "pixel-max=1", "channels=rgb"]
    path = write(tmp_path, foreign, None)
    read = read_model_file(path, parse_declared(texts))
    assert read.std == (127.5, 63.75, 127.5)
    path = write(tmp_path, foreign, DECLARED)
    read = read_model_file(path, parse_declared(["min_score=0.1"]))
    assert read.min_score == 0.1


def test_engines_of_two_declarations_are_told_apart(
    tmp_path: Path, foreign: onnx.ModelProto
) -> None:
    path = write(tmp_path, foreign, DECLARED)
    first = read_model_file(path)
    assert read_model_file(path, {"mean": "0.5"}).sha256 != first.sha256
    # What takes effect behind the network needs no other engine.
    assert read_model_file(path, {"min_score": "0.9"}).sha256 == first.sha256
    path.write_bytes(path.read_bytes() + b"\x00")
    with pytest.raises(InputError, match="changed while"):
        first.load()


@pytest.mark.parametrize("key", ["mean", "std", "pixel_max", "channels"])
def test_what_cannot_be_guessed_is_asked_for(
    key: str, tmp_path: Path, foreign: onnx.ModelProto
) -> None:
    toml = "\n".join(line for line in DECLARED.splitlines() if not line.startswith(key))
    with pytest.raises(InputError, match=rf"lacks {key} \("):
        read_model_file(write(tmp_path, foreign, toml))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("unclip = 2", "unknown key 'unclip', nearest is 'unclip_ratio'"),
        ("binarise = 0.3", "nearest is 'binarize'"),
        ("binarize = 3", "bad binarize"),
        ("min_score = true", "min_score must be a text"),
        ('unit = "page"', "bad unit"),
        ('name = "../../x"', "bad name"),
        ('input = "y"', "has x, not y: declare input"),
        ("[table]", "unknown key 'table'"),
        ("mean = 0.5", "is no TOML"),
        ("= 1", "is no TOML"),
    ],
)
def test_a_bad_declaration_is_one_line(
    line: str, message: str, tmp_path: Path, foreign: onnx.ModelProto
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_model_file(write(tmp_path, foreign, f"{DECLARED}{line}\n"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("pixel_max = 1", "pixel_max = 100", "bad pixel_max"),
        ('channels = "rgb"', 'channels = "yuv"', "bad channels"),
        ("std = [0.229, 0.224, 0.225]", "std = [0.229, 0, 0.225]", "bad std"),
        ("mean = [0.485, 0.456, 0.406]", "mean = [0.485, 0.456]", "bad mean"),
    ],
)
def test_a_bad_value_of_what_is_needed_is_named(
    old: str, new: str, message: str, tmp_path: Path, foreign: onnx.ModelProto
) -> None:
    assert old in DECLARED
    with pytest.raises(InputError, match=message):
        read_model_file(write(tmp_path, foreign, DECLARED.replace(old, new)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mean", "is not KEY=VALUE"),
        ("mean=", "is not KEY=VALUE"),
        ("maen=0.5", "no key 'maen', nearest is 'mean'"),
    ],
)
def test_a_bad_option_is_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_declared([text])


def test_a_model_of_dbrt_takes_no_declaration(model: ModelFile) -> None:
    with pytest.raises(UsageError, match="leave out --declare"):
        read_model_file(model.path, {"mean": "0.5"})
    model.path.with_suffix(".toml").write_text("anything = 1")
    assert read_model_file(model.path) == model


def test_a_detector_without_declaration_says_what_to_write(
    tmp_path: Path, foreign: onnx.ModelProto
) -> None:
    with pytest.raises(InputError, match=r"mean, std, pixel_max, channels in det small\.toml"):
        read_model_file(write(tmp_path, foreign, None))


@pytest.mark.parametrize(
    ("kind", "shape", "message"),
    [
        (TensorProto.FLOAT, (1, 64, 64, 3), "takes float 1x64x64x3: dbrt takes"),
        (TensorProto.UINT8, ("n", 3, "h", "w"), r"takes uint8 \?x3x\?x\?"),
        (TensorProto.FLOAT, (3, 64), "takes float 3x64"),
    ],
    ids=["channels last", "bytes", "two sides"],
)
def test_another_form_of_input_is_refused(
    kind: int, shape: tuple[Any, ...], message: str, tmp_path: Path, foreign: onnx.ModelProto
) -> None:
    foreign.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", kind, shape))
    with pytest.raises(InputError, match=message):
        read_model_file(write(tmp_path, foreign, DECLARED))


def test_an_opset_without_the_rounding_is_refused(tmp_path: Path) -> None:
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, (1, 3, 64, 64)) for name in "xy"
    ]
    graph = helper.make_graph(
        [helper.make_node("Sigmoid", ["x"], ["y"])], "g", *[[v] for v in values]
    )
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=4)
    with pytest.raises(InputError, match="has opset 9: export it with opset 11"):
        read_model_file(write(tmp_path, proto, DECLARED))


def test_every_key_is_in_the_manual() -> None:
    page = (Path(__file__).parents[2] / "docs" / "foreign-models.md").read_text("utf-8")
    assert [key for key in KEYS if f"`{key}`" not in page] == []
