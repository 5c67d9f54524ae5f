"""Slot: one stream of the GPU with its context and buffers; and the host's side of a request."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from math import prod

import numpy as np
from numpy.typing import NDArray

from dbrt.engine.cuda.device import Bytes, Device, Event, Graph, Memory, PinnedMemory, Stream
from dbrt.engine.cuda.kernel import LetterboxKernel
from dbrt.engine.graph import FRAME
from dbrt.engine.runner import Frames, Maps
from dbrt.engine.spec import EngineSpec
from dbrt.engine.tensorrt.loaded import Context, LoadedEngine
from dbrt.errors import RunnerError

Frame = NDArray[np.uint8]  # (h, w, 3) BGR


class HostBuffers:
    """Pinned memory of one request: what goes in, what comes back, and the mark that it has.

    Invariant: nobody touches the arrays between the request's first copy and `event`, but the GPU.
    """

    def __init__(self, device: Device, spec: EngineSpec, outputs: Sequence[str]) -> None:
        self._device = device
        self._staging: PinnedMemory | None = None
        self.maps: dict[str, Maps] = {}
        batch = (spec.batch, *spec.shape)
        with ExitStack() as made:
            for name in outputs:
                pinned = device.allocate_pinned(prod(batch))
                made.callback(pinned.free)
                self.maps[name] = pinned.array.reshape(batch)
            self.event: Event = device.make_event()
            made.callback(self.event.free)
            self._made = made.pop_all()

    def staging(self, nbytes: int) -> Bytes:
        """Return `nbytes` of pinned memory, (N,) uint8; allocates only when more than ever."""
        if self._staging is None or self._staging.array.nbytes < nbytes:
            self._free_staging()
            self._staging = self._device.allocate_pinned(nbytes)
        return self._staging.array[:nbytes]

    def free(self) -> None:
        """Give all back."""
        self.maps = {}
        with self._made:
            self._free_staging()

    def _free_staging(self) -> None:
        if self._staging is not None:
            staging, self._staging = self._staging, None
            staging.free()


class Slot:
    """A stream, a context, and the device buffers whose addresses the context was given once.

    Requests of one slot run one behind the other, in its stream; those of two slots overlap.
    """

    def __init__(
        self,
        device: Device,
        engine: LoadedEngine,
        spec: EngineSpec,
        kernel: LetterboxKernel | None,
        fill: tuple[int, int, int],
    ) -> None:
        self._device = device
        self._shape = spec.shape
        self._kernel = kernel
        self._fill = fill
        self._frames: Memory | None = None  # as the cameras gave them; grows with the largest
        self._graph: Graph | None = None
        self._canvas_bytes = prod(spec.shape) * 3
        self._maps: dict[str, Memory] = {}
        with ExitStack() as made:
            self._stream: Stream = device.make_stream()
            made.callback(self._stream.free)
            self._canvas: Memory = device.allocate(spec.batch * self._canvas_bytes)
            made.callback(self._canvas.free)
            for name in engine.outputs:
                self._maps[name] = device.allocate(spec.batch * prod(spec.shape))
                made.callback(self._maps[name].free)
            addresses = {name: memory.address for name, memory in self._maps.items()}
            addresses[FRAME] = self._canvas.address
            self._context: Context = engine.make_context(addresses)
            made.callback(self._context.free)
            self._made = made.pop_all()

    def warm_up(self, capture: bool) -> str:
        """Run once, so that the library allocates and chooses; then capture the network's graph.

        capture  whether to make a graph at all
        returns  why there is none, one line; empty where there is one or none was asked for
        """
        self._enqueue_network()
        self._stream.synchronize()
        if not capture:
            return ""
        try:
            self._graph = self._device.capture(self._stream, self._enqueue_network)
            self._graph.launch(self._stream)
            self._stream.synchronize()
        except RunnerError as exc:
            self._drop_graph()
            self._enqueue_network()
            self._stream.synchronize()
            return str(exc)
        return ""

    def run_canvas(self, frames: Frames, host: HostBuffers, outputs: Sequence[str]) -> None:
        """Start on frames that are letterboxed already: copy, network, copy back."""
        staging = host.staging(frames.nbytes)
        np.copyto(staging.reshape(frames.shape), frames)
        self._device.copy_to_device(self._canvas.address, staging, self._stream)
        self._finish(host, outputs)

    def run_frames(
        self, frames: Sequence[Frame], host: HostBuffers, outputs: Sequence[str]
    ) -> None:
        """Start on frames as they come: copy and letterbox each, network, copy back."""
        assert self._kernel is not None  # `TensorRtRunner.submit_frames` has asked
        sizes = [frame.shape[0] * frame.shape[1] * 3 for frame in frames]
        staging, memory = host.staging(sum(sizes)), self._frame_memory(sum(sizes))
        start = 0
        for i, (frame, nbytes) in enumerate(zip(frames, sizes, strict=True)):
            part = staging[start : start + nbytes]
            # Leaves out the gaps between rows; while the GPU takes this one, the next is copied.
            np.copyto(part.reshape(frame.shape), frame)
            address = memory.address + start
            self._device.copy_to_device(address, part, self._stream)
            self._kernel.enqueue(
                address,
                (frame.shape[0], frame.shape[1]),
                frame.shape[1] * 3,
                self._canvas.address + i * self._canvas_bytes,
                self._shape,
                self._fill,
                self._stream,
            )
            start += nbytes
        self._finish(host, outputs)

    def synchronize(self) -> None:
        """Wait for all that was started."""
        self._stream.synchronize()

    def free(self) -> None:
        """Give all back: the graph, which holds what the context has allocated, before it."""
        with self._made:
            self._free_frames()
            self._drop_graph()

    def _finish(self, host: HostBuffers, outputs: Sequence[str]) -> None:
        if self._graph is None:
            self._enqueue_network()
        else:
            self._graph.launch(self._stream)
        for name in outputs:
            maps = host.maps[name].reshape(-1)
            self._device.copy_to_host(maps, self._maps[name].address, self._stream)
        host.event.record(self._stream)

    def _enqueue_network(self) -> None:
        self._context.enqueue(self._stream.handle)

    def _frame_memory(self, nbytes: int) -> Memory:
        """Return device memory for the frames of one batch, larger than before where needed."""
        if self._frames is None or self._frames.nbytes < nbytes:
            self._stream.synchronize()  # the request before may still read the smaller one
            self._free_frames()
            self._frames = self._device.allocate(nbytes)
        return self._frames

    def _free_frames(self) -> None:
        if self._frames is not None:
            frames, self._frames = self._frames, None
            frames.free()

    def _drop_graph(self) -> None:
        if self._graph is not None:
            graph, self._graph = self._graph, None
            graph.free()
