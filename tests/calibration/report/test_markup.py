from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from calibration.report.markup import Markup, join, printable, shown, tag, trusted


class Texts(HTMLParser):
    """What a browser would make of it: elements with attributes, and text."""

    def __init__(self, markup):
        super().__init__(convert_charrefs=True)
        self.elements, self.text = [], ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_startendtag(self, name, attributes):
        self.elements.append((name, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def test_text_is_escaped_and_markup_is_not():
    assert tag("p", "a < b & c") == "<p>a &lt; b &amp; c</p>"
    assert tag("p", tag("b", "x")) == "<p><b>x</b></p>"
    assert isinstance(tag("p"), Markup)


def test_attributes_are_escaped_and_renamed():
    assert tag("a", "x", class_='q" onload="1') == '<a class="q&quot; onload=&quot;1">x</a>'
    assert tag("line", stroke_width=2, x1=None) == '<line stroke-width="2"/>'
    assert tag("meta", name="viewport") == '<meta name="viewport"/>'


def test_numbers_have_no_tail():
    assert shown(1 / 3) == "0.333333"
    assert tag("td", 3) == "<td>3</td>"


def test_none_is_left_out_and_the_empty_text_is_not():
    assert tag("p", None, "a", None, "") == "<p>a</p>"
    assert join() == ""


def test_a_constant_is_taken_as_it_is():
    assert tag("style", trusted("a>b{}")) == "<style>a>b{}</style>"


@given(st.text(), st.text())
def test_whatever_a_text_holds_it_stays_one_text(words, value):
    parsed = Texts(tag("p", words, title=value))
    assert [name for name, _ in parsed.elements] == ["p"]
    assert parsed.text.replace("\r\n", "\n") == printable(words).replace("\r\n", "\n")
    assert set(parsed.elements[0][1]) == {"title"}


@given(st.text())
def test_what_is_shown_can_be_printed(words):
    safe = printable(words)
    assert all(each.isprintable() or each in "\n\t" for each in safe)
    safe.encode("utf-8")


def test_what_would_disguise_a_name_is_shown():
    assert printable("exe\u202egnp.png") == "exe\\u202egnp.png"
    assert printable("a\x00b\x1b[2J") == "a\\x00b\\x1b[2J"
    assert printable("plain \u00e4\u00f6 \u4e2d") == "plain \u00e4\u00f6 \u4e2d"
    assert printable("torn \udcff") == "torn \\udcff"
