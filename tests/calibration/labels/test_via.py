"""VGG Image Annotator, with every oddity that its exports have had."""

import json

import numpy as np
import pytest

from calibration.labels import read_labels
from edge.errors import ConfigError
from tests.calibration.labels import making
from tests.calibration.labels.making import RECT, box_truth, image, images, via_csv, write_json

BOX = box_truth(5, 6, 15, 10)
CHIP = {"label": "chip"}


@pytest.fixture
def photos(tmp_path):
    return images(tmp_path, "a.png", "b.png")


def _texts(labels) -> str:
    return "\n".join(map(str, labels.problems))


def _read(tmp_path, *rows, header="#filename"):
    return read_labels(via_csv(tmp_path / "via.csv", *rows, header=header))


@pytest.mark.parametrize("header", ["#filename", "filename", "# filename", "\ufefffilename", "FileName"])
def test_the_header_in_all_its_forms(tmp_path, photos, header) -> None:
    labels = _read(tmp_path, ("a.png", "{}", 1, 0, RECT, CHIP), ("b.png", "{}", 0, 0, "{}", "{}"), header=header)
    assert not labels.problems
    assert [(item.path.name, item.label, item.kind) for item in labels.items] == [
        ("a.png", "bad", "chip"),
        ("b.png", "good", "good"),
    ]
    assert np.array_equal(labels.items[0].truth, BOX)
    assert not labels.items[1].truth.any()


@pytest.mark.parametrize("says", ["{}", '"{}"', "", '""', "null"])
def test_file_attributes_once_and_twice_wrapped(tmp_path, photos, says) -> None:
    labels = _read(tmp_path, ("a.png", says, 1, 0, RECT, CHIP), ("b.png", says, 0, 0, "{}", "{}"))
    assert not labels.problems
    assert np.array_equal(labels.items[0].truth, BOX)


def test_undefined_is_no_label_and_no_trouble(tmp_path, photos) -> None:
    raw = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
    raw += 'a.png,-1,"{}",1,0,"{""name"":""rect"",""x"":5,""y"":6,""width"":10,""height"":4}","{""Label"":undefined}"\n'
    raw += 'b.png,-1,"{}",1,0,"{""name"":""point"",""cx"":7,""cy"":9}","{""Label"":""undefined, \\""so\\""""}"\n'
    (tmp_path / "via.csv").write_text(raw)
    labels = read_labels(tmp_path / "via.csv")
    assert not labels.problems
    assert [item.kind for item in labels.items] == ["anomaly", 'undefined, "so"']
    assert np.array_equal(labels.items[0].truth, BOX)


@pytest.mark.parametrize("count", [0, -1])
def test_rows_without_a_region_call_the_image_good(tmp_path, photos, count) -> None:
    labels = _read(tmp_path, ("a.png", "{}", count, count, "{}", "{}"), ("b.png", "{}", 1, 0, RECT, CHIP))
    assert not labels.problems
    assert [item.label for item in labels.items] == ["good", "bad"]


def test_a_region_in_a_row_of_count_zero_is_a_region(tmp_path, photos) -> None:
    labels = _read(tmp_path, ("a.png", "{}", 0, 0, RECT, CHIP), ("b.png", "{}", 0, 0, "{}", "{}"))
    assert np.array_equal(labels.items[0].truth, BOX)


def test_x_of_minus_one_is_cut_at_the_frame(tmp_path, photos) -> None:
    region = {"name": "rect", "x": -1, "y": -1, "width": 6, "height": 5}
    labels = _read(tmp_path, ("a.png", "{}", 1, 0, region, CHIP), ("b.png", "{}", 0, 0, "{}", "{}"))
    assert not labels.problems
    assert np.array_equal(labels.items[0].truth, box_truth(0, 0, 5, 4))


def test_quotes_and_commas_in_the_words(tmp_path, photos) -> None:
    words = {"Label": 'a "big", red\nchip: {x}'}
    labels = _read(tmp_path, ("a.png", "{}", 1, 0, RECT, words), ("b.png", "{}", 0, 0, "{}", "{}"))
    assert not labels.problems
    assert labels.items[0].kind == words["Label"]


