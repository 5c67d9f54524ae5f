"""Loading plans with the real library, as far as it goes without a GPU."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dbrt.engine import select
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.spec import EngineSpec
from dbrt.engine.tensorrt.library import Library, load_library
from dbrt.engine.tensorrt.loaded import LoadedEngine
from dbrt.engine.tensorrt.runner import TensorRtRunner
from dbrt.errors import EngineError, RunnerError


@pytest.fixture
def library() -> Library:
    try:
        return load_library("tensorrt-rtx")
    except RunnerError as exc:
        pytest.skip(str(exc))


@pytest.mark.parametrize("plan", [b"", b"garbage", bytes(4096)], ids=["empty", "text", "zeros"])
def test_what_is_no_plan_is_refused_with_the_build_line(
    library: Library, make_spec: Callable[..., EngineSpec], plan: bytes
) -> None:
    with pytest.raises(EngineError, match=r"refuses the engine .*: run dbrt build ") as caught:
        LoadedEngine(library, plan, make_spec("rtx"))
    assert "\n" not in str(caught.value)


def test_without_a_gpu_the_library_refuses_a_good_plan_too(
    library: Library, model: ModelFile
) -> None:
    if not TensorRtRunner.obstacle():
        pytest.skip("an NVIDIA driver is here: tests/gpu loads the plan")
    plan = TensorRtRunner.plan("fp16", ("sm_89",))
    spec = select.make_spec(model, TensorRtRunner, plan, shape=(64, 96))
    data = TensorRtRunner.compile(model, spec).data
    with pytest.raises(EngineError, match=rf"^{library.title} refuses the engine "):
        LoadedEngine(library, data, spec)
