"""Recipes in the page: the list, older versions, files that come and go, and files that must not come in."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from calibration.web.recipes.listing import standing_of
from calibration.web.recipes.places import place_of, products
from edge.audit import entries
from edge.errors import RecipeError
from edge.recipe import load_recipe
from edge.recipe.card import Hashes
from edge.recipe.reading import current_version
from tests.mosquitto import mosquitto
from tests.web.parts import Browser, Rig, running_page, write_station
from tests.web.station.parts import await_answers, page_of, station_folder

ODD = {"Sec-Fetch-Site": "same-origin"}


def audited(rig: Rig) -> list[tuple[str, str, str]]:
    found = list(entries(rig.site.audit.folder))
    return [(entry.action.value, entry.who, entry.why) for entry in found if entry.action.value in ("recipe", "bundle")]


def recipe_of(rig: Rig, view: str = "feeder") -> Path:
    return Path(rig.site.config.views[view].recipe)


def send(browser: Browser, path: str, data: bytes, name: str = "r.zip", **fields: str) -> httpx.Response:
    headers = {"Accept": "text/html", "Origin": browser.origin, **ODD}
    form = {"csrf": browser.csrf, **fields}
    return browser._noted(browser.client.post(path, data=form, files={"file": (name, data)}, headers=headers))


def exported(browser: Browser, query: str = "", view: str = "feeder") -> bytes:
    got = browser.get(f"/recipes/view/{view}/export{query}")
    assert (got.status_code, got.headers["content-type"]) == (200, "application/zip"), got.text
    return got.content


def changed(data: bytes, change: Callable[[dict[str, bytes]], None]) -> bytes:
    """The zip with other contents."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_the_list_says_what_each_view_judges_with(viewer: Browser, technician: Browser) -> None:
    text = viewer.get("/recipes").text
    for word in ("feeder", "nest", "hold", "none kept", "In use"):
        assert word in text
    assert "/rollback" not in text
    assert "/recipes/upload" not in text
    assert "/recipes/upload" in technician.get("/recipes").text


def test_a_damaged_recipe_is_in_the_list_and_says_so(rig: Rig, technician: Browser) -> None:
    (recipe_of(rig) / "current").write_text("0099\n")
    text = technician.get("/recipes").text
    assert "This recipe cannot be used." in text
    assert technician.get("/recipes/view/feeder").status_code == 200


def test_going_back_makes_a_new_version_and_leaves_a_trace(rig: Rig, technician: Browser) -> None:
    path = recipe_of(rig)
    now = current_version(path)
    assert now >= 2
    page = technician.get("/recipes/view/feeder").text
    assert page.count("/rollback") == now - 1
    said = technician.post("/recipes/view/feeder/rollback", {"version": "1", "why": "the new one alarms"})
    assert f"Version 1 of feeder is in force again, as version {now + 1}." in said.text
    assert "but the station does not use it yet" in said.text, "there is no station here"
    assert current_version(path) == now + 1
    assert load_recipe(path).document.restored_from == 1
    assert audited(rig)[-1] == ("recipe", "Tina Vogel", "the new one alarms")


@pytest.mark.parametrize(
    ("view", "form", "status"),
    [
        ("feeder", {"version": "99", "why": "x"}, 409),
        ("feeder", {"version": "0", "why": "x"}, 422),
        ("feeder", {"version": "1", "why": "  "}, 422),
        ("feeder", {"version": "1", "why": "x", "product": "../feeder"}, 409),
        ("nosuch", {"version": "1", "why": "x"}, 404),
        ("..%2fnest", {"version": "1", "why": "x"}, 404),
    ],
)
def test_what_cannot_be_gone_back_to_changes_nothing(
    rig: Rig, technician: Browser, view: str, form: dict[str, str], status: int
) -> None:
    before = current_version(recipe_of(rig))
    technician.get("/recipes")
    assert technician.post(f"/recipes/view/{view}/rollback", form).status_code == status
    assert current_version(recipe_of(rig)) == before
    assert audited(rig) == []


def test_a_recipe_goes_out_and_comes_in_again_in_two_steps(rig: Rig, technician: Browser) -> None:
    data = exported(technician)
    path, before = recipe_of(rig), current_version(recipe_of(rig))
    technician.get("/recipes")
    shown = send(technician, "/recipes/upload", data, view="feeder")
    assert shown.status_code == 200, shown.text
    assert "Nothing was changed yet." in shown.text
    assert current_version(path) == before
    token = str(shown.url).rsplit("/", 1)[1]
    picture = technician.get(f"/recipes/incoming/{token}/reference.png")
    assert picture.content.startswith(b"\x89PNG")
    assert rig.signed_in("anna").get(f"/recipes/incoming/{token}").status_code == 409, "who sent it sees it, nobody else"
    taken = technician.post(f"/recipes/incoming/{token}/take", {"why": "from the other line"})
    assert f"was taken, as version {before + 1}" in taken.text
    assert current_version(path) == before + 1
    assert "from the other line" in load_recipe(path).document.why
    assert [entry[1:] for entry in audited(rig)] == [
        ("Tina Vogel", "exported as a file"),
        ("Tina Vogel", "import: from the other line"),
    ]
    assert technician.post(f"/recipes/incoming/{token}/take", {"why": "again"}).status_code == 409
    assert not list((rig.site.folder / "uploads").iterdir())
    assert not list((rig.site.folder / "incoming").iterdir())


