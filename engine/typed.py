"""The inference graph as TensorRT gets it, and the same computed on a CPU."""

from __future__ import annotations

from dbrt.engine.graph import prepare
from dbrt.engine.half import fold_weights
from dbrt.engine.modelfile import ModelFile
from dbrt.engine.parity import batches_of, parity_frames
from dbrt.engine.ranges import TypedGraph, type_graph
from dbrt.engine.spec import EngineSpec
from dbrt.engine.twin import make_twin


def typed_graph(model: ModelFile, spec: EngineSpec) -> TypedGraph:
    """Prepare the graph of `spec` with every tensor typed, in fp16 after a look at its range.

    The plain graph, not the rewritten one: what the rewriting saves was measured on CPUs. It trades
    3x3 convolutions for 4x4 deconvolutions, and nobody has timed those on a GPU.
    """
    proto = prepare(
        model,
        spec.shape,
        batch=spec.batch,
        threshold_head=spec.threshold_head,
        rewrite=False,
    )
    batches = [frames for frames, _ in batches_of(parity_frames(), spec, model.fill)]
    return type_graph(fold_weights(proto), spec.precision, batches)


def twin_of(model: ModelFile, spec: EngineSpec) -> bytes:
    """Return that graph as ONNX that a CPU computes as a GPU would (`dbrt.engine.twin`)."""
    twin = make_twin(typed_graph(model, spec).proto, spec.precision)
    data: bytes = twin.SerializeToString(deterministic=True)
    return data
