"""Checkpoints hold arrays only, and are whole or not there."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from dbrt.errors import InputError, OutputError
from dbrt.train.checkpoint import Checkpoint, read_checkpoint, save_checkpoint


@pytest.fixture
def checkpoint() -> Checkpoint:
    weights = {"conv1/kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}
    ema = {"conv1/kernel": np.ones((2, 3), np.float32)}
    return Checkpoint(weights, ema, [np.array(7), np.zeros(3)], {"step": 7, "backbone": "x"})


def test_what_is_saved_is_read_back(tmp_path, checkpoint):
    save_checkpoint(tmp_path / "last.npz", checkpoint)
    found = read_checkpoint(tmp_path / "last.npz")
    np.testing.assert_array_equal(found.weights["conv1/kernel"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(found.ema["conv1/kernel"], np.ones((2, 3)))
    assert [array.tolist() for array in found.optimizer] == [7, [0, 0, 0]]
    assert found.meta["step"] == 7


@pytest.mark.parametrize("name", ["model.keras", "model.h5", "weights.pt", "weights.pkl"])
def test_foreign_formats_are_refused_unread(tmp_path, name):
    with pytest.raises(InputError, match=r"only its own \.npz"):
        read_checkpoint(tmp_path / name)


def test_a_keras_file_under_our_suffix_is_refused(tmp_path):
    import keras

    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(path)
    path.rename(tmp_path / "model.npz")
    with pytest.raises(InputError, match="not a dbrt checkpoint"):
        read_checkpoint(tmp_path / "model.npz")


def test_pickled_objects_are_refused_and_not_run(tmp_path):
    path = tmp_path / "evil.npz"
    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(marker),)

    np.savez(path, meta=np.array([Evil()], dtype=object))
    with pytest.raises(InputError):
        read_checkpoint(path)
    path.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(InputError):
        read_checkpoint(path)
    assert not marker.exists()


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_a_cut_file_is_refused(tmp_path, checkpoint, kept):
    path = tmp_path / "last.npz"
    save_checkpoint(path, checkpoint)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"last\.npz"):
        read_checkpoint(path)


def test_a_full_disk_leaves_the_old_file(tmp_path, checkpoint, monkeypatch):
    path = tmp_path / "last.npz"
    save_checkpoint(path, checkpoint)
    before = path.read_bytes()

    def full(_fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="the disk is full: free some space"):
        save_checkpoint(path, checkpoint)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.npz"]


def test_ctrl_c_while_saving_leaves_the_old_file_alone(tmp_path, checkpoint, monkeypatch):
    path = tmp_path / "last.npz"
    save_checkpoint(path, checkpoint)

    def interrupted(_fd):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(path, checkpoint)
    assert [p.name for p in tmp_path.iterdir()] == ["last.npz"]


def test_a_checkpoint_takes_the_old_ones_place_in_one_move(tmp_path, checkpoint, monkeypatch):
    path = tmp_path / "last.npz"
    save_checkpoint(path, checkpoint)
    before = path.read_bytes()
    checkpoint.meta["step"] = 8

    def refused(_self, _target):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(OutputError):
        save_checkpoint(path, checkpoint)
    assert path.read_bytes() == before
