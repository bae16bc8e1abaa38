"""A station that takes signed recipes and bundles only: what comes in over the page, what is refused, and going back."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from edge.bundle.files import SIGNATURES
from edge.bundle.keys import SigningKey, make_key
from edge.bundle.trust import sign
from edge.recipe import Trust, load_recipe
from edge.recipe.reading import current_version, version_folder, versions
from edge.recipe.signing import version_digest
from edge.settings.trust import TrustSettings
from tests.web.parts import Browser, Rig, running_page, write_station
from tests.web.recipes.test_recipes import audited, bundle_zip, changed, exported, recipe_of, send


@dataclass
class Signed:
    """A page of such a station, and who may sign. own: whether the station has a key."""

    rig: Rig
    keys: Path
    settings: TrustSettings

    def key(self, name: str) -> SigningKey:
        return SigningKey(self.keys / name)


def sign_recipe(path: Path, key: SigningKey, version: int | None = None) -> None:
    recipe = load_recipe(path, version)
    sign("recipe", version_digest(recipe.folder), recipe.folder, key, "A. Meier")
    sign("bundle", recipe.bundle.content_hash, recipe.bundle.path, key, "A. Meier")


@pytest.fixture(params=[True])
def signed(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Signed]:
    folder = tmp_path / "keys"
    folder.mkdir()
    lines = {name: make_key(folder / name, name, frozenset({"bundle", "recipe"})).line() for name in ("integrator", "stranger")}
    lines["station"] = make_key(folder / "station", "station", frozenset({"recipe"})).line()
    (folder / "trusted").write_text(f"{lines['integrator']}\n{lines['station']}\n")
    trust = {"trusted_keys": str(folder / "trusted"), **({"signing_key": str(folder / "station")} if request.param else {})}
    config = write_station(tmp_path, trust=trust)
    for view in ("feeder", "nest"):
        for version in versions(tmp_path / "recipes" / view):
            sign_recipe(tmp_path / "recipes" / view, SigningKey(folder / "integrator"), version)
    with running_page(config) as rig:
        yield Signed(rig, folder, TrustSettings.model_validate(trust))


@pytest.fixture
def tina(signed: Signed) -> Browser:
    browser = signed.rig.signed_in("tina")
    browser.get("/recipes")
    return browser


def upload(browser: Browser, data: bytes) -> httpx.Response:
    return send(browser, "/recipes/upload", data, view="feeder")


def nothing_stays(rig: Rig) -> bool:
    folders = [rig.site.folder / name for name in ("incoming", "uploads")]
    return not any(list(folder.iterdir()) for folder in folders if folder.is_dir())


def unsigned(files: dict[str, bytes]) -> None:
    """As somebody who has no key would make it: the signatures go, the list is right."""
    import hashlib
    import json

    for name in [name for name in files if name.endswith(SIGNATURES)]:
        del files[name]
    listing = json.loads(files["transfer.json"])
    listing["files"] = {name: hashlib.sha256(files[name]).hexdigest() for name in listing["files"] if name in files}
    files["transfer.json"] = json.dumps(listing).encode()


def edited(files: dict[str, bytes]) -> None:
    """A card that was changed, with a list that is right: only the signature speaks against it."""
    import hashlib
    import json

    (name,) = [name for name in files if name.endswith("recipe.yaml")]
    files[name] += b"\n# more\n"
    listing = json.loads(files["transfer.json"])
    listing["files"][name] = hashlib.sha256(files[name]).hexdigest()
    files["transfer.json"] = json.dumps(listing).encode()


def test_a_signed_recipe_goes_out_comes_in_and_is_signed_here(signed: Signed, tina: Browser) -> None:
    path, before = recipe_of(signed.rig), current_version(recipe_of(signed.rig))
    shown = upload(tina, exported(tina))
    assert shown.status_code == 200, shown.text
    token = str(shown.url).rsplit("/", 1)[1]
    taken = tina.post(f"/recipes/incoming/{token}/take", {"why": "from the other line"})
    assert f"was taken, as version {before + 1}" in taken.text, taken.text
    assert load_recipe(path, trust=Trust(signed.settings)).version == before + 1
    assert nothing_stays(signed.rig)


@pytest.mark.parametrize(
    ("change", "words"), [(unsigned, "sign"), (edited, "changed since"), (lambda files: files.clear(), "is no exported recipe")]
)
def test_what_nobody_signed_or_somebody_changed_is_refused_in_words(
    signed: Signed, tina: Browser, change: Callable[[dict[str, bytes]], None], words: str
) -> None:
    before = current_version(recipe_of(signed.rig))
    refused = upload(tina, changed(exported(tina), change))
    assert refused.status_code in (409, 422), refused.text
    assert words in refused.text
    assert "Traceback" not in refused.text
    assert current_version(recipe_of(signed.rig)) == before
    assert nothing_stays(signed.rig)
    assert [entry for entry in audited(signed.rig) if "import" in entry[2]] == []


def resigned(rig: Rig, key: SigningKey) -> bytes:
    """The recipe, signed by this key alone."""
    path = recipe_of(rig)
    recipe = load_recipe(path)
    for folder in (recipe.folder, recipe.bundle.path):
        (folder / SIGNATURES).unlink()
    sign_recipe(path, key)
    return path.read_bytes() if path.is_file() else b""


def test_a_strangers_signature_is_none(signed: Signed, tina: Browser) -> None:
    good = recipe_of(signed.rig)
    kept = good.parent / "kept"
    shutil.copytree(good, kept)
    resigned(signed.rig, signed.key("stranger"))
    data = exported(tina)
    shutil.rmtree(good)
    shutil.copytree(kept, good)
    before = current_version(good)
    refused = upload(tina, data)
    assert refused.status_code in (409, 422)
    assert "not in trusted_keys" in refused.text
    assert current_version(good) == before
    assert nothing_stays(signed.rig)


def test_a_key_that_is_taken_out_counts_no_more_when_it_is_taken(signed: Signed, tina: Browser) -> None:
    """Between the look and the taking."""
    before = current_version(recipe_of(signed.rig))
    token = str(upload(tina, exported(tina)).url).rsplit("/", 1)[1]
    lines = signed.settings.trusted_keys.read_text().splitlines()
    signed.settings.trusted_keys.write_text(f"{lines[1]}\n")
    refused = tina.post(f"/recipes/incoming/{token}/take", {"why": "x"})
    assert refused.status_code in (409, 422)
    assert "not in trusted_keys" in refused.text
    assert current_version(recipe_of(signed.rig)) == before


def test_going_back_makes_a_version_that_the_station_signed(signed: Signed, tina: Browser) -> None:
    path = recipe_of(signed.rig)
    before = current_version(path)
    tina.get("/recipes/view/feeder")
    said = tina.post("/recipes/view/feeder/rollback", {"version": "1", "why": "the new one alarms"})
    assert f"as version {before + 1}" in said.text, said.text
    back = load_recipe(path, trust=Trust(signed.settings))
    assert (back.version, back.document.restored_from) == (before + 1, 1)


def test_going_back_to_a_version_that_was_changed_is_refused(signed: Signed, tina: Browser) -> None:
    path = recipe_of(signed.rig)
    before = current_version(path)
    document = version_folder(path, 1) / "recipe.yaml"
    document.write_bytes(document.read_bytes() + b"\n# more\n")
    tina.get("/recipes/view/feeder")
    refused = tina.post("/recipes/view/feeder/rollback", {"version": "1", "why": "x"})
    assert refused.status_code in (409, 422), refused.text
    assert current_version(path) == before
    assert load_recipe(path, trust=Trust(signed.settings)).version == before


@pytest.mark.parametrize("signed", [False], indirect=True)
def test_without_a_key_of_its_own_nothing_unsigned_comes_into_force(signed: Signed, tina: Browser) -> None:
    path, before = recipe_of(signed.rig), current_version(recipe_of(signed.rig))
    tina.get("/recipes/view/feeder")
    refused = tina.post("/recipes/view/feeder/rollback", {"version": "1", "why": "x"})
    assert (refused.status_code, "no key to sign a change with" in refused.text) == (422, True), refused.text
    assert load_recipe(path, trust=Trust(signed.settings)).version == current_version(path) == before


def test_bundles_signed_unsigned_and_signed_by_strangers(signed: Signed, tina: Browser) -> None:
    good = bundle_zip(signed.rig)
    name = load_recipe(recipe_of(signed.rig)).bundle.name
    bare = changed(good, lambda files: files.__delitem__(SIGNATURES))
    refused = send(tina, "/recipes/bundles", bare)
    assert (refused.status_code, "nobody signed" in refused.text) == (409, True), refused.text
    bundle = load_recipe(recipe_of(signed.rig)).bundle
    (bundle.path / SIGNATURES).unlink()
    sign("bundle", bundle.content_hash, bundle.path, signed.key("stranger"), "M. Allory")
    theirs = send(tina, "/recipes/bundles", bundle_zip(signed.rig))
    assert (theirs.status_code, "not in trusted_keys" in theirs.text) == (409, True)
    only_recipes = send(tina, "/recipes/bundles", changed(good, lambda files: files.update({SIGNATURES: b"{"})))
    assert only_recipes.status_code == 409
    folder = signed.rig.site.folder / "bundles"
    assert not folder.is_dir() or not list(folder.iterdir())
    assert audited(signed.rig) == []
    assert f"The model {name} was checked and is kept." in send(tina, "/recipes/bundles", good).text


def test_a_key_for_recipes_is_none_for_bundles(signed: Signed, tina: Browser) -> None:
    bundle = load_recipe(recipe_of(signed.rig)).bundle
    (bundle.path / SIGNATURES).unlink()
    sign("bundle", bundle.content_hash, bundle.path, signed.key("station"), "A. Meier")
    refused = send(tina, "/recipes/bundles", bundle_zip(signed.rig))
    assert (refused.status_code, "not trusted for a bundle" in refused.text) == (409, True)


HOSTILE = [
    "../../evil",
    "/etc/evil",
    "recipe/../../evil",
    "recipe\\..\\evil",
    "recipe/a/b/c",
    "bundle/\x01",
    "C:evil",
    "recipe/..",
]


def test_no_name_in_a_zip_leaves_its_folder(signed: Signed, tina: Browser, tmp_path: Path) -> None:
    before = set(tmp_path.rglob("*evil*"))
    good = exported(tina)
    for name in HOSTILE:
        with zipfile.ZipFile(data := io.BytesIO(good), "a") as archive:
            archive.writestr(name, b"x")
        for path, more in (("/recipes/upload", {"view": "feeder"}), ("/recipes/bundles", {})):
            assert send(tina, path, data.getvalue(), **more).status_code in (409, 422), name
    assert set(tmp_path.rglob("*evil*")) == before
    assert not Path("/etc/evil").exists()
    assert nothing_stays(signed.rig)


def test_links_twins_and_bombs_in_a_zip(signed: Signed, tina: Browser) -> None:
    good = exported(tina)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(good)) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name)
            is_link = name.endswith("reference.png")
            entry.external_attr = (0o120777 if is_link else 0o100644) << 16
            target.writestr(entry, b"/etc/passwd" if is_link else source.read(name))
    link = out.getvalue()
    twice = io.BytesIO(good)
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(twice, "a") as target:
        target.writestr("transfer.json", b"{}")
    flat = io.BytesIO()
    with zipfile.ZipFile(flat, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("manifest.json", b"{}")
        target.writestr("model.onnx", bytes(64 << 20))
    for data in (link, twice.getvalue(), flat.getvalue(), good[:-30], good + b"PK\x05\x06" + bytes(18)):
        refused = upload(tina, data)
        assert refused.status_code in (409, 422), refused.text
        assert send(tina, "/recipes/bundles", data).status_code in (409, 422)
    assert nothing_stays(signed.rig)
