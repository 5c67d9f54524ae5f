"""Opening data sets by name: layouts, order, and what is said when they are not there."""

import pytest

from dbrt.datasets import NAMES, open_dataset
from dbrt.errors import InputError, UsageError

ICDAR_LINE = "1,1,9,1,9,5,1,5,word\n2,2,9,2,9,5,2,5,###\n"
CTW_LINE = ",".join(["1", "2", "30", "40", *map(str, range(28))])
CTW_BOX = f"<a><box><label>a</label><segs>{','.join(map(str, range(28)))}</segs></box></a>"
TOTAL_RECORD = "x: [[1 9 9]], y: [[1 1 5]], ornt: [u'h'], transcriptions: [u'a']\n"

LAYOUTS = {
    "icdar2015": ("icdar2015", "test", "icdar2015/test/images/img_{}.jpg",
                  "icdar2015/test/gts/gt_img_{}.txt", ICDAR_LINE),
    "icdar2015-archives": ("icdar2015", "train", "ch4_training_images/img_{}.jpg",
                           "ch4_training_localization_transcription_gt/gt_img_{}.txt", ICDAR_LINE),
    "msra-td500": ("msra-td500", "train", "MSRA-TD500/train/IMG_{}.JPG",
                   "MSRA-TD500/train/IMG_{}.gt", "0 0 1 2 3 4 0.1\n"),
    "ctw1500": ("ctw1500", "train", "ctw1500/train/text_image/{}.jpg",
                "ctw1500/train/text_label_curve/{}.txt", CTW_LINE),
    "ctw1500-xml": ("ctw1500", "train", "train_images/{}.jpg",
                    "ctw1500_train_labels/{}.xml", CTW_BOX),
    "ctw1500-gt": ("ctw1500", "test", "test_images/{}.jpg", "gt_ctw1500/000{}.txt",
                   f"{','.join(map(str, range(28)))},####a\n"),
    "total-text": ("total-text", "test", "Images/Test/img{}.jpg",
                   "Groundtruth/Polygon/Test/poly_gt_img{}.txt", TOTAL_RECORD),
    "sroie": ("sroie", "train", "sroie/train/images/{}.jpg", "sroie/train/gts/gt_{}.txt",
              "1,1,9,1,9,5,1,5,TOTAL: 1,000.00\n"),
    "sroie-one-folder": ("sroie", "train", "SROIE/data/img/{}.jpg", "SROIE/data/box/{}.csv",
                         "1,1,9,1,9,5,1,5,TOTAL: 1,000.00\n"),
}  # fmt: skip


