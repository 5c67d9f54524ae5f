"""Recipes: losses, schedule and augmentation by name, laid under a configuration's own keys."""

from __future__ import annotations

from typing import Any

# Liao et al. 2020 and the settings published with it for ICDAR 2015: 1,200 epochs of 1,000 pictures
# by 16. No warm-up, no average, no clipping: none is named there.
PAPER: dict[str, dict[str, Any]] = {
    "model": {"backbone": "resnet18"},
    "augment": {
        "crop": 640,
        "scale": [0.5, 3.0],
        "word_height_share": 0.0,
        "rotate": 10.0,
        "stretch": 1.0,
        "flip": 0.5,
        "colour": 0.0,
        "blur": 0.0,
        "noise": 0.0,
    },
    "loss": {
        "balance": 5.0,
        "dice_p": 0.0,
        "dice_binary": 1.0,
        "threshold": 10.0,
        "threshold_loss": "l1",
        "ohem_ratio": 3.0,
        "min_negatives": 0,
    },
    "optimizer": {
        "name": "sgd",
        "rate": 0.007,
        "backbone_rate": 1.0,
        "schedule": "poly",
        "warmup": 0,
        "weight_decay": 1e-4,
        "clip_norm": 0.0,
        "ema": 0.0,
    },
    "run": {"steps": 75000, "batch": 16, "validate_every": 5000, "save_every": 1000},
}

# The TensorFlow 1 code that dbrt grew from: ResNet-50, smooth L1 on the threshold map, and a
# warm-up in front of the poly schedule. Its README names no more; the rest is the paper's.
SEED: dict[str, dict[str, Any]] = {
    **PAPER,
    "model": {"backbone": "resnet50"},
    "loss": {**PAPER["loss"], "threshold_loss": "smooth_l1"},
    "optimizer": {**PAPER["optimizer"], "warmup": 500, "clip_norm": 5.0},
}

# What made dbrt-lite is the configuration's defaults; for a GPU, more of everything: the fused
# step on the accelerator, the average over more steps, and every kind of change.
ACCELERATOR: dict[str, dict[str, Any]] = {
    "augment": {
        "where": "accelerator",
        "crop": 640,
        "scale": [0.5, 3.0],
        "perspective": 0.2,
        "jpeg": 0.15,
    },
    "optimizer": {"rate": 1e-3, "warmup": 300, "ema": 0.999},
    "run": {"batch": 32, "precision": "mixed_bfloat16", "steps": 20000, "validate_every": 2000},
}

RECIPES = {"default": {}, "paper": PAPER, "seed": SEED, "accelerator": ACCELERATOR}