def test_attribute_names_in_any_case(tmp_path, photos) -> None:
    shape = {"Name": "rect", "X": 5, "y": 6, "WIDTH": 10, "height": 4}
    rows = [("a.png", "{}", 2, 0, shape, {"LABEL": "chip"}), ("a.png", "{}", 2, 1, making.POINT, {"laBel ": "hair"})]
    labels = _read(tmp_path, *rows, ("b.png", "{}", 0, 0, "{}", "{}"))
    assert not labels.problems
    assert labels.items[0].kind == "chip+hair"
    assert labels.items[0].truth[6:10, 5:15].all()


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"colour": "red", "class": "scratch"}, "scratch"),
        ({"anything": "dent"}, "dent"),
        ({"anything": "dent", "other": "x"}, "anomaly"),
        ({"type": {"dent": True, "scratch": True, "none": False}}, "dent+scratch"),
        ({"label": "", "class": None}, "anomaly"),
        ({"label": 7}, "anomaly"),
    ],
)
def test_which_attribute_names_the_defect(tmp_path, photos, attributes, kind) -> None:
    labels = _read(tmp_path, ("a.png", "{}", 1, 0, RECT, attributes), ("b.png", "{}", 0, 0, "{}", "{}"))
    assert labels.items[0].kind == kind


def test_every_shape_and_rows_in_any_order(tmp_path, photos) -> None:
    rows = [("a.png", "{}", 6, number, shape, CHIP) for number, shape in enumerate(making.SHAPES)]
    labels = _read(tmp_path, *rows[:3], ("b.png", "{}", 0, 0, "{}", "{}"), *rows[3:])
    assert not labels.problems
    truth = labels.items[0].truth
    assert len(labels.items[0].regions) == 6
    for x, y in ((5, 6), (20, 10), (12, 11), (8, 9), (12, 8), (7, 9)):
        assert truth[y, x]


