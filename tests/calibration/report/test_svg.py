from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.report.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, Chart, Line, Mark, legend, span

UNIT = Axis("x", 0, 1)
finite = st.floats(-1e6, 1e6, allow_nan=False)


def parsed(chart):
    return ElementTree.fromstring(chart.svg())


def points_of(chart):
    line = parsed(chart).find("polyline")
    return [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]


def test_corners_of_the_plot():
    chart = Chart(UNIT, Axis("y", 0, 1), "t")
    chart.line(Line([0, 1], [0, 1], "c1", "a"))
    assert points_of(chart) == [(LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, TOP)]


@given(st.lists(st.tuples(finite, finite), min_size=2, max_size=40))
def test_nothing_is_drawn_far_outside(points):
    chart = Chart(UNIT, UNIT, "t")
    chart.line(Line([x for x, _ in points], [y for _, y in points], "c1", "a"))
    for x, y in points_of(chart):
        assert 0 < x < WIDTH
        assert 0 < y < HEIGHT


def test_points_on_one_spot_are_drawn_once():
    chart = Chart(UNIT, UNIT, "t")
    chart.line(Line([0.5] * 1000, [0.5] * 1000, "c1", "a"))
    assert len(points_of(chart)) == 1


@given(finite, st.floats(1e-6, 1e6))
def test_ticks_are_round_few_and_inside(low, width):
    axis = Axis("x", low, low + width)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 12 or width < abs(low) * 1e-9
    room = 1e-6 * width + abs(low) * 1e-9
    assert all(low - room <= tick <= low + width + room for tick in ticks)
    assert ticks == sorted(ticks)


def test_ticks_of_the_unit_axis():
    assert Axis("x", 0, 1).ticks() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(1, 100, [1, 2, 5, 10, 20, 50, 100]), (0.1, 5000, [0.1, 1, 10, 100, 1000])],
)
def test_ticks_of_a_logarithmic_axis(low, high, expected):
    assert Axis("x", low, high, log=True).ticks() == pytest.approx(expected)


def test_a_logarithmic_axis_spreads_decades_evenly():
    axis = Axis("x", 1, 100, log=True)
    assert axis.share(10) == pytest.approx(0.5)
    assert axis.share(0) < 0


def test_an_axis_without_width_does_not_divide_by_zero():
    axis = Axis("x", 2, 2)
    assert axis.share(2) == 0
    assert axis.ticks()


def test_bars_stand_on_the_zero_line_and_hang_from_it():
    chart = Chart(UNIT, Axis("frames", -4, 4), "t")
    chart.bars([0, 0.5, 1], [2, 0], "bar good", 1)
    chart.bars([0, 0.5, 1], [0, 4], "bar bad", -1)
    up, down = parsed(chart).findall("rect")
    zero = chart.py(0)
    assert float(up.get("y")) + float(up.get("height")) == pytest.approx(zero, abs=0.11)
    assert float(down.get("y")) == pytest.approx(zero, abs=0.11)
    assert float(down.get("height")) == pytest.approx(2 * float(up.get("height")), abs=0.2)
    assert float(up.get("x")) < float(down.get("x"))


def test_counts_below_zero_are_labelled_as_counts():
    chart = Chart(UNIT, Axis("frames", -4, 4), "t")
    labels = {text.text for text in parsed(chart).findall("text")}
    assert "4" in labels
    assert not any(label.startswith("-") for label in labels if label[-1].isdigit())


def test_marks_have_their_names_one_below_the_other():
    chart = Chart(UNIT, UNIT, "t")
    chart.marks([Mark(0.5, "quantile"), Mark(0.49, "max"), Mark(0.95, "sigma")])
    texts = {text.text: text for text in parsed(chart).findall("text") if text.get("class") == "label halo"}
    heights = [float(texts[name].get("y")) for name in ("max", "quantile", "sigma")]
    assert heights == sorted(heights)
    assert len(set(heights)) == 3
    assert texts["max"].get("text-anchor") == "start"
    assert texts["sigma"].get("text-anchor") == "end", "near the right edge the name stands on the left"


def test_a_rug_has_a_stroke_for_each_value():
    chart = Chart(UNIT, Axis("y", -1, 1), "t")
    chart.rug([0.1, 0.2, 0.9], "rug")
    assert sum(line.get("class") == "rug" for line in parsed(chart).findall("line")) == 3


def test_words_are_escaped_and_the_title_is_there():
    chart = Chart(Axis("<x>", 0, 1), UNIT, "a & b")
    chart.text("1 < 2", 10, 10)
    tree = parsed(chart)
    assert tree.find("title").text == "a & b"
    assert "1 < 2" in {text.text for text in tree.findall("text")}


def test_the_legend_shows_how_each_line_is_drawn():
    made = legend([Line((), (), "c1", "A"), Line((), (), "c2", "B", dashed=True, thick=True)])
    tree = ElementTree.fromstring(made)
    assert [item.find("span").text for item in tree.findall("li")] == ["A", "B"]
    assert [item.find("svg/polyline").get("class") for item in tree.findall("li")] == ["line c1", "line c2 dashed thick"]


@given(st.lists(st.one_of(finite, st.just(float("nan")), st.just(float("inf"))), max_size=20))
def test_a_span_holds_every_finite_value_and_has_a_width(values):
    low, high = span(values)
    assert low < high
    assert all(low <= value <= high for value in values if abs(value) < 1e7)


@pytest.mark.parametrize("high", [1, 2, 3, 5, 7, 12, 40, 1000])
def test_frames_are_counted_in_whole_numbers(high):
    ticks = Axis("frames", -high * 1.12, high * 1.12, whole=True).ticks()
    assert all(tick == round(tick) for tick in ticks)
    assert 0 in ticks
    assert 3 <= len(ticks) <= 12


@given(st.floats(1e-3, 1e3), st.floats(1.5, 1e6))
def test_a_logarithmic_axis_has_values_to_read_off(low, ratio):
    ticks = Axis("x", low, low * ratio, log=True).ticks()
    assert len(ticks) >= (2 if ratio > 12 else 0)
    assert len(ticks) <= 12
    assert all(low <= tick <= low * ratio for tick in ticks)


def test_a_span_without_room_ends_at_its_values():
    assert span([0.0, 3.0], 0.0) == (0.0, 3.0)
    low, high = span([3.0], 0.0)
    assert low < 3.0 < high


def test_names_of_marks_have_room_for_the_letters_of_a_phone():
    chart = Chart(UNIT, UNIT, "t")
    chart.marks([Mark(0.5, "a"), Mark(0.51, "b"), Mark(0.52, "c")])
    heights = sorted(float(text.get("y")) for text in parsed(chart).findall("text") if text.get("class") == "label halo")
    assert min(heights[1] - heights[0], heights[2] - heights[1]) >= 17
