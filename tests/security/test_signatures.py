"""What a station with keys uses, what it refuses, and in which words."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from edge.bundle import open_bundle
from edge.bundle.files import SIGNATURES
from edge.bundle.keys import SigningKey, TrustedKey, make_key, read_trusted
from edge.bundle.trust import problem_of, read_signatures, sign, write_signatures
from edge.errors import BundleError, ConfigError, LineclearError, RecipeError
from edge.recipe import Trust, export_recipe, import_recipe, load_recipe, rollback, save
from edge.recipe.reading import BUNDLES, CHALLENGE, version_folder
from edge.recipe.signing import version_digest
from edge.settings.trust import TrustSettings
from tests.bundle.samples import declared, tree, write, zipped
from tests.recipe.builders import bundle, content, with_card


class Keys:
    """An integrator's key, a station's and a stranger's, and the list that believes the first two."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.trusted = folder / "trusted-keys"
        made = {
            name: make_key(folder / name, name, frozenset(uses))  # type: ignore[arg-type]
            for name, uses in {"integrator": ["bundle"], "station": ["recipe"], "stranger": ["bundle", "recipe"]}.items()
        }
        self.lines = {name: key.line() for name, key in made.items()}
        self.ids = {name: key.key_id for name, key in made.items()}
        self.folder = folder
        self.believe("integrator", "station")

    def believe(self, *names: str) -> None:
        self.trusted.write_text("# who may\n\n" + "".join(f"{self.lines[name]}\n" for name in names))

    def key(self, name: str) -> SigningKey:
        return SigningKey(self.folder / name)

    def trust(self, signing_key: str | None = "station") -> Trust:
        own = self.folder / signing_key if signing_key else None
        return Trust(TrustSettings(trusted_keys=self.trusted, signing_key=own))


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys")


@pytest.fixture
def recipe(tmp_path: Path, keys: Keys) -> Path:
    """A recipe with a card, signed whole: the bundle by the integrator, the version by the station."""
    made = bundle(tmp_path)
    sign("bundle", made.content_hash, made.path, keys.key("integrator"), "A. Meier")
    path = tmp_path / "recipe"
    with_card(path, made)
    current = load_recipe(path)
    sign("recipe", version_digest(current.folder), current.folder, keys.key("station"), "B. Roth")
    return path


def test_a_signed_bundle_keeps_its_name_and_its_content(tmp_path: Path, keys: Keys) -> None:
    made = write(tmp_path / "b", declared())
    before = tree(made.path)
    sign("bundle", made.content_hash, made.path, keys.key("integrator"), "A. Meier")
    again = open_bundle(made.path)
    assert (again.name, again.content_hash) == (made.name, made.content_hash)
    assert {name: data for name, data in tree(made.path).items() if name != SIGNATURES} == before
    packed = zipped(made.path, tmp_path / "b.zip")
    cached = open_bundle(packed, tmp_path / "cache")
    assert read_signatures(cached.path)[0].key == keys.ids["integrator"]


def test_a_signature_that_comes_later_reaches_the_copy_in_the_cache(tmp_path: Path, keys: Keys) -> None:
    made = write(tmp_path / "b", declared())
    cached = open_bundle(zipped(made.path, tmp_path / "plain.zip"), tmp_path / "cache")
    assert read_signatures(cached.path) == ()
    sign("bundle", made.content_hash, made.path, keys.key("integrator"), "A. Meier")
    open_bundle(zipped(made.path, tmp_path / "signed.zip"), tmp_path / "cache")
    assert [one.key for one in read_signatures(cached.path)] == [keys.ids["integrator"]]


def test_what_is_signed_is_used(recipe: Path, keys: Keys) -> None:
    loaded = load_recipe(recipe, trust=keys.trust())
    assert loaded.trust is not None
    assert load_recipe(recipe).trust is None


@pytest.mark.parametrize(
    "file", ["recipe.yaml", "masks.yaml", "card.json", "reference.png", "new.txt", f"{CHALLENGE}/challenge.yaml"]
)
def test_any_change_of_a_file_is_refused(recipe: Path, keys: Keys, file: str) -> None:
    path = load_recipe(recipe).folder / file
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((path.read_bytes() if path.exists() else b"") + b"\n")
    with pytest.raises(RecipeError):
        load_recipe(recipe, trust=keys.trust())


