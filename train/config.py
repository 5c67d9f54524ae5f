"""The configuration of a training run: dataclasses that a TOML file fills, unknown keys refused."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from dbrt.errors import InputError, UsageError
from dbrt.train.network_options import NetworkOptions
from dbrt.train.recipes import RECIPES

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
# Keys of [augment] that are the share of crops something happens to.
SHARES = (
    *("text_share", "word_height_share", "flip", "colour", "blur", "noise"),
    *("perspective", "jpeg"),
)
# More is no mild perspective, and two shifted corners might meet.
_MOST_TILT = 0.2


def _option(default: Any, about: str) -> Any:
    return field(default=default, metadata={"about": about})


def _options(default: tuple[Any, ...], about: str) -> Any:
    return field(default_factory=lambda: list(default), metadata={"about": about})


@dataclass
class ModelConfig:
    """Which network, and where its first weights come from."""

    backbone: str = _option("mobilenetv2", "mobilenetv2, resnet18 or resnet50")
    init: str = _option("", "backbone weights: a torchvision-style .pt or .npz file; empty: random")
    start: str = _option("", "a checkpoint (.npz) or model file (.onnx) to start from; empty: none")
    neck: str = _option("fpn", "fpn, or aspp: atrous pooling at the coarsest level")
    fusion: str = _option("concat", "concat, or adaptive: each level weighted by pixel (DB++)")
    deformable: bool = _option(False, "deformable convolutions in stages 3 to 5")

    def options(self) -> NetworkOptions:
        """Return the network's options; raises UsageError for a value that is none."""
        return NetworkOptions(self.neck, self.fusion, self.deformable)


@dataclass
class DataConfig:
    """What is trained on. Several sets are mixed by weight."""

    sets: list[str] = _options(
        ("icdar2015:train",),
        "NAME:SPLIT of a dataset under DBRT_DATA, or folder:PATH (images/, gts/ as ICDAR's)",
    )
    weights: list[float] = _options((1.0,), "how often each set is drawn from")
    validation: int = _option(50, "images of the first set that are held back for validation")
    min_side: float = _option(7.0, "words with a shorter side than this many pixels are don't-care")
    workers: int = _option(1, "processes that load and augment; 0 does it in the main process")
    seed: int = _option(1, "seed of the order and the crops")
    split_seed: int = _option(1, "seed of the split: the same for runs that are to be compared")
    cache_side: int = _option(1280, "accelerator: longest side of a picture, scaled down to it")
    cache: str = _option("device", "accelerator: device, or host (pictures travel with each step)")


@dataclass
class AugmentConfig:
    """Random crops; scales are log-uniform, angles in degrees."""

    where: str = _option("cpu", "cpu (OpenCV, in data.workers) or accelerator (inside the step)")
    crop: int = _option(384, "side of the square crop, a multiple of 32")
    text_share: float = _option(0.9, "share of crops that are centred near a word")
    scale: list[float] = _options((0.6, 1.8), "scale of the picture")
    word_height_share: float = _option(0.4, "share of crops scaled to a word's short side instead")
    word_height: list[float] = _options((12.0, 64.0), "short side, pixels, of that word")
    rotate: float = _option(10.0, "largest rotation either way")
    stretch: float = _option(1.15, "largest factor between width and height")
    flip: float = _option(0.5, "share of mirrored crops")
    colour: float = _option(0.6, "share of crops with changed brightness, contrast and colour")
    blur: float = _option(0.15, "share of crops that are blurred")
    noise: float = _option(0.15, "share of crops with sensor noise")
    perspective: float = _option(0.0, "share of crops that are tilted")
    tilt: float = _option(0.06, "largest shift of a tilted crop's corner, as a share of its side")
    jpeg: float = _option(0.0, "share of crops with the blocks and rings of JPEG")
    jpeg_quality: list[int] = _options((30, 85), "JPEG quality, lowest and highest")


@dataclass
class LossConfig:
    """Weights of the terms; see dbrt.train.losses."""

    balance: float = _option(3.0, "weight of the cross entropy (paper's code: 5)")
    dice_p: float = _option(1.0, "weight of the dice loss of the probability map (paper: 0)")
    dice_binary: float = _option(1.0, "weight of the dice loss of the approximate binary map")
    threshold: float = _option(5.0, "weight of the threshold map (paper: 10)")
    threshold_loss: str = _option("l1", "l1 or smooth_l1")
    negatives: str = _option("hard", "hard, or all (balanced by class: for a random start)")
    ohem_ratio: float = _option(3.0, "hard negatives for each text pixel")
    min_negatives: int = _option(2000, "hard negatives for each crop at least")


