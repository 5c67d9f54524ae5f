"""Builds with the real TensorRT-RTX, which needs no GPU for them."""

from __future__ import annotations

import functools
import hashlib
import itertools
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from dbrt.benchmarks.skeleton import fill
from dbrt.engine.graph import GRAPH_VERSION, prepare
from dbrt.engine.half import Islands, bfloat16_islands, fold_weights, to_precision
from dbrt.engine.modelfile import ModelFile, find_model, read_model_file
from dbrt.engine.runner import BuildOptions
from dbrt.engine.spec import EngineSpec
from dbrt.engine.tensorrt.builder import build_plan, compile_engine
from dbrt.engine.tensorrt.depthwise import widen_depthwise
from dbrt.engine.tensorrt.library import Library, load_library
from dbrt.errors import EngineError, RunnerError, UsageError

pytest.importorskip("tensorrt_rtx")

ALL = "sm_75+sm_80+sm_86+sm_89+sm_120+sm_121"
MODELS = ("dbrt-lite", "resnet18.skeleton", "resnet50.skeleton")
# Of the backbone, its pyramid and the head.
CONVOLUTIONS = {"dbrt-lite": 60, "resnet18.skeleton": 29, "resnet50.skeleton": 62}


@pytest.fixture(scope="module")
def library() -> Library:
    return load_library("tensorrt-rtx")


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ModelFile]:
    """Return a model of the package by name; skeletons are filled with seeded weights."""
    folder = tmp_path_factory.mktemp("models")
    shipped = find_model("dbrt-lite").parent

    @functools.cache
    def read(name: str) -> ModelFile:
        path = shipped / f"{name}.onnx"
        if name.endswith(".skeleton"):
            filled = fill(onnx.load(path))
            path = folder / path.name
            path.write_bytes(filled.SerializeToString())
        return read_model_file(path)

    return read


def make_spec(library: Library, model: ModelFile, **changed: object) -> EngineSpec:
    spec = EngineSpec(
        model_name=model.name,
        model_sha256=model.sha256,
        shape=(64, 96),
        batch=1,
        precision="fp16",
        runner="tensorrt",
        runner_version=library.title,
        target="sm_89",
        graph_version=GRAPH_VERSION,
    )
    return replace(spec, **changed)  # type: ignore[arg-type]


def typed(model: ModelFile, spec: EngineSpec) -> onnx.ModelProto:
    """The typed graph without a look at its range, which takes longer than the build."""
    plain = fold_weights(prepare(model, spec.shape, batch=spec.batch, rewrite=False))
    islands = bfloat16_islands(plain) if spec.precision == "bf16" else None
    return to_precision(plain, spec.precision, *([islands] if islands else []))


def targets_of(plan: bytes) -> int:
    """Return the mask of cards in a plan's header (TensorRT-RTX 1.7; undocumented)."""
    assert plan[:4] == b"vtrt"
    return int.from_bytes(plan[32:36], "little")


@pytest.mark.parametrize(
    ("name", "shape"),
    [*itertools.product(MODELS, [(320, 320), (512, 512), (736, 736)]), ("dbrt-lite", (416, 736))],
    ids=str,
)
def test_every_model_builds_at_every_size_in_float16(
    name: str,
    shape: tuple[int, int],
    real: Callable[[str], ModelFile],
    library: Library,
) -> None:
    model = real(name)
    spec = make_spec(library, model, shape=shape)
    graph = typed(model, spec)
    weights = sum(
        numpy_helper.to_array(tensor).size
        for tensor in graph.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT16
    )
    built = build_plan(library, graph.SerializeToString(), spec)
    assert built.census.layers["convolution"] == {"fp16": CONVOLUTIONS[name]}
    assert built.census.layers["deconvolution"] == {"fp16": 2}
    assert set(built.census.totals) == {"fp16", "uint8"}
    assert built.census.islands == ()
    # Two bytes a weight and the code, not four: the census is not all that says so.
    assert 2 * weights < len(built.data) < 3 * weights + 5e6


