"""The networks of the table: trained ones from their model files, the others from skeletons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from dbrt.benchmarks.skeleton import filled_model, is_skeleton, untrained_folder
from dbrt.engine.cache import EngineCache
from dbrt.engine.modelfile import MODELS, ModelFile, find_model, read_model_file
from dbrt.errors import InputError

UNTRAINED = "seeded random, not trained"

TITLES = {"mobilenetv2": "MobileNetV2 light", "resnet18": "ResNet-18", "resnet50": "ResNet-50"}

# What stands in for a model that is not trained yet.
SKELETONS = {"dbrt-r18": "resnet18.skeleton.onnx", "dbrt-r50": "resnet50.skeleton.onnx"}


@dataclass(frozen=True)
class Network:
    """A network to time.

    weights   the model's name, or that they are random
    """

    title: str
    weights: str
    model: ModelFile

    @property
    def is_trained(self) -> bool:
        """Whether its maps mean anything."""
        return self.weights != UNTRAINED

    @property
    def cache(self) -> EngineCache:
        """Where its engines are kept: random ones not among those of trained models."""
        return EngineCache(None if self.is_trained else untrained_folder())


def find_networks(names: Sequence[str] = ()) -> list[Network]:
    """Return the networks of `names`: names of models or paths, each once; none: all three.

    A model that ships no weights yet is taken from its skeleton. Raises InputError where a name
    has neither.
    """
    return [_find(name) for name in dict.fromkeys(names or MODELS)]


def skeleton_path(name: str) -> Path:
    """Return where the skeleton of a model lies, or a folder for a model that has none."""
    return Path(str(resources.files("dbrt"))) / "models" / SKELETONS.get(name, "")


def _find(name: str) -> Network:
    try:
        path = find_model(name)
    except InputError:
        path = skeleton_path(name)
        if not path.is_file():
            raise
    model = read_model_file(path)
    weights = model.name
    if is_skeleton(model.load()):
        model, weights = filled_model(path), UNTRAINED
    return Network(TITLES.get(model.backbone, model.backbone), weights, model)
