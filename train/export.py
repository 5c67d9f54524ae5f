"""A trained network as one model file (ONNX), by tf2onnx.

The network is traced by TensorFlow whatever backend trained it; weights have the same shapes on
all of them.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import zlib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from dbrt.errors import InputError, RunnerError, unwritable
from dbrt.train.checkpoint import Checkpoint, Weights, set_network_weights
from dbrt.train.config import without_paths
from dbrt.train.folding import BN_VARIABLES, convolutions, fold, normalisations
from dbrt.train.network import IMAGENET_MEAN, IMAGENET_STD, PLAIN, build_network
from dbrt.train.network_options import NetworkOptions
from dbrt.train.onnx_graph import clean
from dbrt.train.onnx_marks import STAND_INS, TRACED, mark
from dbrt.train.onnx_sampling import OPERATORS

OPSET = 17
THRESHOLDS = ("binarize", "min_score", "unclip_ratio")
# Traced at a small fixed size: Resize then carries constant factors; of the size nothing remains.
_TRACE_SHAPE = (64, 64)


@dataclass
class Settings:
    """What a model file says of itself; see the architecture, "The model file"."""

    name: str
    backbone: str
    binarize: float = 0.3
    min_score: float = 0.6
    unclip_ratio: float = 1.5
    score: str = "box"
    unit: str = "word"
    card: dict[str, Any] = field(default_factory=dict)
    options: NetworkOptions = PLAIN


def settings_of(
    state: Checkpoint,
    *,
    name: str,
    unit: str,
    card: dict[str, Any],
    score: str | None = None,
    **thresholds: float,
) -> Settings:
    """Describe a checkpoint: its steps, configuration and validation go into the card.

    score       "box" or "region", see dbrt.postproc.decode
    thresholds  binarize, min_score, unclip_ratio

    What is not given is what was best in the last validation, or the paper's without one.
    """
    curve = state.meta.get("curve") or []
    last = curve[-1] if curve else {}
    found = {key: float(last[key]) for key in THRESHOLDS if key in last} | thresholds
    score = score or ("region" if last.get("score_is_region") else "box")
    about = {
        "steps": state.meta["step"],
        "training_seconds": state.meta["seconds"],
        "configuration": without_paths(state.meta["config"]),
        "validation": curve,
    }
    return Settings(
        name,
        state.meta["backbone"],
        unit=unit,
        score=score,
        card={**about, **card},
        options=_options(state.meta["config"]["model"]),
        **found,
    )


def _options(model: dict[str, Any]) -> NetworkOptions:
    """Return a run's options from its configuration; older ones know none of the keys."""
    names = [f.name for f in fields(NetworkOptions)]
    return NetworkOptions(**{name: model[name] for name in names if name in model})


def export_model(weights: Weights, settings: Settings, path: Path) -> None:
    """Write the network with `weights` (`<layer>/<variable>`) to `path`.

    Raises RunnerError where keras does not run on TensorFlow or tf2onnx is missing, InputError
    where the weights belong to another network, OutputError where the file can't be written.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        raise RunnerError(
            f"export traces with TensorFlow, keras runs on {keras.backend.backend()}: "
            f"set KERAS_BACKEND=tensorflow (weights trained elsewhere are fine)"
        )
    keras.config.set_dtype_policy("float32")
    network = build_network(settings.backbone, _TRACE_SHAPE, settings.options)
    set_network_weights(network, weights, source="the checkpoint")
    model = _convert(network)
    _describe(model, network, settings)
    onnx.checker.check_model(model, full_check=True)
    _write(path, model.SerializeToString())


def _convert(network: Any) -> onnx.ModelProto:
    import keras
    import tensorflow as tf

    try:
        import tf2onnx
    except ModuleNotFoundError:
        raise RunnerError('export needs tf2onnx: pip install "dbrt[train]"') from None
    folded = fold(network, STAND_INS)
    heads = [folded.get_layer(name).output for name in ("binarize_up2", "threshold_up2")]
    traced = keras.Model(folded.input, heads)

    def maps(image: Any) -> dict[str, Any]:
        probability, threshold = traced(image, training=False)
        return {"probability": tf.sigmoid(probability), "threshold": tf.sigmoid(threshold)}

    model, _ = tf2onnx.convert.from_function(
        tf.function(maps, autograph=False),
        input_signature=[tf.TensorSpec((1, *_TRACE_SHAPE, 3), tf.float32, name="image")],
        opset=OPSET,
        inputs_as_nchw=["image"],
        custom_op_handlers={TRACED: (mark, [])},
    )
    names = [output.name for output in model.graph.output]
    outputs = {
        next(name for name in names if name.startswith(wanted)): wanted
        for wanted in ("probability", "threshold")
    }
    return clean(model, convolutions(folded), outputs, _operators(network.db_options))


def _operators(options: NetworkOptions) -> set[str]:
    """Return the ONNX operators that options bring into a graph."""
    found: set[str] = set()
    if options.neck == "aspp":
        found |= {"GlobalAveragePool"}
    if options.fusion == "adaptive":
        found |= {"Mul", "Split"}
    if options.deformable:
        found |= OPERATORS
    return found


def _describe(model: onnx.ModelProto, network: Any, settings: Settings) -> None:
    model.producer_name = "dbrt"
    model.graph.name = settings.name
    properties = {
        "dbrt.format": "1",
        "dbrt.name": settings.name,
        "dbrt.backbone": settings.backbone,
        "dbrt.network": settings.options.to_json(),
        "dbrt.mean": json.dumps(IMAGENET_MEAN),
        "dbrt.std": json.dumps(IMAGENET_STD),
        "dbrt.unit": settings.unit,
        "dbrt.score": settings.score,
        "dbrt.binarize": repr(settings.binarize),
        "dbrt.min_score": repr(settings.min_score),
        "dbrt.unclip_ratio": repr(settings.unclip_ratio),
        "dbrt.card": json.dumps(settings.card),
        "dbrt.batch_norm": pack_vectors(network),
    }
    del model.metadata_props[:]
    for key, value in properties.items():
        model.metadata_props.add(key=key, value=value)


def pack_vectors(network: Any) -> str:
    """Pack the vectors of all normalisations, in the network's order: float32, zlib, base64."""
    values = [
        np.asarray(value, "<f4").ravel()
        for norm in normalisations(network).values()
        for value in norm.get_weights()
    ]
    return base64.b64encode(zlib.compress(np.concatenate(values).tobytes(), 9)).decode("ascii")


def unpack_vectors(text: str, network: Any) -> dict[str, Weights]:
    """Return gamma, beta, moving_mean and moving_variance by convolution; inverse of pack_vectors.

    Raises InputError where they do not fit the network.
    """
    norms = normalisations(network)
    try:
        values = np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), "<f4")
    except (ValueError, zlib.error):
        raise InputError("dbrt.batch_norm in the model file is damaged: get it again") from None
    counts = [int(norm.weights[0].shape[0]) for norm in norms.values()]
    if len(values) != len(BN_VARIABLES) * sum(counts):
        raise InputError("dbrt.batch_norm in the model file belongs to another network")
    found, start = {}, 0
    for name, count in zip(norms, counts, strict=True):
        block = values[start : start + 4 * count].reshape(4, count)
        found[name] = dict(zip(BN_VARIABLES, block, strict=True))
        start += 4 * count
    return found


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(path.name + ".part")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as exc:
        raise unwritable(path, exc) from None
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
