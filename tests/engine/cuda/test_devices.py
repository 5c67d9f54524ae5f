from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dbrt.engine.cuda import bindings, pycuda
from dbrt.engine.cuda.device import Device, is_installed, open_device
from dbrt.engine.driver import find_driver
from dbrt.errors import RunnerError

_FAKES = runpy.run_path(str(Path(__file__).with_name("fake_driver.py")))
FakeBindings, FakePycuda = _FAKES["FakeBindings"], _FAKES["FakePycuda"]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget the loaded drivers before and after each test, and leave nothing for the end."""
    monkeypatch.setattr("dbrt.engine.cuda.pycuda.atexit.register", lambda function: function)
    cached: list[Any] = [bindings.load_driver, pycuda.load_driver, pycuda._primary_context]
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


def install(monkeypatch: pytest.MonkeyPatch, package: str, fake: Any) -> None:
    """Put `fake` in the place of `<package>.driver`."""
    module = ModuleType(package)
    module.driver = fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, package, module)
    monkeypatch.setitem(sys.modules, f"{package}.driver", fake)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Any:
    fake = FakeBindings()
    install(monkeypatch, "cuda.bindings", fake)
    monkeypatch.setitem(sys.modules, "cuda", ModuleType("cuda"))
    return fake


@pytest.fixture
def pycuda_driver(monkeypatch: pytest.MonkeyPatch) -> Any:
    fake = FakePycuda()
    install(monkeypatch, "pycuda", fake)
    return fake


def make_device(request: pytest.FixtureRequest, backend: str) -> tuple[Device, Any]:
    fake = request.getfixturevalue("cuda" if backend == "cuda-bindings" else "pycuda_driver")
    return open_device(0, backend), fake


both = pytest.mark.parametrize("backend", ["cuda-bindings", "pycuda"])


@both
def test_the_card_is_named(request: pytest.FixtureRequest, backend: str) -> None:
    device, _ = make_device(request, backend)
    assert (device.name, device.target, device.backend) == ("Test Card", "sm_89", backend)


@both
def test_the_primary_context_is_current_inside_only(
    request: pytest.FixtureRequest, backend: str
) -> None:
    device, fake = make_device(request, backend)
    made = {"cuda-bindings": "cuDevicePrimaryCtxRetain", "pycuda": "retain_primary_context"}
    push, pop = {
        "cuda-bindings": ("cuCtxPushCurrent", "cuCtxPopCurrent"),
        "pycuda": ("push", "pop"),
    }[backend]
    assert fake.names().count(made[backend]) == 1
    assert push not in fake.names()
    with device.current(), device.current():
        assert fake.names().count(push) == 2
    with pytest.raises(KeyError), device.current():
        raise KeyError
    assert fake.names().count(pop) == 3
    device.close()
    device.close()
    with pytest.raises(RuntimeError, match="closed"), device.current():
        pass


def test_cuda_bindings_releases_the_context_once(cuda: Any) -> None:
    device = open_device(0, "cuda-bindings")
    device.close()
    device.close()
    assert cuda.names().count("cuDevicePrimaryCtxRelease") == 1


def test_pycuda_detaches_the_context_when_the_process_ends(
    pycuda_driver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_exit: list[Callable[[], None]] = []
    monkeypatch.setattr("dbrt.engine.cuda.pycuda.atexit.register", at_exit.append)
    for _ in range(2):
        open_device(0, "pycuda").close()
    assert "detach" not in pycuda_driver.names()
    (detach,) = at_exit
    detach()
    assert pycuda_driver.names().count("detach") == 1


def use_everything(device: Device, fake: Any) -> tuple[list[tuple[Any, ...]], list[str], int]:
    """Make one of each, use it, free it twice.

    returns  what the driver was asked in using, in freeing, and the address of the host's memory
    """
    memory, pinned = device.allocate(64), device.allocate_pinned(64)
    assert pinned.array.shape == (64,)
    assert pinned.array.dtype == np.uint8
    stream, event = device.make_stream(), device.make_event()
    kernel = device.load_kernel(b"image", "letterbox")
    fake.log.clear()
    device.copy_to_device(memory.address + 8, pinned.array[:16], stream)
    record = np.zeros((), np.dtype([("x", np.uint64), ("y", np.int32)], align=True))
    kernel.launch((3, 2), (32, 8), record, stream)
    device.copy_to_host(pinned.array[:4], memory.address, stream)
    event.record(stream)
    event.synchronize()
    stream.synchronize()
    log, address = list(fake.log), pinned.array.ctypes.data
    fake.log.clear()
    for each in (kernel, event, stream, pinned, memory):
        each.free()
        each.free()
    return log, fake.names(), address


def test_cuda_bindings_are_given_addresses_and_handles(cuda: Any) -> None:
    device = open_device(0, "cuda-bindings")
    with device.current():
        log, freed, address = use_everything(device, cuda)
    assert log[1][:10] == ("cuLaunchKernel", 42, 3, 2, 1, 32, 8, 1, 0, 21)
    assert [log[0], *log[2:]] == [
        ("cuMemcpyHtoDAsync", 0x5008, address, 16, 21),
        ("cuMemcpyDtoHAsync", address, 0x5000, 4, 21),
        ("cuEventRecord", 31, 21),
        ("cuEventSynchronize", 31),
        ("cuStreamSynchronize", 21),
    ]
    assert freed == [
        *("cuModuleUnload", "cuEventDestroy", "cuStreamDestroy", "cuMemFreeHost", "cuMemFree")
    ]


def test_pycuda_is_given_its_own_objects(pycuda_driver: Any) -> None:
    device = open_device(0, "pycuda")
    with device.current():
        log, freed, _ = use_everything(device, pycuda_driver)
    copy, launch, back, record, *waits = log
    assert (copy[:3], back[:3]) == (
        ("memcpy_htod_async", 0x5008, 16),
        ("memcpy_dtoh_async", 4, 0x5000),
    )
    assert waits == [("Event.synchronize",), ("Stream.synchronize",)]
    _, value, named = launch
    assert isinstance(value, np.void)  # PyCUDA passes it by value
    assert (named["grid"], named["block"]) == ((3, 2), (32, 8, 1))
    streams = {copy[3], named["stream"], back[3], record[1]}
    assert len(streams) == 1
    assert None not in streams
    assert freed == ["free pinned", "free device"]  # the others when nobody holds them


def test_streams_do_not_wait_for_the_default_one_and_events_let_a_thread_sleep(cuda: Any) -> None:
    device = open_device(0, "cuda-bindings")
    with device.current():
        device.make_stream()
        device.make_event()
    assert ("cuStreamCreate", 1) in cuda.log  # CU_STREAM_NON_BLOCKING
    assert ("cuEventCreate", 3) in cuda.log  # CU_EVENT_BLOCKING_SYNC | CU_EVENT_DISABLE_TIMING


@both
def test_graphs_are_captured_on_this_thread_alone(
    request: pytest.FixtureRequest, backend: str, cuda: Any
) -> None:
    device, _ = make_device(request, backend)
    ran = []
    with device.current():
        stream = device.make_stream()
        cuda.log.clear()
        graph = device.capture(stream, lambda: ran.append("enqueued"))
        graph.launch(stream)
        graph.free()
        graph.free()
    assert ran == ["enqueued"]
    log = [entry for entry in cuda.log if entry[0] not in ("cuInit", "cuCtxPopCurrent")]
    assert log == [
        ("cuStreamBeginCapture", 21, 1),  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        ("cuStreamEndCapture", 21),
        ("cuGraphInstantiate", 51, 0),
        ("cuGraphDestroy", 51),
        ("cuGraphLaunch", 52, 21),
        ("cuGraphExecDestroy", 52),
    ]


def test_a_capture_that_fails_leaves_the_stream_as_it_was(cuda: Any) -> None:
    device = open_device(0, "cuda-bindings")

    def fail() -> None:
        raise RunnerError("enqueue failed")

    with device.current():
        stream = device.make_stream()
        cuda.fail["cuStreamEndCapture"] = "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"
        with pytest.raises(RunnerError, match="enqueue failed"):
            device.capture(stream, fail)
        assert cuda.names()[-1] == "cuStreamEndCapture"
        with pytest.raises(
            RunnerError, match="cuStreamEndCapture: CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"
        ):
            device.capture(stream, lambda: None)
        del cuda.fail["cuStreamEndCapture"]
        with pytest.raises(RunnerError, match="enqueue failed"):
            device.capture(stream, fail)
        assert cuda.names()[-1] == "cuGraphDestroy"


@pytest.mark.parametrize(
    ("function", "use"),
    [
        ("cuMemAlloc", lambda device: device.allocate(1)),
        ("cuMemHostAlloc", lambda device: device.allocate_pinned(1)),
        ("cuStreamCreate", lambda device: device.make_stream()),
        ("cuEventCreate", lambda device: device.make_event()),
        ("cuModuleLoadData", lambda device: device.load_kernel(b"", "letterbox")),
    ],
)
def test_a_status_becomes_an_error_with_both_names(
    cuda: Any, function: str, use: Callable[[Device], Any]
) -> None:
    device = open_device(0, "cuda-bindings")
    cuda.fail[function] = "CUDA_ERROR_OUT_OF_MEMORY"
    with device.current():
        with pytest.raises(RunnerError, match=f"CUDA failed in {function}: CUDA_ERROR_OUT_OF_M"):
            use(device)


@pytest.mark.parametrize(
    ("what", "use"),
    [
        ("mem_alloc", lambda device: device.allocate(1)),
        ("pagelocked_empty", lambda device: device.allocate_pinned(1)),
        ("Stream", lambda device: device.make_stream()),
        ("Event", lambda device: device.make_event()),
        ("module_from_buffer", lambda device: device.load_kernel(b"", "letterbox")),
    ],
)
def test_pycudas_exceptions_become_errors_too(
    pycuda_driver: Any, what: str, use: Callable[[Device], Any]
) -> None:
    device = open_device(0, "pycuda")
    pycuda_driver.fail[what] = "out of memory"
    with device.current(), pytest.raises(RunnerError, match=f"^CUDA failed in {what} failed: out"):
        use(device)


def test_pycuda_is_taken_where_it_is_installed(pycuda_driver: Any, cuda: Any) -> None:
    assert open_device().backend == "pycuda"


def test_cuda_bindings_stand_in_for_it(cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbrt.engine.cuda.device.is_installed", lambda module: module != "pycuda")
    assert open_device().backend == "cuda-bindings"


def test_cuda_bindings_stand_in_for_a_pycuda_that_is_broken(
    cuda: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken = ModuleType("pycuda")
    broken.__path__ = []  # a package without a driver module
    monkeypatch.setitem(sys.modules, "pycuda", broken)
    assert open_device().backend == "cuda-bindings"
    assert "pycuda can't be loaded" in caplog.text
    assert "going on with cuda-bindings" in caplog.text


def test_without_either_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbrt.engine.cuda.device.is_installed", lambda module: False)
    with pytest.raises(
        RunnerError, match=r"neither pycuda nor cuda-bindings .*: pip install cuda-"
    ):
        open_device()


def test_a_card_that_is_not_there_is_refused(cuda: Any) -> None:
    with pytest.raises(RunnerError, match="shows 1 GPUs, not number 1: look at nvidia-smi"):
        open_device(1, "cuda-bindings")


def test_no_card_is_an_error_by_name(cuda: Any) -> None:
    cuda.fail["cuInit"] = "CUDA_ERROR_NO_DEVICE"
    with pytest.raises(RunnerError, match=r"no NVIDIA driver .*CUDA_ERROR_NO_DEVICE.*: install"):
        open_device(0, "cuda-bindings")


def test_pycuda_without_a_driver_is_one_line(
    monkeypatch: pytest.MonkeyPatch, pycuda_driver: Any
) -> None:
    pycuda_driver.fail["init"] = "no device"
    with pytest.raises(RunnerError, match="no NVIDIA driver can be used here"):
        open_device(0, "pycuda")


def test_a_pycuda_that_is_broken_is_told_from_one_without_a_driver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "pycuda", None)
    with pytest.raises(RunnerError, match=r"pycuda can't be loaded .*pip uninstall pycuda"):
        open_device(0, "pycuda")


def test_no_driver_is_one_line() -> None:
    pytest.importorskip("cuda.bindings.driver", reason="no cuda-bindings is here")
    try:
        find_driver()
    except RunnerError:
        with pytest.raises(
            RunnerError, match=r"^no NVIDIA driver can be used here .*: install"
        ) as e:
            bindings.load_driver()
        assert "\n" not in str(e.value)
    else:
        pytest.skip("an NVIDIA driver is here")


def test_the_doubles_names_and_numbers_are_the_real_cuda_bindings() -> None:
    driver = pytest.importorskip("cuda.bindings.driver", reason="no cuda-bindings is here")
    fake = FakeBindings
    names = (*fake.ANSWERS, *fake.QUIET, *fake.SPECIAL)
    assert [name for name in names if not hasattr(driver, name)] == []
    attributes = vars(fake.CUdevice_attribute)
    assert {
        name: int(getattr(driver.CUdevice_attribute, name)) for name in attributes
    } == attributes
    modes = vars(fake.CUstreamCaptureMode)
    assert {name: int(getattr(driver.CUstreamCaptureMode, name)) for name in modes} == modes
    assert {e.name: int(getattr(driver.CUresult, e.name)) for e in fake.CUresult} == {
        e.name: int(e) for e in fake.CUresult
    }


def test_a_module_is_found_without_importing_it() -> None:
    assert is_installed("numpy")
    assert not is_installed("no_such_module_anywhere")
