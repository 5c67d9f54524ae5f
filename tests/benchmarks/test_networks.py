from __future__ import annotations

from pathlib import Path

import pytest

from dbrt.benchmarks import networks
from dbrt.benchmarks.networks import UNTRAINED, find_networks
from dbrt.benchmarks.skeleton import untrained_folder
from dbrt.engine.cache import default_folder
from dbrt.errors import InputError


def test_a_model_file_is_a_trained_network(model_path: Path) -> None:
    (network,) = find_networks([str(model_path), str(model_path)])
    assert (network.title, network.weights, network.is_trained) == ("tiny", "tiny", True)
    assert network.cache.folder == default_folder()


def test_a_skeleton_says_that_it_is_not_trained(skeleton_path: Path) -> None:
    (network,) = find_networks([str(skeleton_path)])
    assert (network.weights, network.is_trained) == (UNTRAINED, False)
    assert network.model.path.parent == network.cache.folder == untrained_folder()


def test_a_model_without_weights_comes_from_its_skeleton(
    skeleton_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> Path:
        raise InputError(f"no {name}")

    monkeypatch.setattr(networks, "find_model", missing)
    monkeypatch.setattr(networks, "skeleton_path", lambda name: skeleton_path)
    (network,) = find_networks(["dbrt-r18"])
    assert network.weights == UNTRAINED


def test_a_name_with_neither_is_the_line_of_find_model() -> None:
    with pytest.raises(InputError, match=r"no model resnet101: give auto, dbrt-lite"):
        find_networks(["resnet101"])
