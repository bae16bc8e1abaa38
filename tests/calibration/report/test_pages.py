import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from calibration.evaluate.comparing import compare
from calibration.evaluate.configurations import EIGHT, STATION
from calibration.evaluate.levels import Level
from calibration.evaluate.results import Sweep
from calibration.report.pages import comparison_page, evaluation_page, sweep_page
from tests.calibration.evaluate.making import SHOTS, evaluation, mistake, row

DARK = "@media screen and (prefers-color-scheme:dark)"
VOID = {"meta", "img", "br", "polyline", "line", "rect"}
HOSTILE = "\"><script>alert('x')</script><img src=http://evil.example/x onerror=1>&amp;\u202egnp"


class Page(HTMLParser):
    """Checks that every element is closed in order, and collects what a browser would load or show."""

    def __init__(self, data):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.text = [], [], ""
        self.feed(data.decode())
        self.close()
        assert not self.open

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))
        if name not in VOID:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_endtag(self, name):
        assert self.open.pop() == name

    def handle_data(self, data):
        self.text += data

    def count(self, name):
        return sum(each == name for each, _ in self.elements)


@pytest.fixture(scope="module")
def swept_page():
    return sweep_page(Sweep((evaluation(),), 0))


def test_the_page_is_well_formed_and_complete(swept_page):
    page = Page(swept_page)
    for words in ("Sweep of view front", "Configurations", "Thresholds", "Curves", "Frames judged wrong (1)", "PRE+M+R"):
        assert words in page.text
    assert swept_page.startswith(b'<!doctype html>\n<html lang="en">')


def test_nothing_is_fetched_from_anywhere(swept_page):
    page = Page(swept_page)
    assert not page.count("script")
    assert not page.count("link")
    for _, attributes in page.elements:
        for key in ("src", "href", "xlink:href", "action", "data"):
            assert attributes.get(key, "data:").startswith("data:")
    style = re.search(rb"<style>(.*?)</style>", swept_page, re.S).group(1)
    assert b"url(" not in style
    assert b"@import" not in style
    policy = next(attributes["content"] for name, attributes in page.elements if attributes.get("http-equiv"))
    assert policy.startswith("default-src 'none'")


def test_it_is_made_for_a_phone_for_the_dark_and_for_paper(swept_page):
    assert b'name="viewport"' in swept_page
    assert b"prefers-color-scheme:dark" in swept_page
    assert b"@media print" in swept_page
    assert b"overflow-x:auto" in swept_page


def test_every_colour_that_is_used_is_defined_for_light_and_dark(swept_page):
    style = re.search(rb"<style>(.*?)</style>", swept_page, re.S).group(1).decode()
    light, dark = style.split(DARK)
    used = set(re.findall(r"var\((--[\w-]+)\)", style))
    for name in used:
        assert f"{name}:" in light, name
        assert f"{name}:" in dark, name


def test_the_studys_table_has_its_columns_in_order(swept_page):
    head = re.findall(r"<th[^>]*>([A-Z+]+)</th>", swept_page.decode())
    assert head[:8] == [each.code for each in EIGHT]


def test_every_chart_is_valid_svg_with_a_title(swept_page):
    charts = re.findall(r"<svg viewBox=\"0 0 480 340\".*?</svg>", swept_page.decode())
    assert len(charts) >= 6
    titles = {ElementTree.fromstring(chart).find("title").text for chart in charts}
    assert {"Image ROC", "Pixel ROC", "PRO", "Precision and recall of pixels", "IoU"} <= titles


def test_a_refused_method_says_why(swept_page):
    assert "refused: too few frames" in Page(swept_page).text


def test_pictures_are_inside_and_named(swept_page):
    pictures = [attributes for name, attributes in Page(swept_page).elements if name == "img"]
    assert [each["alt"] for each in pictures] == ["input", "reference", "map"]
    assert all(each["src"].startswith("data:image/jpeg;base64,") for each in pictures)


def test_whatever_people_name_things_it_stays_text():
    shots = tuple(replace(shot, name=HOSTILE, path=HOSTILE, kind=HOSTILE) for shot in SHOTS)
    hostile = evaluation(
        title=HOSTILE, view=HOSTILE, recipe=HOSTILE, source=HOSTILE, good_source=HOSTILE, shots=shots,
        mistakes=(mistake(shot=shots[3]), mistake(shot=shots[0], verdict="undecided", score=None, why=HOSTILE)),
        notes=(HOSTILE,),
    )  # fmt: skip
    pages = [evaluation_page(hostile), sweep_page(Sweep((hostile, hostile), 1)), comparison_page(compare(hostile, hostile))]
    for data in pages:
        page = Page(data)
        assert not page.count("script")
        assert all(attributes["src"].startswith("data:") for name, attributes in page.elements if name == "img")
        assert not any("onerror" in attributes for _, attributes in page.elements)
        assert "<script>alert('x')" in page.text
        assert "\u202e" not in page.text


def test_undefined_is_called_undefined():
    page = Page(evaluation_page(evaluation([row(STATION, auroc=None, iou=None)])))
    assert page.text.count("undefined") >= 10
    assert "nan" not in page.text.lower()


def test_without_any_method_it_says_that_nothing_could_be_judged():
    nothing = row(STATION, (None,) * 4, levels=(Level("max", "max", refused="0 usable good frames"),), auroc=None)
    page = Page(evaluation_page(evaluation([nothing], mistakes=())))
    assert "No configuration could be judged" in page.text
    assert "4/4" in page.text
    assert "no frame was judged" in page.text