def test_what_was_sent_can_be_left(rig: Rig, technician: Browser) -> None:
    shown = send(technician, "/recipes/upload", exported(technician), view="feeder")
    token = str(shown.url).rsplit("/", 1)[1]
    assert technician.post(f"/recipes/incoming/{token}/forget").status_code == 200
    assert not list((rig.site.folder / "incoming").iterdir())
    assert technician.get(f"/recipes/incoming/{token}").status_code == 409


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("transfer.json", b"{}")
        archive.writestr("recipe/reference.png", bytes(100 << 20))
    return out.getvalue()


def test_hostile_files_are_refused_in_words_and_leave_nothing(rig: Rig, technician: Browser) -> None:
    good = exported(technician)

    def climb(files: dict[str, bytes]) -> None:
        files["../../evil"] = b"x"

    def swap(files: dict[str, bytes]) -> None:
        files["recipe/recipe.yaml"] += b"# changed\n"

    def lie(files: dict[str, bytes]) -> None:
        listing = json.loads(files["transfer.json"])
        files["transfer.json"] = json.dumps({**listing, "bundle": "../../x"}).encode()

    def nothing(files: dict[str, bytes]) -> None:
        files.clear()

    cases: list[tuple[bytes, str]] = [
        (b"PK\x03\x04 no zip at all", "is no readable zip"),
        (good[: len(good) // 2], "is no readable zip"),
        (changed(good, climb), ""),
        (changed(good, swap), "was changed since the export"),
        (changed(good, lie), ""),
        (changed(good, nothing), "is no exported recipe"),
        (bomb(), "zip bomb"),
        (exported(technician, view="nest"), "is for view"),
    ]
    before = current_version(recipe_of(rig))
    for data, words in cases:
        refused = send(technician, "/recipes/upload", data, view="feeder")
        assert refused.status_code in (409, 422), words
        assert words in refused.text
        assert "Traceback" not in refused.text
    assert send(technician, "/recipes/upload", good, name="r.exe", view="feeder").status_code == 422
    assert send(technician, "/recipes/upload", b"", view="feeder").status_code == 422
    assert current_version(recipe_of(rig)) == before
    assert not list((rig.site.folder / "incoming").iterdir())
    assert not list((rig.site.folder / "uploads").iterdir())


def test_a_recipe_of_another_camera_is_shown_and_not_taken(rig: Rig, technician: Browser, tmp_path: Path) -> None:
    data = exported(technician)
    wide = tmp_path / "wide"
    from tests.station_parts import make_recipe

    shutil.rmtree(recipe_of(rig))
    wide.mkdir()
    made = make_recipe(wide, "feeder", product="")
    shutil.copytree(made.path, recipe_of(rig))
    shown = send(technician, "/recipes/upload", data, view="feeder")
    assert "it is of another camera" in shown.text
    token = str(shown.url).rsplit("/", 1)[1]
    assert technician.post(f"/recipes/incoming/{token}/take", {"why": "x"}).status_code == 409
    assert current_version(recipe_of(rig)) == made.version


def bundle_zip(rig: Rig) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for file in sorted(load_recipe(recipe_of(rig)).bundle.path.iterdir()):
            archive.write(file, file.name)
    return out.getvalue()


def test_a_bundle_is_verified_kept_and_removed(rig: Rig, technician: Browser) -> None:
    name = load_recipe(recipe_of(rig)).bundle.name
    technician.get("/recipes")
    said = send(technician, "/recipes/bundles", bundle_zip(rig))
    assert f"The model {name} was checked and is kept." in said.text
    assert [folder.name for folder in (rig.site.folder / "bundles").iterdir()] == [name]
    bad = changed(bundle_zip(rig), lambda files: files.update({"golden.npz": b"x"}))
    assert send(technician, "/recipes/bundles", bad).status_code == 409
    assert send(technician, "/recipes/bundles", b"no zip").status_code == 409
    assert technician.post("/recipes/bundles/..%2f..%2frecipes/remove").status_code in (404, 409)
    assert technician.post("/recipes/bundles/other/remove").status_code == 409
    assert technician.post(f"/recipes/bundles/{name}/remove").status_code == 200
    assert not list((rig.site.folder / "bundles").iterdir())
    assert [entry[0] for entry in audited(rig)] == ["bundle", "bundle"]


@pytest.mark.parametrize("who", ["vera", "otto"])
def test_who_may_not_change_recipes(rig: Rig, who: str) -> None:
    browser = rig.signed_in(who)
    for path in ("/recipes", "/recipes/view/feeder"):
        assert browser.get(path).status_code == 200
    for path in ("/recipes/view/feeder/export", f"/recipes/incoming/{'0' * 32}"):
        assert browser.get(path).status_code == 403
    for path in ("upload", "bundles", "reload", "changeover", "view/feeder/rollback", f"incoming/{'0' * 32}/take"):
        assert browser.post(f"/recipes/{path}", {"why": "x", "version": "1"}).status_code == 403


def test_a_token_of_another_form_is_no_path(technician: Browser) -> None:
    for token in ("..%2f..", "a" * 32, "A" * 32, "%2e%2e", "0" * 31):
        assert technician.get(f"/recipes/incoming/{token}").status_code in (404, 409)


def with_products(folder: Path) -> Path:
    config = write_station(folder)
    for view in ("feeder", "nest"):
        for product in ("aspirin", "zinc"):
            shutil.copytree(folder / "recipes" / view, folder / "recipes" / product / view)
    text = (
        config.read_text()
        .replace("recipes/feeder", "recipes/{product}/feeder")
        .replace("recipes/nest", "recipes/{product}/nest")
    )
    config.write_text(text + "product: aspirin\n")
    return config


def test_products_are_those_that_have_recipes_on_the_disk(tmp_path: Path) -> None:
    config = with_products(tmp_path)
    (tmp_path / "recipes" / "empty" / "feeder").mkdir(parents=True)
    with running_page(config) as rig:
        assert products(rig.site) == ("aspirin", "zinc")
        tina = rig.signed_in("tina")
        text = tina.get("/recipes").text
        assert "Product in force: <strong>aspirin</strong>" in text
        assert tina.post("/recipes/changeover", {"product": "nosuch", "why": "x"}).status_code == 409
        assert tina.post("/recipes/changeover", {"product": "../zinc", "why": "x"}).status_code == 409
        assert "is in force already" in tina.post("/recipes/changeover", {"product": "aspirin", "why": "x"}).text
        unreached = tina.post("/recipes/changeover", {"product": "zinc", "why": "next order"})
        assert "Whether the station changed over is not known" in unreached.text


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Any]:
    from tests.e2e.parts import station_process

    folder = tmp_path / "broker"
    folder.mkdir()
    with mosquitto(folder) as broker:
        config = station_folder(tmp_path / "station", broker.port)
        with station_process(config), page_of(config) as rig:
            await_answers(rig)
            yield rig


def test_a_real_station_changes_over_and_takes_a_rollback_into_force(live: Rig) -> None:
    tina = live.signed_in("tina")
    assert "Product in force: <strong>aspirin</strong>" in tina.get("/recipes").text
    said = tina.post("/recipes/changeover", {"product": "ibuprofen", "why": "next order"})
    assert "The station now judges ibuprofen." in said.text
    assert "Product in force: <strong>ibuprofen</strong>" in tina.get("/recipes").text
    back = tina.post("/recipes/view/nest/rollback", {"version": "1", "why": "try", "product": "ibuprofen"})
    assert "The station now uses the saved recipes." in back.text or "does not use it yet" in back.text
    other = tina.post("/recipes/view/nest/rollback", {"version": "1", "why": "try", "product": "aspirin"})
    assert "is in force again" in other.text
    assert "The station now uses" not in other.text, "another product's recipe is of no interest to it"


def test_what_changed_since_the_card_is_named_in_the_reader_s_language(rig: Rig) -> None:
    recipe = load_recipe(recipe_of(rig))
    assert recipe.card is not None
    assert standing_of(recipe).changed == ()
    hashes = recipe.card.hashes.model_copy(update={"masks": "0" * 64, "camera": "1" * 64})
    other = replace(recipe, card=recipe.card.model_copy(update={"hashes": hashes}))
    assert set(standing_of(other, "2" * 64).changed) == {"masks", "camera"}
    assert standing_of(other).changed == ("masks",), "a camera that is not known is not compared"
    assert all(rig.site.words.knows(f"recipes.changed.{name}") for name in Hashes.model_fields)


def test_what_the_software_says_stands_beneath_the_reader_s_words(rig: Rig, technician: Browser) -> None:
    technician.get("/recipes")
    technician.post("/me/language", {"language": "de"})
    said = technician.post("/recipes/view/feeder/rollback", {"version": "1", "why": "alarmiert"}).text
    assert "Die Station hat nicht geantwortet." in said
    assert "Meldung der Software (englisch):" in said
    (recipe_of(rig) / "current").write_text("0099\n")
    page = technician.get("/recipes").text
    assert "Dieses Rezept ist nicht brauchbar." in page
    assert '<p class="preserve" lang="en">' in page


def test_without_a_product_it_is_the_one_in_force(rig: Rig) -> None:
    assert place_of(rig.site, "feeder", "").path == recipe_of(rig)
    with pytest.raises(RecipeError):
        place_of(rig.site, "feeder", "aspirin")