@pytest.mark.parametrize(
    ("target", "mask"), [("sm_75", 1), ("sm_86", 4), ("sm_89", 8), ("sm_120", 16), (ALL, 63)]
)
def test_engines_are_built_for_cards_that_are_not_here(
    target: str, mask: int, model: ModelFile, library: Library
) -> None:
    spec = make_spec(library, model, target=target)
    built = build_plan(library, typed(model, spec).SerializeToString(), spec)
    assert targets_of(built.data) == mask


@pytest.mark.parametrize("target", ["sm_90", "sm_999"])
def test_a_card_that_the_library_does_not_know_is_named(
    target: str, model: ModelFile, library: Library
) -> None:
    spec = make_spec(library, model, target=target)
    with pytest.raises(EngineError, match=f"can't build for {target.replace('sm_', 'SM')}"):
        build_plan(library, typed(model, spec).SerializeToString(), spec)


def test_bfloat16_builds_with_named_islands(model: ModelFile, library: Library) -> None:
    spec = make_spec(library, model, precision="bf16")
    compiled = compile_engine(model, spec, BuildOptions(), lambda *_: None)
    census = compiled.record["census"]
    assert census["layers"]["convolution"] == {"bf16": 2}
    assert census["layers"]["deconvolution"] == {"fp32": 1}
    assert "probability_up" in census["islands"]


def test_the_same_spec_gives_the_same_bytes(model: ModelFile, library: Library) -> None:
    spec = make_spec(library, model)
    digests = {
        hashlib.sha256(compile_engine(model, spec, BuildOptions(), lambda *_: None).data).digest()
        for _ in range(2)
    }
    assert len(digests) == 1


def test_a_build_tells_what_it_made(model: ModelFile, library: Library) -> None:
    phases: list[str] = []
    compiled = compile_engine(
        model,
        make_spec(library, model),
        BuildOptions(workspace_bytes=1 << 28, optimization_level=2),
        lambda phase, done, total: phases.append(phase),
    )
    assert compiled.graph is not None
    assert compiled.record["library"] == library.title
    assert compiled.record["options"] == {"workspace_bytes": 1 << 28, "optimization_level": 2}
    assert compiled.record["census"]["totals"]["fp16"] > 10
    assert compiled.record["ranges"]["islands"] == {}
    assert phases[0] == "checking the range of float16"
    assert "Building engine" in phases


def test_a_float32_graph_is_no_float16_engine(model: ModelFile, library: Library) -> None:
    graph = typed(model, make_spec(library, model, precision="fp32"))
    with pytest.raises(EngineError, match=r"of the layers are not fp16 \(.*, \.\.\.\): no engine"):
        build_plan(library, graph.SerializeToString(), make_spec(library, model))


def test_one_float32_layer_outside_the_islands_is_found(model: ModelFile, library: Library) -> None:
    spec = make_spec(library, model)
    plain = fold_weights(prepare(model, spec.shape, rewrite=False))
    graph = to_precision(plain, "fp16", Islands(frozenset({"deep"})))
    with pytest.raises(EngineError, match=r"^1 of the layers are not fp16 \(deep\)"):
        build_plan(library, graph.SerializeToString(), spec)
    built = build_plan(library, graph.SerializeToString(), spec, islands={"deep"})
    assert "deep" in built.census.islands


def test_a_float16_graph_is_no_float32_engine(model: ModelFile, library: Library) -> None:
    graph = typed(model, make_spec(library, model))
    spec = make_spec(library, model, precision="fp32")
    with pytest.raises(EngineError, match="are not fp32"):
        build_plan(library, graph.SerializeToString(), spec)


@pytest.mark.parametrize(
    "data",
    [b"", b"hello world " * 40, b"xxx" * 40, bytes(300)],
    ids=["empty", "text", "letters", "zeros"],
)
def test_what_is_no_graph_is_refused(data: bytes, model: ModelFile, library: Library) -> None:
    with pytest.raises(EngineError, match="refuses the graph of tiny") as told:
        build_plan(library, data, make_spec(library, model))
    assert "\n" not in str(told.value)


