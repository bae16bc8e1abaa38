import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calibration.labels import Ellipse, Labelled, Point, Polygon, Polyline, read_labels, write_via_csv, write_via_json
from calibration.labels.shapes import pack, rectangle
from edge.errors import ConfigError
from tests.calibration.labels.making import SIZE, images

REGIONS = (
    rectangle("chip", 4.5, 5.5, 14.5, 9.5),
    rectangle("chip", -1.5, -1.5, 3.5, 2.5),
    rectangle("odd", 20.1, 20.7, 25.3, 26.9),
    Ellipse("dent", (19.5, 14.5), (5.0, 5.0)),
    Ellipse("dent", (19.5, 14.5), (9.0, 4.0), 0.4),
    Polygon('a "big", red\nhair', np.array([[4.5, 4.5], [19.5, 7.5], [9.5, 19.5], [4.5, 4.5]])),
    Polygon("chip", np.array([[4.25, 4.1], [19.77, 7.3], [9.99, 19.01]])),
    Polyline("line", np.array([[1.5, 2.5], [11.5, 2.5], [11.5, 8.5]])),
    Point("dot", 6.5, 8.5),
)
WRITERS = [(write_via_csv, "via.csv"), (write_via_json, "via.json")]

# Sixty-fourths survive the half pixel that is added and taken away; other numbers may lose their last bit.
coordinate = st.integers(-150, 1900).map(lambda value: value / 64)
corners = st.lists(st.tuples(coordinate, coordinate), min_size=3, max_size=9, unique=True)


@pytest.fixture
def photos(tmp_path):
    return images(tmp_path, "a.png", "b.png", "c.png")


def _items(folder):
    bad = Labelled(folder / "a.png", "bad", "chip", REGIONS, SIZE)
    good = Labelled(folder / "b.png", "good", "good", (), SIZE)
    unknown = Labelled(folder / "c.png", "bad", "anomaly", (), SIZE, pixels_known=False)
    return [bad, good, unknown]


@pytest.mark.parametrize(("write", "name"), WRITERS)
def test_what_is_written_is_read_again(photos, write, name) -> None:
    items = _items(photos)
    write(photos / name, items)
    labels = read_labels(photos / name)
    assert not labels.problems
    for item, again in zip(items, labels.items, strict=True):
        assert (again.path, again.label, again.pixels_known) == (item.path, item.label, item.pixels_known)
        assert again.truth is item.truth is None or np.array_equal(again.truth, item.truth)
    assert [region.kind for region in labels.items[0].regions] == [region.kind for region in REGIONS]


@pytest.mark.parametrize(("write", "name"), WRITERS)
@pytest.mark.parametrize("number", range(len(REGIONS)))
def test_each_region_alone(photos, write, name, number) -> None:
    region = REGIONS[number]
    item = Labelled(photos / "a.png", "bad", region.kind, (region,), SIZE)
    write(photos / name, [item])
    again = next(item for item in read_labels(photos / name).items)
    assert again.kind == region.kind.strip()
    assert type(again.regions[0]) is type(region)
    assert np.array_equal(again.truth, item.truth)


@settings(max_examples=60, deadline=None)
@given(corners)
def test_any_polygon_comes_back(tmp_path_factory, points) -> None:
    folder = tmp_path_factory.mktemp("polygon")
    images(folder, "a.png")
    item = Labelled(folder / "a.png", "bad", "x", (Polygon("x", np.array(points)),), SIZE)
    write_via_csv(folder / "via.csv", [item])
    labels = read_labels(folder / "via.csv")
    if item.truth.any() and labels.items[0].pixels_known:
        assert np.array_equal(labels.items[0].truth, item.truth)
    else:
        assert labels.problems


def _names_by_shape(path) -> list[str]:
    regions = json.loads(path.read_text()).popitem()[1]["regions"]
    return [region["shape_attributes"]["name"] for region in regions]


def test_shapes_are_written_as_via_knows_them(photos) -> None:
    write_via_json(photos / "via.json", _items(photos)[:1])
    names = _names_by_shape(photos / "via.json")
    assert names == ["rect", "rect", names[2], "circle", "ellipse", "polygon", "polygon", "polyline", "point"]
    shape = json.loads((photos / "via.json").read_text()).popitem()[1]["regions"][0]["shape_attributes"]
    assert shape == {"name": "rect", "x": 5, "y": 6, "width": 10, "height": 4}


def test_the_header_and_the_sizes_are_those_of_via(photos) -> None:
    write_via_csv(photos / "via.csv", _items(photos))
    lines = (photos / "via.csv").read_text().splitlines()
    assert lines[0].startswith("#filename,file_size,file_attributes,region_count,region_id,region_shape_attributes")
    assert lines[1].startswith(f"a.png,{(photos / 'a.png').stat().st_size},{{}},9,0,")


def test_every_oddity_in_one_export_comes_back(photos) -> None:
    """Write regions, spoil the export in every way that VIA and its users do, read equal masks."""
    items = _items(photos)
    write_via_csv(photos / "via.csv", items)
    text = (photos / "via.csv").read_text().removeprefix("#")
    text = text.replace(",0,0,{},{}", ",-1,-1,{},{}")
    text = text.replace(",{},", ',"""{}""",')
    text = text.replace('"{""label"": ""odd""}"', '"{""Label"":undefined}"').replace(
        '{""label"": ""dot""}', '{""LABEL"": ""dot""}'
    )
    text = text.replace('""name"": ""rect""', '""Name"": ""rect""').replace("\n", "\r\n")
    assert text.count("undefined") == text.count("LABEL") == 1
    assert text.count('"""{}"""') >= 9
    assert text.count(",-1,-1,") == 2
    (photos / "via.csv").write_text("\ufeff" + text)
    labels = read_labels(photos / "via.csv")
    assert not labels.problems
    assert np.array_equal(labels.items[0].truth, items[0].truth)
    assert [item.label for item in labels.items] == ["bad", "good", "bad"]
    assert [region.kind for region in labels.items[0].regions][2] == "anomaly"


def test_pixels_cannot_be_written_and_nothing_stays(photos) -> None:
    item = Labelled(photos / "a.png", "bad", "x", (pack("x", np.ones((3, 3), np.bool_)),), SIZE)
    before = sorted(photos.iterdir())
    for write, name in WRITERS:
        with pytest.raises(ConfigError, match="is made of pixels"):
            write(photos / name, [item])
    assert sorted(photos.iterdir()) == before


def test_a_folder_that_is_not_there(photos) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_via_csv(photos / "none" / "via.csv", [])