@dataclass
class OptimizerConfig:
    """Optimizer, schedule and averaging."""

    name: str = _option("adamw", "adamw or sgd (momentum 0.9)")
    rate: float = _option(2e-3, "peak learning rate of pyramid and heads")
    backbone_rate: float = _option(0.5, "the backbone's rate as a share of that")
    schedule: str = _option("cosine", "cosine, or poly (power 0.9)")
    warmup: int = _option(60, "steps of linear warm-up")
    floor: float = _option(0.01, "last rate as a share of the peak (cosine)")
    weight_decay: float = _option(1e-4, "decoupled from the gradient; kernels only")
    clip_norm: float = _option(5.0, "largest norm of all gradients together; 0: off")
    ema: float = _option(0.998, "decay of the averaged weights, by step; 0: off")


@dataclass
class RunConfig:
    """Length of the run and what is written."""

    steps: int = _option(8000, "steps in all")
    batch: int = _option(8, "crops a step")
    precision: str = _option(
        "float32", "float32, mixed_bfloat16 or mixed_float16 (with a scaled loss)"
    )
    devices: int = _option(1, "devices of each machine that share a step's batch; 0: all there are")
    validate_every: int = _option(1000, "steps between validations; 0: only at the end")
    save_every: int = _option(200, "steps between checkpoints")
    validation_shape: list[int] = _options((736, 1280), "height and width for validation")
    pictures: int = _option(4, "pictures shown in TensorBoard at each validation; 0: none")


@dataclass
class TrainConfig:
    """The whole of it, one table a field."""

    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    run: RunConfig = field(default_factory=RunConfig)

    def check(self) -> None:
        """Raise UsageError, naming the key, where a value makes no sense."""
        _choice("optimizer.name", self.optimizer.name, ("adamw", "sgd"))
        _choice("optimizer.schedule", self.optimizer.schedule, ("cosine", "poly"))
        _choice("loss.negatives", self.loss.negatives, ("hard", "all"))
        _choice("loss.threshold_loss", self.loss.threshold_loss, ("l1", "smooth_l1"))
        _choice("run.precision", self.run.precision, PRECISIONS)
        _choice("augment.where", self.augment.where, ("cpu", "accelerator"))
        _choice("data.cache", self.data.cache, ("device", "host"))
        _choice("model.backbone", self.model.backbone, ("mobilenetv2", "resnet18", "resnet50"))
        self.model.options()
        if self.augment.crop % 32 or self.augment.crop < 64:
            raise UsageError(f"augment.crop is {self.augment.crop}: take a multiple of 32 from 64")
        if any(side % 32 or side <= 0 for side in self.run.validation_shape):
            raise UsageError("run.validation_shape: both sides must be multiples of 32")
        if len(self.data.sets) != len(self.data.weights):
            raise UsageError("data.sets and data.weights must have the same length")
        _check_augment(self.augment)
        if self.data.cache_side < self.augment.crop // 2:
            raise UsageError(f"data.cache_side is {self.data.cache_side}: at least half a crop")
        if self.run.devices < 0 or self.run.pictures < 0:
            raise UsageError("run.devices and run.pictures: take 0 or more")
        for key, value in (("run.steps", self.run.steps), ("run.batch", self.run.batch)):
            if value < 1:
                raise UsageError(f"{key} is {value}: take at least 1")


def _check_augment(augment: AugmentConfig) -> None:
    for key in ("scale", "word_height", "jpeg_quality"):
        value = getattr(augment, key)
        if len(value) != 2 or not 0 < value[0] <= value[1]:
            raise UsageError(f"augment.{key} is {value}: give the lowest and the highest")
    if augment.jpeg_quality[1] > 100:
        raise UsageError(f"augment.jpeg_quality is {augment.jpeg_quality}: 100 is the highest")
    for key in SHARES:
        value = getattr(augment, key)
        if not 0.0 <= value <= 1.0:
            raise UsageError(f"augment.{key} is {value}: a share lies between 0 and 1")
    if not 0.0 <= augment.tilt <= _MOST_TILT:
        raise UsageError(f"augment.tilt is {augment.tilt}: take at most {_MOST_TILT}")
    if augment.stretch < 1.0:
        raise UsageError(f"augment.stretch is {augment.stretch}: take at least 1")


