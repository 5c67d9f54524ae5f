from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from dbrt.engine import modelfile
from dbrt.engine.modelfile import ModelFile, find_model, read_model_file
from dbrt.errors import InputError

WriteModel = Callable[..., Path]


def test_settings_are_read_from_the_metadata(model: ModelFile) -> None:
    assert model.name == "tiny"
    assert model.mean == (123.675, 116.28, 103.53)
    assert model.std == (58.395, 57.12, 57.375)
    assert (model.unit, model.binarize, model.min_score, model.unclip_ratio) == (
        "word",
        0.3,
        0.5,
        1.5,
    )
    assert model.card == {"data": "none"}
    assert model.has_threshold_head


def test_fill_is_the_mean_colour_as_bgr(model: ModelFile) -> None:
    assert model.fill == (104, 116, 124)


def test_thresholds_that_the_file_leaves_out_take_the_standard_ones(
    tmp_path: Path, write_model: WriteModel
) -> None:
    drop = ("dbrt.binarize", "dbrt.min_score", "dbrt.unclip_ratio", "dbrt.card")
    model = read_model_file(write_model(tmp_path / "m.onnx", drop=drop))
    assert (model.binarize, model.min_score, model.unclip_ratio) == (0.3, 0.6, 1.5)


@pytest.mark.parametrize("text", ["1.5,2,3", "1.5 2 3", "[1.5, 2.0, 3]", "(1.5, 2, 3)"])
def test_triples_are_read_in_every_usual_form(
    text: str, tmp_path: Path, write_model: WriteModel
) -> None:
    assert read_model_file(write_model(tmp_path / "m.onnx", mean=text)).mean == (1.5, 2, 3)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("name", "../../etc/passwd"),
        ("name", ""),
        ("mean", "1,2"),
        ("mean", "1,2,nan"),
        ("std", "1,0,1"),
        ("unit", "paragraph"),
        ("binarize", "1.5"),
        ("min_score", "high"),
        ("unclip_ratio", "-1"),
        ("score", "mean"),
        ("card", "[]"),
        ("card", "{"),
    ],
)
def test_a_bad_setting_is_refused_by_name(
    key: str, value: str, tmp_path: Path, write_model: WriteModel
) -> None:
    path = write_model(tmp_path / "m.onnx", **{key: value})
    with pytest.raises(InputError, match=rf"bad dbrt\.{key}"):
        read_model_file(path)


@pytest.mark.parametrize("key", ["dbrt.name", "dbrt.mean", "dbrt.unit"])
def test_a_missing_setting_is_named(key: str, tmp_path: Path, write_model: WriteModel) -> None:
    path = write_model(tmp_path / "m.onnx", drop=(key,))
    with pytest.raises(InputError, match=f"lacks {key}"):
        read_model_file(path)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no model file"):
        read_model_file(tmp_path / "none.onnx")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read"):
        read_model_file(tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "is empty"), (b"PK\x03\x04 not a model", "not ONNX"), (b"\x08\x08", "not ONNX")],
    ids=["empty", "garbage", "header only"],
)
def test_what_is_not_onnx_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_model_file(path)


@pytest.mark.parametrize("keep", [0.05, 0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file_is_refused(keep: float, tmp_path: Path, write_model: WriteModel) -> None:
    path = write_model(tmp_path / "m.onnx")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InputError, match=r"cut short|lacks|no dbrt metadata"):
        read_model_file(path)


def test_a_huge_file_is_refused_unread(
    tmp_path: Path, write_model: WriteModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modelfile, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="MiB"):
        read_model_file(write_model(tmp_path / "m.onnx"))


def test_a_model_without_metadata_is_told_how_to_get_it(
    tmp_path: Path, make_model: Callable[[], Any]
) -> None:
    model = make_model()
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(InputError, match="no dbrt metadata: write it with dbrt export"):
        read_model_file(tmp_path / "m.onnx")


def test_another_interface_is_refused(tmp_path: Path, make_model: Callable[[], Any]) -> None:
    model = make_model()
    model.graph.output[0].name = "stem_relu"
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(InputError, match="stem_relu"):
        read_model_file(tmp_path / "m.onnx")


def test_weights_in_other_files_are_refused(tmp_path: Path, make_model: Callable[[], Any]) -> None:
    model = make_model()
    onnx.save(
        model, tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    with pytest.raises(InputError, match="weights in other files"):
        read_model_file(tmp_path / "m.onnx")


def test_a_file_that_changes_under_way_is_noticed(model: ModelFile) -> None:
    model.path.write_bytes(model.path.read_bytes() + b"\x00")
    with pytest.raises(InputError, match="changed"):
        model.load()


def test_a_path_is_found_as_it_is(model: ModelFile) -> None:
    assert find_model(str(model.path)) == model.path


def test_an_unknown_model_is_answered_with_the_known_names() -> None:
    with pytest.raises(InputError, match="dbrt-lite"):
        find_model("dbrt-r101")


def test_auto_takes_the_best_model_that_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "dbrt-r18.onnx").touch()
    monkeypatch.setattr(modelfile.resources, "files", lambda _: tmp_path)
    assert find_model("auto").name == "dbrt-r18.onnx"
    with pytest.raises(InputError, match="dbrt-lite is not installed"):
        find_model("dbrt-lite")


def test_auto_without_any_model_says_what_to_give(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modelfile.resources, "files", lambda _: tmp_path)
    with pytest.raises(InputError, match="give --model"):
        find_model("auto")


@pytest.mark.parametrize(("settings", "expected"), [({}, "box"), ({"score": "region"}, "region")])
def test_a_model_says_which_score_its_least_score_is_for(
    settings: dict[str, str], expected: str, tmp_path: Path, write_model: WriteModel
) -> None:
    model = read_model_file(write_model(tmp_path / "m.onnx", **settings))
    assert model.score == expected
    assert model.decode_options["score"] == expected
    assert model.decode_options["min_score"] == model.min_score
