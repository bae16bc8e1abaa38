"""A recipe as one file: what goes out comes in the same, and a file that somebody touched never does."""

import json
import random
import zipfile
from pathlib import Path

import numpy as np
import pytest

from edge.cli.main import main
from edge.errors import ConfigError, LineclearError, RecipeError
from edge.recipe import export_recipe, import_recipe, load_recipe, save, versions
from tests.recipe.builders import bundle, content, document, with_card

SIGNED = {"who": "A. Meier", "why": "second line"}


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(the recipe, its file)."""
    root = tmp_path_factory.mktemp("transfer")
    with_card(root / "front", bundle(root))
    export_recipe(root / "front", root / "front.zip")
    return root / "front", root / "front.zip"


def rewritten(packed: Path, out: Path, **changes: bytes | None) -> Path:
    """The same zip with some entries changed, dropped (None) or added; `__` stands for `/`, `_dot_` for `.`."""
    wanted = {name.replace("__", "/").replace("_dot_", "."): data for name, data in changes.items()}
    with zipfile.ZipFile(packed) as source, zipfile.ZipFile(out, "w") as sink:
        for name in source.namelist():
            data = wanted.pop(name, source.read(name))
            if data is not None:
                sink.writestr(name, data)
        for name, data in wanted.items():
            sink.writestr(name, data or b"")
    return out


def test_it_comes_in_as_it_went_out(packed: tuple[Path, Path], tmp_path: Path) -> None:
    done = import_recipe(packed[1], tmp_path / "here", **SIGNED)
    there, here = load_recipe(packed[0]), load_recipe(tmp_path / "here")
    assert (done.version, done.view, done.product, done.has_card) == (1, "front", "aspirin", True)
    assert here.hashes == there.hashes
    assert here.card == there.card
    assert here.masks == there.masks
    assert np.array_equal(here.reference, there.reference)
    assert here.document.created_by == "A. Meier"
    assert "imported from front.zip: version 2 made by A. Technician" in here.document.why


def test_it_becomes_a_new_version_of_what_stands_there(packed: tuple[Path, Path], tmp_path: Path) -> None:
    save(tmp_path / "here", content(bundle(tmp_path, "x")))
    assert import_recipe(packed[1], tmp_path / "here", **SIGNED).version == 2
    assert versions(tmp_path / "here") == (1, 2)


def test_an_old_version_can_be_exported(packed: tuple[Path, Path], tmp_path: Path) -> None:
    assert export_recipe(packed[0], tmp_path / "old.zip", 1).version == 1
    assert not import_recipe(tmp_path / "old.zip", tmp_path / "here", **SIGNED).has_card


def test_another_camera_geometry_or_view_is_refused(packed: tuple[Path, Path], tmp_path: Path) -> None:
    larger = np.zeros((50, 64, 3), np.uint8) + np.arange(64, dtype=np.uint8)[:, None]
    save(tmp_path / "here", content(bundle(tmp_path, "x"), reference=larger))
    with pytest.raises(RecipeError, match="64x48 colour, this view's 64x50 colour: another camera geometry"):
        import_recipe(packed[1], tmp_path / "here", **SIGNED)
    with pytest.raises(RecipeError, match="for view 'front', not 'back'"):
        import_recipe(packed[1], tmp_path / "new", **SIGNED, view="back")
    save(tmp_path / "back", content(bundle(tmp_path, "x"), document=document(view="back")))
    with pytest.raises(RecipeError, match="is the recipe of view 'back'"):
        import_recipe(packed[1], tmp_path / "back", **SIGNED)
    assert versions(tmp_path / "here") == (1,)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipe__card_dot_json": b"{}"}, "card.json was changed"),
        ({"recipe__reference_dot_png": b"x"}, "reference.png was changed"),
        ({"bundle__model_dot_onnx": None}, "other files than its list says"),
        ({"bundle__more_dot_txt": b"x"}, "other files than its list says"),
        ({"transfer_dot_json": None}, "no exported recipe"),
        ({"transfer_dot_json": b"{"}, "is damaged"),
        ({"transfer_dot_json": b"{}"}, "is damaged"),
        ({"recipe__.._dot__dot_": b"x"}, "would lead out|other files"),
    ],
)
def test_a_file_that_somebody_touched_is_refused(packed: tuple[Path, Path], tmp_path: Path, changes, said: str) -> None:
    spoilt = rewritten(packed[1], tmp_path / "spoilt.zip", **changes)
    with pytest.raises(LineclearError, match=said):
        import_recipe(spoilt, tmp_path / "here", **SIGNED)
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "recipe/../../evil", "recipe\\evil", "recipe/a/b/c", "C:evil"])
def test_no_name_leads_out(packed: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    spoilt = tmp_path / "spoilt.zip"
    with zipfile.ZipFile(packed[1]) as source, zipfile.ZipFile(spoilt, "w") as sink:
        listing = json.loads(source.read("transfer.json"))
        listing["files"][name] = "0" * 64
        sink.writestr("transfer.json", json.dumps(listing))
        sink.writestr(name, b"x")
        for each in source.namelist():
            if each != "transfer.json":
                sink.writestr(each, source.read(each))
    with pytest.raises(RecipeError):
        import_recipe(spoilt, tmp_path / "here", **SIGNED)
    assert {path.name for path in tmp_path.iterdir()} == {"spoilt.zip"}


def test_a_forged_list_does_not_help_a_changed_recipe(packed: tuple[Path, Path], tmp_path: Path) -> None:
    """Whoever changes a threshold and its hash in the list still meets the card's own hash."""
    import hashlib

    with zipfile.ZipFile(packed[1]) as source:
        card = source.read("recipe/card.json").replace(b'"image_threshold": 0.9', b'"image_threshold": 9.9')
        listing = json.loads(source.read("transfer.json"))
    listing["files"]["recipe/card.json"] = hashlib.sha256(card).hexdigest()
    forged = {"recipe__card_dot_json": card, "transfer_dot_json": json.dumps(listing).encode()}
    spoilt = rewritten(packed[1], tmp_path / "spoilt.zip", **forged)
    with pytest.raises(RecipeError, match="changed after it was made"):
        import_recipe(spoilt, tmp_path / "here", **SIGNED)