def test_no_mistakes_is_said():
    assert "every frame was judged right" in Page(evaluation_page(evaluation(mistakes=()))).text


def test_mistakes_without_pictures_are_counted():
    page = Page(evaluation_page(evaluation(mistakes=(mistake(), mistake(panels=())))))
    assert "too many: 1." in page.text


def test_an_undecided_frame_shows_its_reason():
    undecided = mistake(verdict="undecided", score=None, why="similarity 0.1 < 0.5")
    assert "similarity 0.1 < 0.5" in Page(evaluation_page(evaluation(mistakes=(undecided,)))).text


def test_several_bundles_have_a_table_and_a_section_each():
    second = evaluation(title="variation-000000000002")
    page = Page(sweep_page(Sweep((evaluation(), second), 1)))
    assert "Best bundle: variation-000000000002" in page.text
    assert "Bundle variation-000000000001" in page.text
    nothing = evaluation([row(STATION, levels=(Level("max", "max", refused="x"),))], title="empty")
    assert "Best bundle: none" in Page(sweep_page(Sweep((nothing, nothing), None))).text


def test_a_comparison_shows_who_found_what():
    a = evaluation([row(STATION, (1.0, 3.0, 5.0, 1.5))], title="recipe A")
    b = evaluation([row(STATION, (1.0, 2.0, 5.0, 9.0))], title="recipe B")
    page = Page(comparison_page(compare(a, b)))
    for words in ("recipe A", "recipe B", "only B", "McNemar's exact p", "bad/d.png", "missed (1.5)", "right (9)"):
        assert words in page.text


def test_a_wide_range_of_scores_is_drawn_logarithmically():
    wide = evaluation([row(STATION, (0.5, 0.6, 500.0, 90.0))])
    assert "image score (logarithmic)" in Page(evaluation_page(wide)).text
    assert "(logarithmic)" not in Page(evaluation_page(evaluation())).text


@pytest.mark.parametrize("scores", [(-3.0, -2.0, -1.0, 0.0), (0.0, 0.0, 0.0, 0.0), (1e-9, 2e-9, 3e-9, 4e-9), (1e9,) * 4])
def test_scores_of_any_size_can_be_drawn(scores):
    Page(evaluation_page(evaluation([row(STATION, scores)])))


def test_a_real_sweep_makes_a_page(swept):
    data = sweep_page(swept)
    page = Page(data)
    assert page.count("img") == 6
    assert len(data) < 1_000_000
    assert "leftover/04.png" in page.text


def colours(block):
    return dict(re.findall(r"(--[\w-]+):(#[0-9a-f]{3,6})", block))


def luminance(colour):
    digits = colour[1:] if len(colour) == 7 else "".join(2 * each for each in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_colour_that_words_have_can_be_read_on_every_ground(swept_page, scheme):
    style = re.search(rb"<style>(.*?)</style>", swept_page, re.S).group(1).decode()
    known = colours(style.split(DARK)[0] if scheme == "light" else style.split(DARK)[1])
    for words in ("--fg", "--soft", "--good", "--bad", "--mark", *(f"--c{number}" for number in range(1, 7))):
        assert contrast(known[words], known["--bg"]) >= 4.5, words
    for words in ("--fg", "--soft"):
        for ground in ("--box", "--best"):
            assert contrast(known[words], known[ground]) >= 4.5, (words, ground)


def test_paper_gets_whole_tables_in_light_colours(swept_page):
    style = re.search(rb"<style>(.*?)</style>", swept_page, re.S).group(1).decode()
    paper = style.split("@media print")[1]
    for rule in ("landscape", ".scroll{overflow:visible}", "break-inside:avoid", "white-space:normal"):
        assert rule in paper
    assert "screen and (prefers-color-scheme:dark)" in style, "a dark desktop must not print black pages"


def test_the_histogram_says_in_its_caption_which_way_is_which(swept_page):
    assert "Scores, PRE+M+R: 2 good frames upwards, 2 bad downwards" in Page(swept_page).text


def test_a_method_and_its_parameter_stand_below_each_other_so_that_eight_fit():
    levels = (Level("quantile", "quantile 99.5 %", 2.5, 2.0),)
    page = evaluation_page(evaluation([row(STATION, levels=levels)])).decode()
    assert "quantile<br/>99.5 %</td>" in page


@pytest.mark.parametrize(("value", "at"), [(0.02, "end"), (0.9, "start")])
def test_words_in_the_precision_chart_stand_where_the_curve_is_not(value, at):
    low = row(STATION, auroc=value)
    page = sweep_page(Sweep((evaluation([low]),), 0)).decode()
    chart = next(each for each in re.findall(r"<svg viewBox.*?</svg>", page) if "Precision and recall" in each)
    words = next(text for text in ElementTree.fromstring(chart).findall("text") if (text.text or "").startswith("PRE+M+R"))
    assert words.get("text-anchor") == at


def test_where_nothing_was_judged_no_frame_is_called_right():
    blind = row(STATION, (None,) * 4)
    text = Page(evaluation_page(evaluation([blind], mistakes=()))).text
    assert "No frame was judged." in text
    assert "every frame was judged right" not in text
    assert "Reference is the recipe's own image" not in text
