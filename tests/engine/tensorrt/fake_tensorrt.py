"""A double of the `tensorrt` module, its classes made from tests/reference/tensorrt_api.json.

Classes have the members of one version and no others; methods take what the version's signatures
take. What a member does is given by the test as a function of the object and the arguments; one
that is given none raises NotImplementedError.
"""

from __future__ import annotations

import enum
import inspect
import itertools
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

Behaviour = Callable[..., Any]


def make_module(
    api: dict[str, Any], version: str, behaviours: dict[str, Behaviour]
) -> SimpleNamespace:
    """Make the module of one version.

    behaviours  {"Runtime.deserialize_cuda_engine": function}; a property's is called with the
                object alone. Names that the version does not have are left out.
    """
    module = SimpleNamespace(__version__=version)
    for name, members in api["classes"].items():
        here = {member: _form(forms, version) for member, forms in members.items()}
        here = {member: form for member, form in here.items() if form}
        if not here:
            continue
        values = [m for m, form in here.items() if form == "value" and "." not in m]
        if values and name != "ILogger":
            made: Any = enum.Enum(name, values)  # type: ignore[misc]
        else:
            made = type(name, (), _attributes(module, name, here, behaviours))
        setattr(module, name, made)
    return module


def _form(forms: dict[str, str], version: str) -> str:
    """Return what a member is in a version; empty where it is not there."""
    for form, versions in forms.items():
        if versions == "all" or version in versions.split():
            return form
    return ""


def _attributes(
    module: SimpleNamespace, name: str, members: dict[str, str], behaviours: dict[str, Behaviour]
) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for member, form in members.items():
        behaviour = behaviours.get(f"{name}.{member}", _not_given(f"{name}.{member}"))
        if form == "property":
            made[member] = _property(name, member, behaviour)
        elif form.startswith("("):
            made[member] = _method(module, form, behaviour, member)
    # Classes without a constructor of their own can't be made by users: pybind11 says so too.
    if "__init__" not in made:
        made["__new__"] = _no_constructor(name)
    return made


def new(module: SimpleNamespace, name: str, **attributes: Any) -> Any:
    """Make an object of a class that only the library makes."""
    made = object.__new__(getattr(module, name))
    made.__dict__.update(attributes)
    return made


def _no_constructor(name: str) -> Any:
    def refuse(cls: type, *arguments: Any) -> Any:
        raise TypeError(f"{name}: No constructor defined!")

    return staticmethod(refuse)


def _not_given(name: str) -> Behaviour:
    def refuse(*arguments: Any, **named: Any) -> Any:
        raise NotImplementedError(name)

    return refuse


def _property(name: str, member: str, behaviour: Behaviour) -> property:
    def write(self: Any, value: Any) -> None:
        self.__dict__[f"set_{member}"] = value

    return property(behaviour, write)


def _method(module: SimpleNamespace, form: str, behaviour: Behaviour, name: str) -> Behaviour:
    overloads = [_parameters(overload) for overload in form.split(" | ")]

    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        for parameters in overloads:
            bound = _bind(module, parameters, arguments, named)
            if bound is not None:
                return behaviour(self, *bound)
        raise TypeError(f"{name}(): incompatible function arguments, the version takes {form}")

    return call


def _parameters(overload: str) -> list[tuple[inspect.Parameter, str]]:
    """Return names and types of "(name: str, memory: int = 0) -> bool"."""
    inside = overload[1 : overload.rindex(") ->")]
    # Commas within brackets belong to a type.
    parts = re.split(r",\s*(?![^\[<]*[\]>])", inside) if inside else []
    found = []
    for part in parts:
        declared, _, default = part.partition(" = ")
        name, _, kind = declared.partition(": ")
        empty = inspect.Parameter.empty
        parameter = inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=None if default else empty,
        )
        found.append((parameter, kind))
    return found


def _bind(
    module: SimpleNamespace,
    parameters: list[tuple[inspect.Parameter, str]],
    arguments: tuple[Any, ...],
    named: dict[str, Any],
) -> list[Any] | None:
    """Return the arguments where they fit, as pybind11 would judge; None where they don't."""
    signature = inspect.Signature([parameter for parameter, _ in parameters])
    try:
        bound = signature.bind(*arguments, **named)
    except TypeError:
        return None
    kinds = {parameter.name: kind for parameter, kind in parameters}
    if all(_fits(module, value, kinds[name]) for name, value in bound.arguments.items()):
        return list(bound.arguments.values())
    return None


def _fits(module: SimpleNamespace, value: Any, kind: str) -> bool:
    if kind in ("int", "typing.SupportsInt"):
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "str":
        return isinstance(value, str)
    if kind == "Buffer":
        return isinstance(value, bytes | bytearray | memoryview)
    known = getattr(module, kind.rpartition("::")[2], None)
    return not isinstance(known, type) or value is None or isinstance(value, known)


