"""Running a detector over a data set, with a detector of the test's own."""

import cv2
import numpy as np
import pytest

from dbrt.datasets import open_dataset
from dbrt.errors import InputError, OutputError
from dbrt.evaluation import read_results
from dbrt.evaluation.protocols import check_save_folder, detect_all, protocol_for
from dbrt.regions import TextRegions


@pytest.fixture
def dataset(tmp_path):
    """Two pictures; a white bar stands where the word is."""
    (tmp_path / "images").mkdir()
    (tmp_path / "gts").mkdir()
    for stem, x in (("a", 10), ("b", 30)):
        picture = np.zeros((60, 100, 3), np.uint8)
        picture[20:30, x : x + 40] = 255
        cv2.imwrite(str(tmp_path / f"images/{stem}.png"), picture)
        corners = f"{x},20,{x + 40},20,{x + 40},30,{x},30,word\n"
        (tmp_path / f"gts/gt_{stem}.txt").write_text(corners)
    return open_dataset("folder", root=tmp_path)


def find_white(frame):
    """The bounding box of what is white, moved by a third of a pixel."""
    x, y, width, height = cv2.boundingRect((frame[..., 0] > 127).astype(np.uint8))
    left, right, bottom = x + 0.3, x + 0.3 + width, y + height
    quad = np.float32([[(left, y), (right, y), (right, bottom), (left, bottom)]])
    return TextRegions(quad, np.float32([0.9]))


def find_outline(frame):
    regions = find_white(frame)
    corners = regions.quads[0]
    six = np.stack(
        [corners[0], corners[:2].mean(0), *corners[1:3], corners[2:].mean(0), corners[3]]
    )
    return TextRegions(regions.quads, regions.scores, six, np.array([0, 6]))


def words(dataset):
    return [sample.words for sample in dataset]


def test_detections_are_scored_against_their_own_picture(dataset):
    detections = detect_all(dataset, find_white)
    report = protocol_for(dataset.name).evaluate(detections, words(dataset), 0.0)
    assert (report.images, report.matched, report.hmean) == (2, 2, 1.0)


def test_saved_files_give_the_same_detections(dataset, tmp_path):
    detections = detect_all(dataset, find_white, save=tmp_path / "out")
    saved, missing = read_results(tmp_path / "out", [sample.path for sample in dataset])
    assert missing == 0
    np.testing.assert_array_equal([p for p, _ in saved], [p for p, _ in detections])


@pytest.mark.parametrize(("save_from", "saved"), [(0.89, 1), (0.91, 0)])
def test_regions_below_a_score_are_kept_but_not_saved(dataset, tmp_path, save_from, saved):
    detections = detect_all(dataset, find_white, save=tmp_path / "out", save_from=save_from)
    assert [len(scores) for _, scores in detections] == [1, 1]
    found, _ = read_results(tmp_path / "out", [sample.path for sample in dataset])
    assert [len(polygons) for polygons, _ in found] == [saved, saved]


def test_polygons_are_taken_where_there_are_any(dataset):
    detections = detect_all(dataset, find_outline)
    assert [polygons[0].shape for polygons, _ in detections] == [(6, 2), (6, 2)]
    report = protocol_for("ctw1500").evaluate(detections, words(dataset), 0.0)
    assert report.hmean == 1.0


def test_progress_sees_every_sample(dataset):
    seen = []

    def watch(samples):
        seen.extend(sample.path.stem for sample in samples)
        return samples

    detect_all(dataset, find_white, progress=watch)
    assert seen == ["a", "b"]


def test_a_broken_picture_stops_the_run_with_its_name(dataset):
    dataset[1].path.write_bytes(b"\xff\xd8\xff nothing more")
    with pytest.raises(InputError, match=r"b\.png"):
        detect_all(dataset, find_white)


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("icdar2015", "quad"),
        ("folder", "quad"),
        ("msra-td500", "quad"),
        ("ctw1500", "polygon"),
        ("total-text", "polygon"),
    ],
)
def test_each_data_set_has_its_protocol(name, output):
    protocol = protocol_for(name)
    assert protocol.output == output
    assert ("MSRA" in protocol.name) == (name == "msra-td500")


def test_results_are_not_overwritten(dataset, tmp_path):
    (tmp_path / "res_b.txt").write_text("")
    with pytest.raises(OutputError, match=r"res_b\.txt: is there already"):
        check_save_folder(tmp_path, dataset)


def test_results_are_overwritten_when_asked_for(dataset, tmp_path):
    (tmp_path / "res_b.txt").write_text("")
    check_save_folder(tmp_path, dataset, overwrite=True)


def test_a_save_folder_that_cannot_be_made_is_refused(dataset, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"can't be written: .*: write elsewhere"):
        check_save_folder(tmp_path / "file" / "out", dataset)