def test_a_mask_that_somebody_drew_on_the_disk_is_refused_in_plain_words(recipe: Path, keys: Keys) -> None:
    masks = load_recipe(recipe).folder / "masks.yaml"
    masks.write_text(masks.read_text().replace("0.5", "0.9"))
    load_recipe(recipe)  # sound, as far as hashes can tell
    with pytest.raises(RecipeError, match=r"is signed by station .*but this is not what was signed: it was changed since"):
        load_recipe(recipe, trust=keys.trust())


def test_a_lost_file_is_refused(recipe: Path, keys: Keys) -> None:
    (load_recipe(recipe).folder / "card.json").unlink()
    with pytest.raises(RecipeError, match="changed since"):
        load_recipe(recipe, trust=keys.trust())


def test_unsigned_recipe_and_unsigned_bundle_are_refused(recipe: Path, keys: Keys) -> None:
    loaded = load_recipe(recipe)
    (loaded.bundle.path / SIGNATURES).unlink()
    with pytest.raises(BundleError, match=r"is a bundle that nobody signed.*lineclear trust sign"):
        load_recipe(recipe, trust=keys.trust())
    (loaded.folder / SIGNATURES).unlink()
    with pytest.raises(RecipeError, match="is a recipe that nobody signed"):
        load_recipe(recipe, trust=keys.trust())


def test_a_strangers_signature_is_none(recipe: Path, keys: Keys) -> None:
    folder = load_recipe(recipe).folder
    (folder / SIGNATURES).unlink()
    sign("recipe", version_digest(folder), folder, keys.key("stranger"), "Eve")
    with pytest.raises(RecipeError, match="of Eve, which is not in trusted_keys"):
        load_recipe(recipe, trust=keys.trust())
    sign("recipe", version_digest(folder), folder, keys.key("station"), "B. Roth")
    assert len(read_signatures(folder)) == 2
    load_recipe(recipe, trust=keys.trust())


def test_a_key_signs_only_what_it_is_trusted_for(recipe: Path, keys: Keys) -> None:
    folder = load_recipe(recipe).folder
    (folder / SIGNATURES).unlink()
    sign("recipe", version_digest(folder), folder, keys.key("integrator"), "A. Meier")
    with pytest.raises(RecipeError, match="which is not trusted for a recipe"):
        load_recipe(recipe, trust=keys.trust())


def test_a_signature_of_something_else_is_none(recipe: Path, keys: Keys) -> None:
    loaded = load_recipe(recipe)
    shutil.copy(loaded.bundle.path / SIGNATURES, loaded.folder / SIGNATURES)
    with pytest.raises(RecipeError):
        load_recipe(recipe, trust=keys.trust())
    # The same digest under another kind: the statement says the kind.
    one = sign("bundle", "0" * 64, loaded.folder, keys.key("stranger"), "Eve")
    stranger = TrustedKey("x", frozenset(("bundle", "recipe")), keys.key("stranger").public)
    assert problem_of("bundle", "0" * 64, loaded.folder, [stranger]) is None
    assert problem_of("recipe", "0" * 64, loaded.folder, [stranger]) is not None
    # Who and when are signed too.
    write_signatures(loaded.folder, [one.model_copy(update={"by": "A. Meier"})])
    assert problem_of("bundle", "0" * 64, loaded.folder, [stranger]) is not None


def test_a_key_that_is_taken_out_counts_no_more_and_a_new_one_does(recipe: Path, keys: Keys) -> None:
    trust = keys.trust()
    load_recipe(recipe, trust=trust)
    keys.believe("station", "stranger")
    with pytest.raises(BundleError, match="not in trusted_keys"):
        load_recipe(recipe, trust=trust)
    loaded = load_recipe(recipe)
    sign("bundle", loaded.bundle.content_hash, loaded.bundle.path, keys.key("stranger"), "the new integrator")
    load_recipe(recipe, trust=trust)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"schema": "lineclear/signatures/1", "signatures": []}', "{" * 5000, "\0", '{"a": 1e999}']
)
def test_a_damaged_signature_file_is_refused(recipe: Path, keys: Keys, text: str) -> None:
    (load_recipe(recipe).folder / SIGNATURES).write_text(text)
    with pytest.raises(RecipeError):
        load_recipe(recipe, trust=keys.trust())


