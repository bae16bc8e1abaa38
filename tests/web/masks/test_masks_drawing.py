"""Masks drawn with mouse, fingers and keys on the served page."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.masks.browsing import Screen, screen
from tests.web.masks.parts import BIN, HOSE, VIEW, Studio, sent, somebody_saves


def near(found: list[float], wanted: tuple[float, float], slack: float = 0.01) -> bool:
    return abs(found[0] - wanted[0]) < slack and abs(found[1] - wanted[1]) < slack


def test_a_rectangle_by_mouse_moved_split_and_undone(editor: Screen) -> None:
    editor.tool("box")
    editor.drag((0.2, 0.2), (0.5, 0.6))
    (mask,) = editor.masks()
    assert near(mask["points"][0], (0.2, 0.2))
    assert near(mask["points"][2], (0.5, 0.6))
    editor.drag((0.35, 0.4), (0.55, 0.5))  # the whole
    assert near(editor.masks()[0]["points"][0], (0.4, 0.3))
    editor.drag((0.4, 0.3), (0.3, 0.25))  # a corner
    assert near(editor.masks()[0]["points"][0], (0.3, 0.25))
    editor.drag((0.7, 0.5), (0.8, 0.5))  # the middle of an edge becomes a corner
    assert len(editor.masks()[0]["points"]) == 5
    editor.picture("mouse")
    editor.tool("split")
    editor.drag((0.1, 0.5), (0.95, 0.45))
    assert len(editor.masks()) == 2
    for _ in range(5):
        editor.part("undo").click()
    assert editor.masks() == []
    for _ in range(5):
        editor.part("redo").click()
    assert len(editor.masks()) == 2


def test_a_polygon_by_mouse_snaps_to_the_border_and_to_others(editor: Screen) -> None:
    editor.tool("draw")
    for x, y in ((0.01, 0.01), (0.4, 0.012), (0.4, 0.4)):
        editor.click(x, y)
    editor.part("finish").click()
    (first,) = editor.masks()
    assert first["points"][0] == [0, 0]
    assert first["points"][1][1] == 0
    editor.tool("draw")
    editor.click(0.41, 0.41)  # near the corner of the first
    editor.click(0.7, 0.4)
    editor.click(0.7, 0.8)
    editor.click(0.41, 0.41)  # closes it
    assert editor.masks()[1]["points"][0] == pytest.approx(first["points"][2])
    editor.part("snap").uncheck()
    editor.tool("draw")
    for x, y in ((0.012, 0.6), (0.3, 0.6), (0.3, 0.9)):
        editor.click(x, y)
    editor.page.keyboard.press("Enter")
    assert editor.masks()[2]["points"][0][0] > 0.005


def test_fingers_draw_move_and_pinch(browser: Any, room: Studio, url: str) -> None:
    with screen(browser, room, url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True) as phone:
        phone.open()
        phone.page.locator("[data-tool-button=box]").tap()
        phone.page.locator("[data-part=picture]").scroll_into_view_if_needed()
        phone.finger(phone.at(0.3, 0.3), phone.at(0.7, 0.7))
        (mask,) = phone.masks()
        assert near(mask["points"][0], (0.3, 0.3), 0.03)
        x, y = phone.at(*mask["points"][2])
        phone.finger((x + 14, y + 14), (x + 40, y + 20))  # 20 px beside the corner is still within its 44 px
        assert near(phone.masks()[0]["points"][2], tuple(_shifted(phone, (x + 40, y + 20))), 0.04)
        phone.part("undo").tap()
        before = phone.part("zoom").text_content()
        (a, b), (c, d) = phone.at(0.4, 0.4), phone.at(0.6, 0.6)
        phone.touch("touchStart", (a, b), (c, d))
        phone.touch("touchMove", (a - 20, b - 20), (c + 20, d + 20))
        phone.touch("touchMove", (a - 60, b - 60), (c + 60, d + 60))
        phone.touch("touchEnd")
        assert phone.part("zoom").text_content() != before
        assert near(phone.masks()[0]["points"][0], (0.3, 0.3), 0.03)  # two fingers move no mask
        phone.part("fit").tap()
        phone.picture("phone")


def _shifted(phone: Screen, at: tuple[float, float]) -> list[float]:
    return list(
        phone.page.evaluate(
            """([x, y]) => {
              const svg = document.querySelector('[data-part=picture]');
              const root = document.getElementById('masks').dataset;
              const p = new DOMPoint(x, y).matrixTransform(svg.getScreenCTM().inverse());
              return [p.x / root.width, p.y / root.height];
            }""",
            list(at),
        )
    )


def test_keys_and_numbers_do_all_of_it(editor: Screen) -> None:
    page = editor.page
    editor.part("add").focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.className") == "mask-name"
    page.keyboard.press("Control+a")
    page.keyboard.type("hose")
    page.keyboard.press("Tab")
    assert editor.names() == ["hose"]
    page.locator(".mask-foot [data-field$=':more']").press("Enter")
    field = page.get_by_label("Corner 1, x in pixels")
    field.fill("24")
    field.press("Tab")
    assert editor.masks()[0]["points"][0][0] == pytest.approx(0.1)
    page.get_by_label("Insert a corner after corner 2").press("Enter")
    assert len(editor.masks()[0]["points"]) == 5
    page.get_by_label("Delete corner 3").press("Enter")
    assert len(editor.masks()[0]["points"]) == 4
    before = editor.masks()[0]["points"]
    picture = editor.part("picture")
    picture.press("Escape")
    page.locator(".mask-show").press("Enter")
    picture.press("ArrowRight")
    picture.press("Shift+ArrowDown")
    moved = editor.masks()[0]["points"]
    assert moved[0] == pytest.approx([before[0][0] + 1 / 240, before[0][1] + 10 / 180])
    picture.press("]")
    picture.press("ArrowLeft")
    assert editor.masks()[0]["points"][0] == pytest.approx([moved[0][0] - 1 / 240, moved[0][1]])
    picture.press("Control+z")
    assert editor.masks()[0]["points"] == [pytest.approx(p) for p in moved]
    picture.press("Control+Shift+Z")
    page.get_by_role("button", name="Split", exact=True).last.press("Enter")
    assert len(editor.masks()) == 2
    picture.press("Escape")
    page.locator(".mask-switch input").first.press("Space")
    assert not editor.masks()[0]["on"]
    page.get_by_label("Delete hose", exact=True).press("Enter")
    assert editor.names() == ["hose 2"]


def test_saving_warns_asks_and_says_what_came_of_it(editor: Screen, room: Studio) -> None:
    editor.tool("box")
    editor.drag((0.05, 0.7), (0.25, 0.9))
    editor.page.wait_for_selector("[data-part=stale]:not([hidden])")
    editor.part("save").click()
    editor.page.wait_for_selector("[data-part=save-now]:not([disabled])")
    assert "still found" in editor.part("save-verdict").text_content()
    assert editor.part("confirm-part").is_hidden()
    editor.part("why").fill("the hose moves")
    editor.picture("save")
    editor.part("save-now").click()
    editor.page.wait_for_selector("[data-part=done]:not([hidden])")
    assert "UNDECIDED" in editor.part("done-text").text_content()
    assert "does not use it yet" in editor.part("done-reload").text_content()
    assert editor.page.get_by_role("link", name="Take thresholds now").get_attribute("href") == f"/calibrate/{VIEW}"
    (saved,) = room.recipe.masks
    assert saved.points[0] == pytest.approx((0.05, 0.7), abs=0.01)
    assert room.recipe.document.created_by == "A. Meier"
    assert editor.part("dirty").is_hidden()
    editor.picture("saved")


def test_a_hidden_defect_is_said_before_saving_and_must_be_confirmed(editor: Screen, room: Studio) -> None:
    editor.tool("box")
    editor.drag((0.45, 0.35), (0.8, 0.75))
    editor.part("check").click()
    editor.page.wait_for_selector("[data-part=tried] .is-hidden")
    assert "Mask 1" in editor.part("tried").text_content()
    editor.part("tried").get_by_role("button", name="Show the place").click()
    assert editor.page.locator("[data-layer=marks] rect").count() == 1
    editor.picture("hidden")
    editor.part("fit").click()
    editor.part("save").click()
    editor.page.wait_for_selector("[data-part=confirm-part]:not([hidden])")
    editor.part("why").fill("a cover is there now")
    editor.part("save-now").click()
    assert room.recipe.masks == ()  # the browser itself asks for the tick and the reason
    editor.part("confirm-tick").check()
    editor.part("confirm-text").fill("nothing can get under the cover")
    editor.picture("confirm")
    editor.part("save-now").click()
    editor.page.wait_for_selector("[data-part=done]:not([hidden])")
    assert len(room.recipe.masks) == 1


def test_somebody_elses_save_keeps_what_was_drawn(editor: Screen, room: Studio) -> None:
    editor.tool("box")
    editor.drag((0.05, 0.7), (0.25, 0.9))
    number = somebody_saves(room.recipe_path)
    _save(editor)
    editor.page.wait_for_selector("[data-part=conflict]:not([hidden])")
    assert "B. Roth" in editor.part("save-fault").text_content()
    editor.picture("conflict")
    editor.part("take-theirs").click()
    editor.count(0)
    editor.part("undo").click()
    assert len(editor.masks()) == 1
    _save(editor)
    editor.page.wait_for_selector("[data-part=done]:not([hidden])")
    assert room.recipe.version == number + 1


def _save(editor: Screen) -> None:
    editor.part("save").click()
    editor.page.wait_for_selector("[data-part=save-now]:not([disabled])")
    editor.part("why").fill("the hose moves")
    editor.part("save-now").click()


def test_what_was_not_saved_is_offered_again(editor: Screen, room: Studio) -> None:
    editor.tool("box")
    editor.drag((0.1, 0.1), (0.3, 0.3))
    asked: list[str] = []
    editor.page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    editor.page.reload()
    assert asked == ["beforeunload"]
    editor.part("kept-take").click()
    assert len(editor.masks()) == 1
    editor.part("undo").click()
    assert editor.masks() == []


def test_via_regions_are_shown_before_they_are_taken(editor: Screen, tmp_path: Any) -> None:
    path = tmp_path / "via.csv"
    path.write_text(
        "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes\n"
        'a.png,1,"{}",2,0,"{""name"":""rect"",""x"":24,""y"":18,""width"":48,""height"":36}","{""name"":""hose""}"\n'
        'a.png,1,"{}",2,1,"{""name"":""polygon"",""all_points_x"":[120,180,150],""all_points_y"":[90,90,150]}","{}"\n'
    )
    editor.part("import-file").set_input_files(path)
    editor.page.wait_for_selector("dialog[open] .import-list li")
    assert editor.masks() == []
    editor.picture("import")
    editor.part("import-masks").locator("input").nth(1).uncheck()
    editor.part("import-take").click()
    (mask,) = editor.masks()
    assert mask["points"] == [[0.1, 0.1], [0.3, 0.1], [0.3, 0.3], [0.1, 0.3]]
    assert editor.names() == ["hose"]


def test_nothing_is_cut_at_any_width(browser: Any, room: Studio, url: str) -> None:
    off = BIN.model_copy(update={"enabled": False})
    body = {"version": room.recipe.version, "masks": sent(HOSE, off), "why": "x", "confirm": "y"}
    assert room.client().post(f"/masks/{VIEW}/save", json=body).status_code == 200
    with screen(browser, room, url) as page:
        page.open()
        page.page.locator(".mask-foot [data-field$=':more']").first.click()
        page.part("density").check()
        page.wait("counted", "^[^…]+$")
        for width in (360, 390, 800, 1280):
            page.page.set_viewport_size({"width": width, "height": 900})
            assert page.page.evaluate(TOO_WIDE) == [], width
            assert page.page.evaluate(TOO_SMALL) == [], width
            for scheme in ("light", "dark"):
                page.page.emulate_media(color_scheme=scheme)
                page.picture(f"masks-{width}-{scheme}")


TOO_WIDE = """() => {
  const wide = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= wide) return [];
  return Array.from(document.querySelectorAll('main *')).filter((e) => e.getBoundingClientRect().right > wide)
    .map((e) => e.outerHTML.slice(0, 120));
}"""
TOO_SMALL = """() => Array.from(document.querySelectorAll('button, a.button, select, input[type=text], input[type=number]'))
  .filter((e) => e.closest('main') && e.offsetParent)
  .filter((e) => e.getBoundingClientRect().height < 43.5 || e.getBoundingClientRect().width < 43.5)
  .map((e) => e.outerHTML.slice(0, 120))"""