class FakeLibrary:
    """TensorRT on a `FakeDevice`, running networks whose map is the canvas's green channel.

    refuse  names of members that answer as the library does when it fails: None or False
    """

    def __init__(self, api: dict[str, Any], version: str, device: Any, spec: Any) -> None:
        self.device, self.spec = device, spec
        self.refuse: set[str] = set()
        self.error = ""
        self.tensors = {"frame": (*self._batch, 3), "map": self._batch}
        self.dtype = "UINT8"
        self.plans: list[bytes] = []
        self.jit_taken: list[bytes] = []
        self.jit_data = b"compiled kernels"
        self.on_error: Callable[[str], None] = lambda message: None
        if spec.threshold_head:
            self.tensors["threshold"] = self._batch
        self._contexts = itertools.count()
        self.module = make_module(
            api,
            version,
            {
                "ILogger.__init__": lambda logger: None,
                "Runtime.__init__": lambda runtime, logger: None,
                "Runtime.deserialize_cuda_engine": self._deserialize,
                "ICudaEngine.num_io_tensors": lambda engine: len(self.tensors),
                "ICudaEngine.get_tensor_name": lambda engine, i: list(self.tensors)[i],
                "ICudaEngine.get_tensor_shape": lambda engine, name: self.tensors[name],
                "ICudaEngine.get_tensor_mode": self._mode,
                "ICudaEngine.get_tensor_dtype": lambda engine, name: getattr(
                    self.module.DataType, self.dtype
                ),
                "ICudaEngine.create_execution_context": self._make_context,
                "ICudaEngine.create_runtime_config": lambda engine: new(
                    self.module, "IRuntimeConfig"
                ),
                "IRuntimeConfig.create_runtime_cache": lambda config: new(
                    self.module, "IRuntimeCache"
                ),
                "IRuntimeConfig.set_runtime_cache": lambda config, cache=None: True,
                "IRuntimeCache.deserialize": self._take_jit,
                "IRuntimeCache.serialize": lambda cache: self.jit_data,
                "IExecutionContext.set_tensor_address": self._set_address,
                "IExecutionContext.execute_async_v3": self._execute,
            },
        )

    @property
    def _batch(self) -> tuple[int, ...]:
        return (self.spec.batch, *self.spec.shape)

    def _fails(self, member: str) -> bool:
        if member in self.refuse:
            self.on_error(f"{member} failed")
            return True
        return False

    def _deserialize(self, runtime: Any, plan: bytes) -> Any:
        self.device.check("deserialize")
        self.plans.append(plan)
        if self._fails("deserialize_cuda_engine"):
            return None
        return new(self.module, "ICudaEngine", release=_Release(self.device, "engine"))

    def _mode(self, engine: Any, name: str) -> Any:
        modes = self.module.TensorIOMode
        return modes.INPUT if name == "frame" else modes.OUTPUT

    def _make_context(self, engine: Any, config: Any = None) -> Any:
        self.device.check("make context")
        if self._fails("create_execution_context"):
            return None
        number = next(self._contexts)
        self.device.log.append(f"make context {number}")
        made = new(self.module, "IExecutionContext", number=number, addresses={}, runs=0)
        made.config = config
        made.release = _Release(self.device, f"context{number}")
        return made

    def _set_address(self, context: Any, name: str, address: int) -> bool:
        if self._fails("set_tensor_address"):
            return False
        assert name not in context.addresses, "an address is set once"
        context.addresses[name] = address
        return True

    def _execute(self, context: Any, handle: int) -> bool:
        self.device.check("execute")
        stream = self.device.streams[handle]
        if stream.captured is not None:
            assert context.runs, "captured before it ran once"
        if self._fails("execute_async_v3"):
            return False
        context.runs += 1
        assert set(context.addresses) == set(self.tensors)

        def work() -> None:
            shape = self.tensors["frame"]
            nbytes = shape[0] * shape[1] * shape[2] * 3
            canvas = self.device.at(context.addresses["frame"], nbytes).reshape(shape)
            for place, name in enumerate(("map", "threshold")):
                if name in context.addresses:
                    maps = canvas[..., 1 + place]
                    self.device.at(context.addresses[name], nbytes // 3)[:] = maps.reshape(-1)

        stream.take(f"network {context.number}", work)
        return True

    def _take_jit(self, cache: Any, blob: bytes) -> bool:
        self.jit_taken.append(bytes(blob))
        return "deserialize" not in self.refuse


class _Release:
    """Notes in the device's log when the object that owns it goes."""

    def __init__(self, device: Any, name: str) -> None:
        self._device, self._name = device, name
        device.alive.append(name)

    def __del__(self) -> None:
        self._device.alive.remove(self._name)
        self._device.log.append(f"free {self._name.rstrip('0123456789')}")