def test_random_damage_is_an_error_and_leaves_nothing(packed: tuple[Path, Path], tmp_path: Path) -> None:
    data, chance = packed[1].read_bytes(), random.Random(7)
    refused = 0
    for _ in range(150):
        spoilt = bytearray(data)
        for _ in range(chance.randint(1, 8)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        (tmp_path / "spoilt.zip").write_bytes(spoilt[: chance.randint(1, len(spoilt))] if chance.random() < 0.3 else spoilt)
        try:
            import_recipe(tmp_path / "spoilt.zip", tmp_path / "here", **SIGNED)
        except LineclearError:
            refused += 1
    assert refused >= 140  # a changed time stamp in the zip's directory changes nothing that counts
    assert load_recipe(tmp_path / "here").hashes == load_recipe(packed[0]).hashes if (tmp_path / "here").exists() else True


@pytest.mark.parametrize("signed", [{"who": "", "why": "x"}, {"who": "A", "why": "  "}, {"who": " ", "why": "x"}])
def test_nobody_imports_without_a_name_and_a_reason(packed: tuple[Path, Path], tmp_path: Path, signed) -> None:
    with pytest.raises(ConfigError):
        import_recipe(packed[1], tmp_path / "here", **signed)


def test_the_commands(packed: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "export", str(packed[0]), "--out", str(tmp_path / "sub" / "r.zip")]) == 0
    signed = ["--who", "A. Meier", "--why", "second line"]
    assert main(["recipe", "import", str(tmp_path / "sub" / "r.zip"), "--out", str(tmp_path / "here"), *signed]) == 0
    assert "check them, or take them again" in capsys.readouterr().out
    assert main(["recipe", "import", str(packed[0] / "current"), "--out", str(tmp_path / "b"), *signed]) == 3
    assert "is no readable zip" in capsys.readouterr().err
    assert main(["recipe", "import", str(tmp_path / "none.zip"), "--out", str(tmp_path / "b"), *signed]) == 3
    assert main(["recipe", "export", str(tmp_path), "--out", str(tmp_path / "x.zip")]) == 3
    assert not (tmp_path / "b").exists()
    assert not (tmp_path / "x.zip").exists()


def test_an_import_is_told_before_it_is_done_and_not_done_if_it_cannot_be_told(
    packed: tuple[Path, Path], tmp_path: Path
) -> None:
    told: list[tuple[object, ...]] = []
    import_recipe(packed[1], tmp_path / "here", **SIGNED, trace=lambda *what: told.append((*what, versions(tmp_path / "here"))))
    import_recipe(packed[1], tmp_path / "here", **SIGNED, trace=lambda *what: told.append((*what, versions(tmp_path / "here"))))
    assert [(what[0], what[1], what[2], what[3], what[5]) for what in told] == [
        (str(tmp_path / "here"), "A. Meier", "second line", None, ()),
        (str(tmp_path / "here"), "A. Meier", "second line", {"version": 1}, (1,)),
    ]
    assert told[0][4]["bundle"] == load_recipe(packed[0]).bundle.name  # type: ignore[index]

    def full(*_: object) -> None:
        raise RecipeError("the audit log is full")

    with pytest.raises(RecipeError, match="audit log is full"):
        import_recipe(packed[1], tmp_path / "here", **SIGNED, trace=full)
    assert versions(tmp_path / "here") == (1, 2)