@pytest.mark.parametrize(
    ("shape", "what"),
    [
        ({"name": "rect", "x": 5, "y": 6, "width": 0, "height": 4}, "width is 0: the region has no area"),
        ({"name": "rect", "x": "a", "y": 6, "width": 3, "height": 4}, "x is 'a', not a number"),
        ({"name": "rect", "x": 5, "y": 6, "width": 3}, "height is None, not a number"),
        ({"name": "circle", "cx": 5, "cy": 6, "r": -3}, "r is -3"),
        ({"name": "circle", "cx": 1e308, "cy": 6, "r": 3}, "cx is 1e+308"),
        ({"name": "ellipse", "cx": 5, "cy": 6, "rx": True, "ry": 3}, "rx is True, not a number"),
        ({"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2]}, "2 different points, not 3"),
        ({"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]}, "3 x and 2 y"),
        ({"name": "polygon", "all_points_x": [1, 5, 9], "all_points_y": [1, float("nan"), 7]}, "y is nan"),
        ({"name": "polygon", "all_points_x": [1, 5, 9], "all_points_y": [4, 4, 4]}, "marks no pixel"),
        ({"name": "polygon", "all_points_x": [1] * 20_001, "all_points_y": [1] * 20_001}, "20001 points: at most 20000"),
        ({"name": "polygon", "all_points_x": "1,2", "all_points_y": [1, 2]}, "no lists of numbers"),
        ({"name": "rect", "x": 300, "y": 6, "width": 3, "height": 4}, "outside of an image of 40x30"),
        ({"name": "rect", "x": 35, "y": 6, "width": 30, "height": 4}, "outside of an image of 40x30"),
        ({"name": "circle", "cx": 60, "cy": 6, "r": 30}, "outside of an image of 40x30"),
        ({"name": "point", "cx": 41.5, "cy": 6}, "marks no pixel"),
        ({"name": "cube"}, "its shape is 'cube'"),
        ({"x": 3}, "its shape is None"),
    ],
)
def test_a_region_that_cannot_be_drawn_is_listed_and_the_image_stays_bad(tmp_path, photos, shape, what) -> None:
    labels = _read(tmp_path, ("a.png", "{}", 1, 0, shape, CHIP), ("b.png", "{}", 0, 0, "{}", "{}"))
    assert what in _texts(labels)
    assert "via.csv: row 2:" in _texts(labels)
    assert "a.png is used as a bad image, but its pixels are not known" in _texts(labels)
    item = labels.items[0]
    assert (item.label, item.pixels_known, item.truth) == ("bad", False, None)


def test_a_shape_that_hangs_over_the_edge_with_its_middle_inside_is_cut(tmp_path, photos) -> None:
    labels = _read(tmp_path, ("a.png", "{}", 1, 0, {"name": "circle", "cx": 38, "cy": 15, "r": 9}, CHIP))
    assert labels.items[0].pixels_known
    assert labels.items[0].truth[15, 30:].all()


def test_a_broken_line_spoils_no_other(tmp_path, photos) -> None:
    via_csv(tmp_path / "via.csv", ("a.png", "{}", 1, 0, RECT, CHIP), ("b.png", "{}", 0, 0, "{}", "{}"))
    lines = (tmp_path / "via.csv").read_text().splitlines()
    lines.insert(1, 'a.png,-1,"{}",1,0,"{""name"":""rect"" never closed,{}')
    lines.insert(3, "a.png,-1")
    lines.insert(4, "")
    (tmp_path / "via.csv").write_text("\r\n".join(lines))
    labels = read_labels(tmp_path / "via.csv")
    assert [str(problem.row) for problem in labels.problems] == ["row 2", "row 4"]
    assert len(labels.items) == 2


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        (("a.png", "{", 1, 0, RECT, CHIP), "file_attributes: no valid JSON"),
        (("a.png", "[1]", 1, 0, RECT, CHIP), "file_attributes is list, not an object"),
        (("a.png", "{}", "many", 0, RECT, CHIP), "region_count is 'many'"),
        (("a.png", "{}", 1, 0, "{broken", CHIP), "region_shape_attributes: no valid JSON"),
        (("a.png", "{}", 1, 0, '{"name":"rect","name":"point"}', CHIP), "the key 'name' is written twice"),
        (("a.png", "{}", 1, 0, "[" * 100_000, CHIP), "nested too deeply"),
        (("a.png", "{}", 1, 0, "[" * 20 + "]" * 20, CHIP), "nested deeper than 16"),
        (("a.png", "{}", 1, 0, "{}", CHIP), "says region_count 1 but has no region"),
        (("a.png", "{}", 3, 0, RECT, CHIP), "should have 3 regions and has 1"),
    ],
)
def test_a_row_that_cannot_be_read_is_listed(tmp_path, photos, cells, what) -> None:
    labels = _read(tmp_path, cells, ("b.png", "{}", 0, 0, "{}", "{}"))
    assert what in _texts(labels)
    assert [(item.label, item.pixels_known) for item in labels.items] == [("bad", False), ("good", True)]


def test_columns_in_another_order_and_a_row_cut_short(tmp_path, photos) -> None:
    point = '"{""name"":""point"",""cx"":7,""cy"":9}"'
    text = f"filename,region_shape_attributes,file_size\na.png,{point},100\na.png,{point}\nb.png,{{}},9\n"
    (tmp_path / "via.csv").write_text(text)
    labels = read_labels(tmp_path / "via.csv")
    assert "a.png has file_size '' here and '100' in row 2" in _texts(labels)
    assert [item.label for item in labels.items] == ["bad", "good"]


def test_two_images_of_one_name_are_told_apart_by_their_size(tmp_path, photos) -> None:
    rows = ["#" + ",".join(making.COLUMNS).replace("#", "")]
    rows += ['a.png,100,"{}",1,0,"{""name"":""point"",""cx"":7,""cy"":9}","{}"']
    rows += ['a.png,200,"{}",1,0,"{""name"":""point"",""cx"":9,""cy"":9}","{}"']
    (tmp_path / "via.csv").write_text("\n".join(rows))
    labels = read_labels(tmp_path / "via.csv")
    assert "two images of one name" in _texts(labels)
    assert not labels.items[0].pixels_known


def test_the_file_itself_may_call_an_image_good_or_bad(tmp_path, photos) -> None:
    image(tmp_path / "c.png")
    rows = [("a.png", {"Label": "NOK"}, 0, 0, "{}", "{}"), ("b.png", {"class": "good"}, 0, 0, "{}", "{}")]
    labels = _read(tmp_path, *rows, ("c.png", {"label": "ok"}, 1, 0, RECT, CHIP))
    assert [(item.label, item.pixels_known) for item in labels.items] == [("bad", False), ("good", True)]
    assert "c.png is called good but has regions" in _texts(labels)


def test_images_without_labels_and_labels_without_images(tmp_path, photos) -> None:
    image(tmp_path / "c.png")
    labels = _read(
        tmp_path, ("a.png", "{}", 0, 0, "{}", "{}"), ("B.PNG", "{}", 0, 0, "{}", "{}"), ("z.png", "{}", 1, 0, RECT, CHIP)
    )
    texts = _texts(labels)
    assert len(labels.items) == 1
    assert "row 3: the image 'B.PNG' is not in" in texts
    assert "there is b.png" in texts
    assert "row 4: the image 'z.png' is not in" in texts
    assert f"{tmp_path / 'b.png'}: has no label" in texts
    assert f"{tmp_path / 'c.png'}: has no label" in texts


@pytest.mark.parametrize(
    "name", ["../a.png", "/a.png", "x/../../a.png", "C:\\a.png", "\\\\server\\a.png", "http://x/a.png", "a\x00.png", ".."]
)
def test_names_never_lead_out_of_the_folder(tmp_path, name) -> None:
    inner = images(tmp_path / "inner", "b.png")
    image(tmp_path / "a.png")
    document = {"k": {"filename": name, "size": 1, "regions": [], "file_attributes": {}}}
    labels = read_labels(write_json(tmp_path / "via.json", document), inner)
    assert not labels.items
    assert len(labels.problems) == 2


def test_a_name_may_have_folders_below(tmp_path) -> None:
    images(tmp_path / "in" / "day1", "a.png", "b.png")
    labels = read_labels(via_csv(tmp_path / "in" / "via.csv", ("day1/a.png", "{}", 0, 0, "{}", "{}")))
    assert [item.path.name for item in labels.items] == ["a.png"]
    assert "b.png: has no label" in _texts(labels)


@pytest.mark.parametrize("project", [False, True])
def test_json_and_project(tmp_path, photos, project) -> None:
    document = making.via_document()
    if project:
        document = {"_via_settings": {}, "_via_img_metadata": document, "_via_attributes": {}}
    labels = read_labels(write_json(tmp_path / "via.json", document))
    assert not labels.problems
    assert labels.format == "via"
    assert [(item.label, len(item.regions)) for item in labels.items] == [("bad", 6), ("good", 0)]


def test_json_of_version_1_numbers_its_regions(tmp_path, photos) -> None:
    region = {"shape_attributes": RECT, "region_attributes": {"name": "chip"}}
    entry = {
        "fileref": "",
        "size": 1,
        "filename": "a.png",
        "base64_img_data": "",
        "file_attributes": {},
        "regions": {"0": region},
    }
    other = {**entry, "filename": "b.png", "regions": {}}
    labels = read_labels(write_json(tmp_path / "via.json", {"a.png1": entry, "b.png1": other}))
    assert not labels.problems
    assert np.array_equal(labels.items[0].truth, BOX)


def test_json_entries_that_cannot_be_read(tmp_path, photos) -> None:
    document = making.via_document(shapes=[RECT])
    document["a.png123"]["regions"] += ["no region", {"shape_attributes": 3}]
    document["c"] = {"filename": 3}
    document["d"] = {"filename": "b.png", "regions": 7}
    labels = read_labels(write_json(tmp_path / "via.json", document))
    texts = _texts(labels)
    for row in ("key 'a.png123' region 1:", "key 'a.png123' region 2:", "key 'c':", "key 'd':"):
        assert row in texts
    assert [(item.label, item.pixels_known) for item in labels.items] == [("bad", False), ("good", True)]


def test_an_image_labelled_twice_is_not_used(tmp_path, photos) -> None:
    document = making.via_document(shapes=[RECT])
    document["a.png999"] = {**document["a.png123"], "regions": []}
    labels = read_labels(write_json(tmp_path / "via.json", document))
    assert [item.path.name for item in labels.items] == ["b.png"]
    assert _texts(labels).count("a.png has labels 2 times") == 2


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "has no column filename"),
        ("a,b\n1,2\n", "has no column filename"),
        ("# CSV_HEADER = metadata_id,file_list\n", "VIA 3"),
    ],
)
def test_a_file_that_is_no_via_csv(tmp_path, text, what) -> None:
    (tmp_path / "via.csv").write_text(text)
    with pytest.raises(ConfigError, match=what):
        read_labels(tmp_path / "via.csv")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", '{"a": 1}', '{"a": {}, "a": {}}', "[" * 99_999, '{"_via_img_metadata": 3}']
)
def test_a_file_that_is_no_label_json(tmp_path, text) -> None:
    (tmp_path / "via.json").write_text(text)
    with pytest.raises(ConfigError, match=r"via\.json"):
        read_labels(tmp_path / "via.json")


def test_a_file_that_is_too_large(tmp_path, photos, monkeypatch) -> None:
    path = write_json(tmp_path / "via.json", making.via_document())
    monkeypatch.setattr("calibration.labels.documents.MAX_FILE_BYTES", 100)
    with pytest.raises(ConfigError, match="is too large"):
        read_labels(path)


def test_a_long_polygon_fits_into_a_cell(tmp_path, photos) -> None:
    angle = np.linspace(0, 2 * np.pi, 15_000)
    shape = {
        "name": "polygon",
        "all_points_x": (20 + 9 * np.cos(angle)).tolist(),
        "all_points_y": (15 + 9 * np.sin(angle)).tolist(),
    }
    assert len(json.dumps(shape)) > 131_072
    labels = _read(tmp_path, ("a.png", "{}", 1, 0, shape, CHIP), ("b.png", "{}", 0, 0, "{}", "{}"))
    assert not labels.problems
    assert labels.items[0].truth.sum() == pytest.approx(np.pi * 81, rel=0.03)