def test_a_graph_that_was_cut_short_is_refused(model: ModelFile, library: Library) -> None:
    spec = make_spec(library, model)
    data = typed(model, spec).SerializeToString()
    with pytest.raises(EngineError, match="refuses the graph of tiny"):
        build_plan(library, data[: len(data) // 2], spec)


def test_an_operator_that_the_library_lacks_is_named(model: ModelFile, library: Library) -> None:
    spec = make_spec(library, model)
    graph = typed(model, spec)
    graph.graph.node[3].op_type = "Nonsense"
    with pytest.raises(EngineError, match=r"refuses the graph of tiny: node 3: .*"):
        build_plan(library, graph.SerializeToString(), spec)


def test_a_dangling_input_is_refused(model: ModelFile, library: Library) -> None:
    spec = make_spec(library, model)
    graph = typed(model, spec)
    graph.graph.node[2].input[0] = "nowhere"
    with pytest.raises(EngineError, match="refuses the graph"):
        build_plan(library, graph.SerializeToString(), spec)


def test_another_version_of_the_library_is_no_match(model: ModelFile, library: Library) -> None:
    spec = make_spec(library, model, runner_version="tensorrt-rtx 0.1")
    with pytest.raises(RunnerError, match=r"tensorrt-rtx 0\.1 is needed, here is tensorrt-rtx 1"):
        compile_engine(model, spec, BuildOptions(), lambda *_: None)


def test_rtx_keeps_no_timings(model: ModelFile, library: Library, tmp_path: Path) -> None:
    options = BuildOptions(timing_cache=tmp_path / "timings")
    with pytest.raises(UsageError, match="tensorrt-rtx has no timing cache"):
        compile_engine(model, make_spec(library, model), options, lambda *_: None)


class _StopError(Exception):
    pass


@pytest.mark.parametrize("phase", ["Building engine", "Cloning network graph"])
def test_what_progress_raises_ends_the_build(
    phase: str, model: ModelFile, library: Library
) -> None:
    spec = make_spec(library, model)
    after: list[str] = []

    def stop(name: str, done: int, total: int) -> None:
        if after:
            after.append(name)
        if name == phase:
            after.append(name)
            raise _StopError

    with pytest.raises(_StopError):
        build_plan(library, typed(model, spec).SerializeToString(), spec, (), BuildOptions(), stop)
    assert len(after) < 20  # of some 200: it stopped, it did not go on to its end
    assert not any(thread.name == "dbrt-tensorrt-build" for thread in threading.enumerate())


def test_depthwise_convolutions_do_not_swell_the_plan_for_turing(
    real: Callable[[str], ModelFile], library: Library
) -> None:
    model = real("dbrt-lite")
    spec = make_spec(library, model, shape=(64, 64), target="sm_75")
    graph = typed(model, spec)
    swollen = len(build_plan(library, graph.SerializeToString(), spec).data)
    assert widen_depthwise(graph.graph) == 17
    built = len(build_plan(library, graph.SerializeToString(), spec).data)
    assert built < 8e6
    assert swollen > built


def test_a_widened_convolution_is_the_same() -> None:
    ort = pytest.importorskip("onnxruntime")
    seed = np.random.default_rng(4)
    kernel = seed.normal(0, 1, (16, 1, 3, 3)).astype(np.float32)
    x = seed.normal(0, 1, (1, 16, 9, 7)).astype(np.float32)
    node = helper.make_node("Conv", ["x", "k"], ["y"], "c", group=16, pads=[1] * 4)
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, x.shape)],
        [numpy_helper.from_array(kernel, "k")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def run() -> NDArray[Any]:
        session = ort.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        return np.asarray(session.run(None, {"x": x})[0])

    expected = run()
    assert widen_depthwise(model.graph) == 1
    assert helper.get_attribute_value(model.graph.node[0].attribute[0]) == 2
    np.testing.assert_allclose(run(), expected, rtol=1e-5, atol=1e-6)
    assert widen_depthwise(model.graph) == 0
