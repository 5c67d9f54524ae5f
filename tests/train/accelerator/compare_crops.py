"""Crops of the accelerator beside what they should be; run as a script, or by its `compare`."""

from __future__ import annotations

import json

import cv2
import numpy as np

SIDE = 160


def scene() -> tuple[np.ndarray, list[np.ndarray], list[bool]]:
    """A picture with words of many heights and angles, one of them don't-care."""
    rng = np.random.default_rng(5)
    frame = cv2.GaussianBlur(rng.integers(0, 256, (300, 400, 3)).astype(np.uint8), (0, 0), 3.0)
    polygons, care = [], []
    for i, (x, y) in enumerate([(60, 40), (200, 50), (320, 60), (90, 140), (260, 150), (120, 240)]):
        height = (9, 14, 30, 22, 48, 36)[i]
        angle = np.deg2rad((0, 12, -20, 45, 5, -8)[i])
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        half = np.array([height * 1.4, height / 2])
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
        polygons.append((corners @ turn.T + (x, y)).astype(np.float32))
        care.append(i != 5)
    return frame, polygons, care


def compare(*, perspective: float = 0.0, count: int = 24, seed: int = 0) -> dict[str, list]:
    """Cut crops both ways and say how far they are apart, one figure a crop."""
    from keras import ops

    from dbrt.train.accelerator.draws import draw_place
    from dbrt.train.accelerator.labels import crop_labels
    from dbrt.train.accelerator.pictures import label_maps
    from dbrt.train.accelerator.warp import crop_positions, inside, sample
    from dbrt.train.augment import move
    from dbrt.train.config import AugmentConfig
    from dbrt.train.targets import make_targets

    frame, polygons, care = scene()
    config = AugmentConfig(
        crop=SIDE, scale=[0.5, 3.0], word_height_share=0.0, rotate=180.0, perspective=perspective
    )
    rng = np.random.default_rng(seed)
    places = [draw_place(frame.shape[:2], polygons, care, config, rng) for _ in range(count)]
    inputs = {
        name: ops.convert_to_tensor(np.array([p[name] for p in places], np.float32))
        for name in places[0]
    }
    size = np.tile(np.array([[400, 300]], np.float32), (count, 1))
    inputs["size"] = ops.convert_to_tensor(size)
    # A canvas that is larger than the picture, and full of what must not be seen.
    canvas = np.full((1, 320, 448, 3), 255, np.uint8)
    maps = np.full((1, 320, 448, 5), 255, np.uint8)
    canvas[0, :300, :400], maps[0, :300, :400] = frame, label_maps(polygons, care, (300, 400))
    found = ops.convert_to_numpy(
        crop_labels(
            ops.convert_to_tensor(np.repeat(maps, count, 0)),
            inputs,
            SIDE,
            min_side=8.0,
            may_tilt=perspective > 0.0,
        )
    )
    x, y = crop_positions(inputs["inverse"], SIDE)
    crops = ops.convert_to_numpy(
        sample(ops.convert_to_tensor(np.repeat(canvas, count, 0)), x, y, inputs["size"])
    )
    shown = ops.convert_to_numpy(inside(x, y, inputs["size"])) > 0
    result: dict[str, list] = {
        name: []
        for name in (
            *("scale", "text", "text_at_all", "mask", "border", "threshold"),
            *("frame", "learnt", "words"),
        )
    }
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    for i, place in enumerate(places):
        matrix = np.linalg.inv(place["inverse"])
        matrix /= matrix[2] @ np.linalg.solve(matrix, (SIDE / 2, SIDE / 2, 1.0)) * 1.0
        moved = [move(p, matrix if perspective else matrix[:2]) for p in polygons]
        exact = make_targets(moved, care, (SIDE, SIDE), min_side=8.0)
        exact[1] *= shown[i]
        seen = (exact[1] > 0) & (found[i, 1] > 0)
        scale = place["scale"]
        result["scale"].append(scale)
        result["learnt"].append(float(found[i, 1].mean()))
        result["words"].append(float((exact[0] * shown[i]).mean()))
        near = lambda m, s=scale: _near_edge(m, 1.0 + s)  # noqa: E731
        result["text"].append(int((seen & (exact[0] != found[i, 0]) & ~near(exact[0])).sum()))
        result["text_at_all"].append(int((seen & (exact[0] != found[i, 0])).sum()))
        wrong = (exact[1] != found[i, 1]) & ~near(exact[1])
        result["mask"].append(int(wrong.sum()))
        wrong = seen & (exact[3] != found[i, 3]) & ~near(exact[3])
        result["border"].append(int(wrong.sum()))
        both = seen & (exact[3] > 0) & (found[i, 3] > 0)
        gap = np.abs(exact[2].astype(float) - found[i, 2])[both]
        result["threshold"].append(float(gap.mean()) if both.any() else 0.0)
        straight = cv2.warpPerspective(
            frame, np.linalg.inv(half) @ matrix @ half, (SIDE, SIDE), borderMode=1
        )
        gap = np.abs(straight.astype(float) - crops[i])[_inner(shown[i])]
        result["frame"].append(float(gap.mean()))
    return result


def changed() -> dict[str, float]:
    """Change the colours of two crops in every way; return a figure for each."""
    from keras import ops

    from dbrt.train.accelerator import colours

    frame, _, _ = scene()
    crops = np.stack((frame[:64, :64], frame[100:164, 200:264])).astype(np.float32)
    inputs = {
        "gain": np.array([[1.2, 0.9, 1.0], [0.7, 0.7, 0.8]], np.float32),
        "shift": np.array([[10, 0, -10], [5, 5, 5]], np.float32),
        "grey": np.array([1, 0], np.float32),
        "invert": np.array([0, 1], np.float32),
        "noise": np.array([8, 0], np.float32),
        "noise_at": np.array([[60, 3], [0, 0]], np.int32),
    }
    given = {name: ops.convert_to_tensor(value) for name, value in inputs.items()}
    kernels = np.zeros((2, 9, 9), np.float32)
    kernels[0, 4, 4], kernels[1, 2:7, 3] = 1.0, 0.2
    tile = ops.convert_to_tensor(colours.noise_tile(70))
    start = ops.convert_to_tensor(crops)
    results = {
        "colours": colours.change_colours(start, given),
        "blur": colours.blur(start, ops.convert_to_tensor(kernels)),
        "noise": colours.add_noise(start, tile, given),
        "jpeg": colours.as_jpeg(start, ops.convert_to_tensor(np.array([0.0, 2.0], np.float32))),
    }
    slope = np.linspace(0.0, 1.0, crops.size).reshape(crops.shape)
    return {name: float((ops.convert_to_numpy(v) * slope).mean()) for name, v in results.items()}


def _near_edge(values: np.ndarray, reach: float) -> np.ndarray:
    size = 2 * int(np.ceil(reach)) + 1
    kernel = np.ones((size, size), np.uint8)
    values = np.ascontiguousarray(values, np.uint8)
    return cv2.dilate(values, kernel) != cv2.erode(values, kernel)


def _inner(shown: np.ndarray) -> np.ndarray:
    return cv2.erode(shown.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0


if __name__ == "__main__":
    import keras

    both = {"similar": compare(count=8), "tilted": compare(perspective=1.0, count=4)}
    print(json.dumps({"backend": keras.backend.backend(), "changed": changed(), **both}))