def load_config(path: Path | None, *, recipe: str | None = None) -> TrainConfig:
    """Read a TOML file over the defaults, or over a recipe: the one given, else its key `recipe`.

    path  None: nothing over the recipe

    Raises InputError where the file can't be read, UsageError for an unknown key (with the nearest
    known one), a wrong type or a wrong value.
    """
    data = {} if path is None else _read_toml(path)
    config = TrainConfig()
    named = data.pop("recipe", "default")
    apply_recipe(config, recipe or named, where=str(path) if recipe is None else "--recipe")
    apply_table(config, data, where=str(path))
    config.check()
    return config


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise InputError(f"cannot read {path}: {exc.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path} is not valid TOML: {exc}") from None


def apply_recipe(config: TrainConfig, name: Any, *, where: str) -> None:
    """Lay a recipe of dbrt.train.recipes over `config`; raises UsageError for an unknown name."""
    if not isinstance(name, str) or name not in RECIPES:
        raise UsageError(f"{where}: no recipe {name!r}{_nearest(str(name), RECIPES)}")
    apply_table(config, copy.deepcopy(RECIPES[name]), where=f"recipe {name}")


def apply_setting(config: TrainConfig, setting: str) -> None:
    """Apply one `table.key=value` (value in TOML); raises UsageError as load_config."""
    try:
        data = tomllib.loads(setting)
    except tomllib.TOMLDecodeError:
        key, _, value = setting.partition("=")
        try:
            data = tomllib.loads(f'{key} = "{value.strip()}"')
        except tomllib.TOMLDecodeError:
            raise UsageError(f"--set {setting}: write table.key=value") from None
    apply_table(config, data, where="--set")


def apply_table(config: TrainConfig, data: dict[str, Any], *, where: str) -> None:
    """Fill `config` from nested tables; raises UsageError for unknown keys and wrong types."""
    tables = {f.name: getattr(config, f.name) for f in fields(config)}
    for name, values in data.items():
        if name not in tables:
            raise UsageError(f"{where}: no table [{name}]{_nearest(name, tables)}")
        if not isinstance(values, dict):
            raise UsageError(f"{where}: {name} is a table, write [{name}]")
        table = tables[name]
        known = {f.name for f in fields(table)}
        for key, value in values.items():
            if key not in known:
                raise UsageError(f"{where}: no key {name}.{key}{_nearest(key, known)}")
            setattr(table, key, _typed(f"{where}: {name}.{key}", getattr(table, key), value))


def to_toml(config: TrainConfig, *, comments: bool = True) -> str:
    """Write the whole configuration as TOML, each key with what it is for."""
    lines: list[str] = []
    for table in fields(config):
        values = getattr(config, table.name)
        if lines:
            lines.append("")
        if comments:
            lines.append(f"# {(type(values).__doc__ or '').splitlines()[0]}")
        lines.append(f"[{table.name}]")
        for key in fields(values):
            line = f"{key.name} = {_toml_value(getattr(values, key.name))}"
            lines.append(f"{line}  # {key.metadata['about']}" if comments else line)
    return "\n".join(lines) + "\n"


def to_dict(config: TrainConfig) -> dict[str, Any]:
    """Return the configuration as nested plain dictionaries."""
    return dataclasses.asdict(config)


def without_paths(config: dict[str, Any]) -> dict[str, Any]:
    """Return a configuration's dictionary with file names in place of paths.

    A model file travels; where its makers keep their pictures is nobody's business.
    """
    model = dict(config["model"])
    for key in ("init", "start"):
        model[key] = Path(model[key]).name
    sets = [
        f"folder:{Path(name.removeprefix('folder:')).name}" if name.startswith("folder:") else name
        for name in config["data"]["sets"]
    ]
    return {**config, "model": model, "data": {**config["data"], "sets": sets}}


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list):
        return "[" + ", ".join(_toml_value(v) for v in value) + "]"
    return repr(value)


def _typed(where: str, default: Any, value: Any) -> Any:
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(default, list):
        if not isinstance(value, list) or not value:
            raise UsageError(f"{where} must be a list like {default}")
        return [_typed(where, default[0], item) for item in value]
    if type(value) is not type(default):
        raise UsageError(
            f"{where} must be {type(default).__name__}, like {default!r}, not {value!r}"
        )
    return value


def _choice(key: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise UsageError(f"{key} is {value!r}: take one of {', '.join(known)}")


def _nearest(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"