def test_links_are_not_followed(recipe: Path, keys: Keys, tmp_path: Path) -> None:
    folder = load_recipe(recipe).folder
    moved = tmp_path / "moved.json"
    os.rename(folder / SIGNATURES, moved)
    (folder / SIGNATURES).symlink_to(moved)
    with pytest.raises(RecipeError, match="no plain file"):
        load_recipe(recipe, trust=keys.trust())
    (folder / SIGNATURES).unlink()
    os.rename(folder / "card.json", moved)
    (folder / "card.json").symlink_to(moved)
    with pytest.raises(RecipeError):
        load_recipe(recipe, trust=keys.trust())


def test_what_a_station_saves_it_signs_and_what_it_rolls_back_to_must_be_signed(recipe: Path, keys: Keys) -> None:
    trust = keys.trust()
    old = load_recipe(recipe, trust=trust)
    number = save(recipe, content(old.bundle, masks=()), trust=trust)
    new = load_recipe(recipe, trust=trust)
    assert (new.version, new.masks) == (number, ())
    assert read_signatures(new.folder)[0].key == keys.ids["station"]
    assert rollback(recipe, old.version, who="B. Roth", why="no", trust=trust) == number + 1
    (old.folder / SIGNATURES).unlink()
    with pytest.raises(RecipeError, match="nobody signed"):
        rollback(recipe, old.version, who="B. Roth", why="no", trust=trust)
    assert load_recipe(recipe, trust=trust).version == number + 1


def test_without_a_key_of_its_own_nothing_is_changed(recipe: Path, keys: Keys) -> None:
    before = tree(recipe)
    loaded = load_recipe(recipe, trust=keys.trust(None))
    with pytest.raises(ConfigError, match="no key to sign a change with"):
        save(recipe, content(loaded.bundle), trust=loaded.trust)
    with pytest.raises(ConfigError, match=r"stranger\.pub to trusted_keys, for `recipe`"):
        save(recipe, content(loaded.bundle), trust=keys.trust("stranger"))
    assert tree(recipe) == before


def test_a_recipe_travels_signed_and_is_signed_again_where_it_comes_in(recipe: Path, keys: Keys, tmp_path: Path) -> None:
    export_recipe(recipe, tmp_path / "out.zip")
    trust = keys.trust()
    import_recipe(tmp_path / "out.zip", tmp_path / "there", who="B. Roth", why="second line", trust=trust)
    loaded = load_recipe(tmp_path / "there", trust=trust)
    assert (read_signatures(loaded.folder)[0].by, read_signatures(loaded.bundle.path)[0].by) == ("B. Roth", "A. Meier")


def test_an_unsigned_recipe_is_not_brought_in(recipe: Path, keys: Keys, tmp_path: Path) -> None:
    (load_recipe(recipe).folder / SIGNATURES).unlink()
    export_recipe(recipe, tmp_path / "out.zip")
    with pytest.raises(RecipeError, match="nobody signed"):
        import_recipe(tmp_path / "out.zip", tmp_path / "there", who="B", why="c", trust=keys.trust())
    assert not (tmp_path / "there").exists()


def test_a_list_that_cannot_be_used_refuses_recipes(recipe: Path, keys: Keys) -> None:
    trust = keys.trust()
    keys.trusted.chmod(0o666)
    with pytest.raises(RecipeError, match="can be written by others"):
        load_recipe(recipe, trust=trust)
    keys.trusted.unlink()
    with pytest.raises(RecipeError, match="file not found"):
        load_recipe(recipe, trust=trust)


@pytest.mark.parametrize(
    "line",
    [
        "rsa AAAA bundle x",
        "ed25519 AAAA bundle x",
        "ed25519 {key} bundle",
        "ed25519 {key} all x",
        "ed25519 {key} x bundle",
        "{key}",
        "ed25519 {key} bundle,recipe,root me",
    ],
)
def test_a_line_that_is_no_key_is_named(keys: Keys, line: str) -> None:
    key = keys.lines["station"].split()[1]
    keys.trusted.write_text(f"{keys.lines['integrator']}\n{line.format(key=key)}\n")
    with pytest.raises(ConfigError, match="line 2: is no trusted key"):
        read_trusted(keys.trusted)