def put(path, content=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.fixture(autouse=True)
def without_environment(monkeypatch):
    monkeypatch.delenv("DBRT_DATA", raising=False)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_each_layout_is_found_and_sorted(tmp_path, layout):
    name, split, picture, annotation, content = layout
    for number in ("2", "10", "1"):
        put(tmp_path / picture.format(number))
        put(tmp_path / annotation.format(number), content)
    dataset = open_dataset(name, split, root=tmp_path)
    assert [s.path for s in dataset] == [tmp_path / picture.format(n) for n in ("1", "2", "10")]
    assert all(sample.words for sample in dataset)
    assert dataset.care_words == 3


def test_a_folder_is_opened_with_and_without_a_split(tmp_path):
    put(tmp_path / "mine/images/b.png")
    put(tmp_path / "mine/images/.hidden.png")
    put(tmp_path / "mine/images/notes.md")
    put(tmp_path / "mine/gts/gt_b.txt", ICDAR_LINE)
    plain = open_dataset("folder", root=tmp_path / "mine")
    split = open_dataset("folder", "mine", root=tmp_path)
    assert [s.path.name for s in plain] == [s.path.name for s in split] == ["b.png"]
    assert (len(plain), plain.care_words) == (1, 1)


def test_polygons_of_a_folder_are_read_instead_of_quads(tmp_path):
    for stem in "ab":
        put(tmp_path / f"images/{stem}.png")
        put(tmp_path / f"gts/gt_{stem}.txt", ICDAR_LINE)
    bent = "x: [[0 5 9 9 5 0]], y: [[1 0 1 4 3 4]], ornt: [u'c'], transcriptions: [u'bent']"
    put(tmp_path / "polygons/poly_gt_b.txt", bent)
    straight, curved = open_dataset("folder", root=tmp_path)
    assert straight.words[0].polygon.shape == (4, 2)
    assert curved.words[0].polygon.shape == (6, 2)
    assert curved.words[0].text == "bent"


def test_a_slice_is_a_dataset(tmp_path):
    for stem in "abc":
        put(tmp_path / f"images/{stem}.png")
        put(tmp_path / f"gts/gt_{stem}.txt")
    dataset = open_dataset("folder", root=tmp_path)
    assert [s.path.stem for s in dataset[1:]] == ["b", "c"]
    assert dataset[-1].path.stem == "c"
    assert dataset[1:].name == "folder"


def test_the_environment_names_the_root(tmp_path, monkeypatch):
    put(tmp_path / "icdar2015/test/images/img_1.jpg")
    put(tmp_path / "icdar2015/test/gts/gt_img_1.txt", ICDAR_LINE)
    monkeypatch.setenv("DBRT_DATA", str(tmp_path))
    assert len(open_dataset("icdar2015", "test")) == 1


@pytest.mark.parametrize("name", NAMES)
def test_without_a_root_the_variable_is_named(name):
    with pytest.raises(InputError, match="DBRT_DATA"):
        open_dataset(name, "test")


@pytest.mark.parametrize("name", NAMES)
def test_a_root_without_the_data_says_where_it_should_be(tmp_path, name):
    with pytest.raises(InputError, match="put the pictures under"):
        open_dataset(name, "test", root=tmp_path)


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere: no such folder"):
        open_dataset("icdar2015", "test", root=tmp_path / "nowhere")


def test_an_unknown_name_lists_the_known():
    with pytest.raises(
        UsageError, match="icdar2015, msra-td500, ctw1500, total-text, sroie, folder"
    ):
        open_dataset("coco", "test")


def test_an_unknown_split_lists_the_known(tmp_path):
    with pytest.raises(UsageError, match="train, test"):
        open_dataset("icdar2015", "validation", root=tmp_path)


def test_a_picture_without_annotation_is_named(tmp_path):
    put(tmp_path / "images/a.png")
    (tmp_path / "gts").mkdir()
    with pytest.raises(InputError, match=r"a\.png: has no annotation .*gt_a\.txt"):
        open_dataset("folder", root=tmp_path)


def test_a_folder_without_pictures_is_named(tmp_path):
    put(tmp_path / "images/readme.txt")
    (tmp_path / "gts").mkdir()
    with pytest.raises(InputError, match="holds no pictures"):
        open_dataset("folder", root=tmp_path)


def test_matlab_annotations_are_refused_with_the_form_to_take(tmp_path):
    put(tmp_path / "Images/Train/img1.jpg")
    put(tmp_path / "Groundtruth/Polygon/Train/poly_gt_img1.mat")
    with pytest.raises(InputError, match="take Total-Text's text form"):
        open_dataset("total-text", "train", root=tmp_path)


@pytest.mark.parametrize(
    ("split", "counts"),
    [("train", (1000, 11886, 4468)), ("test", (500, 5230, 2077))],
    ids=["train", "test"],
)
def test_icdar2015_has_the_published_counts(dbrt_data, split, counts):
    dataset = open_dataset("icdar2015", split, root=dbrt_data)
    words = sum(len(sample.words) for sample in dataset)
    assert (len(dataset), words, dataset.care_words) == counts


def test_the_receipts_have_their_counts(dbrt_data):
    dataset = open_dataset("sroie", "train", root=dbrt_data)
    assert (len(dataset), dataset.care_words) == (112, 5787)
