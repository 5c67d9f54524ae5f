"""The sample clip in the package: the film, its truth, and the code that makes both."""

import json
from importlib.resources import as_file, files

import cv2
import numpy as np
import pytest

from dbrt.errors import InputError
from dbrt.synth import sample_clip

MOST_BYTES = 2_000_000
SHOWN = (0, 74, 149)


@pytest.fixture(scope="module")
def truth():
    return json.loads((files("dbrt") / "samples" / "sample.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def clip():
    """All frames of the clip."""
    with as_file(files("dbrt") / "samples" / "sample.mp4") as path:
        capture = cv2.VideoCapture(str(path))
        frames = []
        while (frame := capture.read()[1]) is not None:
            frames.append(frame)
        return frames


def care_words(truth, index):
    return [word for word in truth["frames"][index]["words"] if word["care"]]


def test_the_clip_is_at_most_two_megabytes():
    assert len((files("dbrt") / "samples" / "sample.mp4").read_bytes()) <= MOST_BYTES


def test_the_clip_is_h264_that_browsers_play():
    av = pytest.importorskip("av")
    with as_file(files("dbrt") / "samples" / "sample.mp4") as path, av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert float(stream.average_rate) == 25


def test_the_truth_has_the_frames_and_size_of_the_clip(truth, clip):
    assert truth["schema"] == "dbrt.sample-truth/1"
    assert [frame["frame"] for frame in truth["frames"]] == list(range(len(clip)))
    assert clip[0].shape == (truth["size"][1], truth["size"][0], 3)
    assert truth["fps"] == 25
    assert len(clip) / truth["fps"] == pytest.approx(6, abs=0.5)


def test_every_frame_has_words_tall_enough_for_the_default_size(truth):
    least = 14 * truth["size"][0] / 736
    counts, heights = [], []
    for index in range(len(truth["frames"])):
        words = [np.array(word["quad"]) for word in care_words(truth, index)]
        counts.append(len(words))
        heights += [np.linalg.norm(quad[3] - quad[0]) for quad in words]
    assert min(counts) >= 8
    assert min(heights) >= least


def test_words_come_at_many_angles_and_sizes(truth):
    quads = np.array(
        [w["quad"] for index in range(len(truth["frames"])) for w in care_words(truth, index)]
    )
    across = quads[:, 1] - quads[:, 0]
    angles = np.degrees(np.arctan2(across[:, 1], across[:, 0]))
    heights = np.linalg.norm(quads[:, 3] - quads[:, 0], axis=1)
    assert np.ptp(angles) > 25
    assert heights.max() > 2 * heights.min()


@pytest.mark.parametrize("index", SHOWN)
def test_care_words_lie_inside_the_frame(truth, index):
    quads = np.array([word["quad"] for word in care_words(truth, index)])
    beyond = np.maximum(-quads, quads - np.array(truth["size"])).max()
    assert beyond < 10  # a twentieth of a wide word may be cut off


@pytest.mark.parametrize("index", SHOWN)
def test_the_truth_lies_on_the_lettering(truth, clip, index):
    """Just inside a quad there is ink; in the same quad shifted off the word there is less."""
    gray = cv2.cvtColor(clip[index], cv2.COLOR_BGR2GRAY).astype(np.float32)
    edges = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))

    def strength(quad):
        mask = np.zeros(gray.shape, np.uint8)
        cv2.fillConvexPoly(mask, np.round(quad).astype(np.int32), 1)
        return float(edges[mask > 0].mean())

    ratios = []
    for word in care_words(truth, index):
        quad = np.array(word["quad"])
        ring = quad + (quad - quad.mean(axis=0)) * 0.25
        ratios.append(strength(quad) / strength(ring))
    assert np.median(ratios) > 1.2
    assert min(ratios) > 1.0


@pytest.mark.slow
def test_the_code_makes_the_first_frame_and_its_truth_again(truth, clip):
    pytest.importorskip("PIL", reason="Pillow is not installed")
    try:
        frame, made = next(sample_clip.clip(1))
    except InputError as error:
        pytest.skip(f"the fonts of the sample clip are not installed: {error}")
    assert [w["text"] for w in made["words"]] == [w["text"] for w in truth["frames"][0]["words"]]
    np.testing.assert_allclose(
        [w["quad"] for w in made["words"]],
        [w["quad"] for w in truth["frames"][0]["words"]],
        atol=1.5,  # another version of a font may move a letter by a pixel
    )
    error = np.abs(frame.astype(np.float32) - clip[0]).mean()
    assert error < 6  # what the encoder loses: 3 levels when this was written


def test_written_truth_is_one_json_object(tmp_path):
    words = {"frame": 0, "words": [{"quad": [[0, 0]] * 4, "text": "A", "care": True}]}
    sample_clip.write_truth(tmp_path / "sample.json", [words, words | {"frame": 1}])
    read = json.loads((tmp_path / "sample.json").read_text(encoding="utf-8"))
    assert read["frames"][1]["frame"] == 1
    assert read["size"] == [sample_clip.WIDTH, sample_clip.HEIGHT]