def test_keys_are_private_and_never_written_over(keys: Keys, tmp_path: Path) -> None:
    path = keys.folder / "station"
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="is there already"):
        make_key(path, "x", frozenset(("recipe",)))
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        SigningKey(path)
    path.chmod(0o600)
    assert "PRIVATE" not in repr(SigningKey(path)) + repr(vars(SigningKey(path)))
    for text, words in {"x": "no private key in PEM", "-----BEGIN PRIVATE KEY-----\n": "no private key"}.items():
        path.write_text(text)
        with pytest.raises(ConfigError, match=words):
            SigningKey(path)
    with pytest.raises(ConfigError, match="is no name for a key"):
        make_key(tmp_path / "k", "two\nlines", frozenset(("recipe",)))


def test_keys_of_openssl_are_keys(tmp_path: Path) -> None:
    openssl = shutil.which("openssl") or pytest.skip("openssl is not installed")
    for kind, words in (("ed25519", ""), ("rsa", "another kind than ed25519")):
        path = tmp_path / kind
        subprocess.run([openssl, "genpkey", "-algorithm", kind, "-out", str(path)], check=True, capture_output=True)
        path.chmod(0o600)
        if words:
            with pytest.raises(ConfigError, match=words):
                SigningKey(path)
        else:
            assert len(SigningKey(path).public) == 32


def test_without_cryptography_a_station_with_keys_says_what_to_install(recipe: Path, keys: Keys) -> None:
    script = (
        "import sys; sys.modules['cryptography'] = None\n"
        "from pathlib import Path\n"
        "from edge.recipe import Trust, load_recipe\n"
        "from edge.settings.trust import TrustSettings\n"
        f"load_recipe(Path({str(recipe)!r}))\n"
        f"load_recipe(Path({str(recipe)!r}), trust=Trust(TrustSettings(trusted_keys=Path({str(keys.trusted)!r}))))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "edge.errors.RecipeError" in done.stderr
    assert "pip install 'lineclear[signing]'" in done.stderr


def test_a_signature_survives_saving_and_exporting_with_its_bundle(recipe: Path, keys: Keys) -> None:
    """An older copy of the bundle in the recipe gets the signature that a new copy brings."""
    loaded = load_recipe(recipe)
    copy = recipe / BUNDLES / loaded.bundle.name
    (copy / SIGNATURES).unlink()
    signed = open_bundle(shutil.copytree(copy, recipe.parent / "again"))
    sign("bundle", signed.content_hash, signed.path, keys.key("integrator"), "A. Meier")
    save(recipe, content(signed), trust=keys.trust())
    assert read_signatures(copy)[0].by == "A. Meier"
    assert version_folder(recipe, 1).is_dir()


def test_a_bundle_that_lists_its_own_signatures_is_none(tmp_path: Path) -> None:
    made = write(tmp_path / "b", declared())
    path = made.path / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"][SIGNATURES] = "0" * 64
    path.write_text(json.dumps(manifest))
    with pytest.raises(LineclearError):
        open_bundle(made.path)


def test_the_commands(lineclear, keys: Keys, tmp_path: Path) -> None:
    made = write(tmp_path / "b", declared())
    packed = zipped(made.path, tmp_path / "b.zip")
    with_card(tmp_path / "recipe", open_bundle(packed))
    answer = lineclear("trust", "keygen", tmp_path / "k", "--name", "B. Roth", "--for", "recipe", "--for", "bundle")
    assert answer.status == 0
    assert "PRIVATE" not in answer.out
    keys.trusted.write_text((tmp_path / "k.pub").read_text())
    assert lineclear("trust", "verify", packed, "--trusted", keys.trusted).status == 1
    assert lineclear("trust", "sign", packed, "--key", tmp_path / "k", "--by", "B. Roth").status == 0
    with zipfile.ZipFile(packed) as archive:
        assert SIGNATURES in archive.namelist()
    assert "B. Roth" in lineclear("trust", "verify", packed, "--trusted", keys.trusted).out
    answer = lineclear("trust", "verify", tmp_path / "recipe", "--trusted", keys.trusted)
    assert (answer.status, len(answer.problems)) == (1, 2)
    folder = tmp_path / "recipe" / BUNDLES / made.name
    for path in (folder, tmp_path / "recipe"):
        assert lineclear("trust", "sign", path, "--key", tmp_path / "k", "--by", "B. Roth").status == 0
    assert lineclear("trust", "verify", tmp_path / "recipe", "--trusted", keys.trusted).status == 0
    assert "no such file" in lineclear.refused("trust", "verify", tmp_path / "none", "--trusted", keys.trusted)
