"""`lineclear check`: the exit status is the answer, and what goes into the record is readable."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.cli.running import RECIPE, ROOT, process, simulated, station
from tests.mosquitto import free_port
from tests.schemas import validator

FOR = ("--batch", "B1", "--product", "demo")


@pytest.fixture
def aspirin(tmp_path) -> Path:
    """A recipe for one product, in a folder of its name."""
    recipe = Path(shutil.copytree(RECIPE, tmp_path / "aspirin"))
    for document in recipe.glob("versions/*/recipe.yaml"):
        document.write_text(yaml.safe_dump(yaml.safe_load(document.read_text()) | {"product": "aspirin"}))
    return recipe


def test_a_covered_camera_is_undecided(lineclear, tmp_path) -> None:
    views = {"feeder": {"recipe": str(RECIPE), "camera": simulated(start={"covered": True})}}
    answer = lineclear("check", station(tmp_path, views=views), *FOR)
    assert (answer.status, answer.err) == (2, "lineclear: UNDECIDED: feeder UNDECIDED\n")
    assert answer.out.startswith("UNDECIDED  batch B1  product demo  #1\n  feeder: UNDECIDED  not_registered: ")


@pytest.mark.parametrize("kind", ["refused", "not_there"])
def test_a_camera_that_does_not_open_is_undecided_and_says_why(lineclear, tmp_path, kind: str) -> None:
    camera = simulated(faults=[{"kind": kind, "probability": 1.0}])
    config = station(tmp_path, views={"feeder": {"recipe": str(RECIPE), "camera": camera}}, clearance={"timeout_s": 3})
    answer = lineclear("check", config, *FOR, "--json")
    assert answer.status == 2
    (view,) = json.loads(answer.out)["views"]
    assert view["reason"]["code"] == "camera_lost"


def test_the_products_of_check_and_recipe_must_agree(lineclear, tmp_path, aspirin) -> None:
    views = {"feeder": {"recipe": str(aspirin), "camera": simulated()}}
    config = station(tmp_path, views=views)
    answer = lineclear("check", config, "--batch", "B1", "--product", "ibuprofen")
    assert answer.status == 2
    assert "recipe_invalid: the recipe in use is for product 'aspirin'" in answer.out
    assert lineclear("check", config, "--batch", "B1", "--product", "aspirin").status == 0


def test_a_product_selects_its_recipes_and_is_no_path(lineclear, tmp_path, aspirin) -> None:
    views = {"feeder": {"recipe": "{product}", "camera": simulated()}}
    config = station(tmp_path, product="other", views=views)
    assert lineclear("check", config, "--batch", "B1", "--product", aspirin.name).status == 0
    for product in ("../x", "..", "", "a/b"):
        assert "--product" in lineclear.refused("check", config, "--batch", "B1", "--product", product)


@pytest.mark.parametrize("batch", ["B1204", "a|b", 'B "1", \\', "Ω-12 é", "x" * 80, "{product}", "null", "1e9"])
def test_any_readable_batch_comes_back_as_it_was(lineclear, tmp_path, batch: str) -> None:
    answer = lineclear("check", station(tmp_path), "--batch", batch, "--product", batch, "--operator", batch, "--json")
    assert (answer.status, answer.err) == (0, "")
    body = json.loads(answer.out)
    validator("clearance").validate(body)
    assert [body[key] for key in ("batch", "product", "operator")] == [batch] * 3


@pytest.mark.parametrize("nothing", ["", "  "])
def test_a_clearance_is_for_something(lineclear, tmp_path, nothing: str) -> None:
    answer = lineclear("check", station(tmp_path), "--batch", nothing, "--product", nothing)
    assert answer.status == 3
    assert [line.split(": ", 1)[1] for line in answer.problems] == [
        f"--{word}: is empty: name what it is (got {nothing!r})" for word in ("batch", "product")
    ]


@pytest.mark.parametrize("batch", ["a/b", "../x", "x" * 4096, " B1", "B1 "])
def test_a_batch_that_names_no_file_is_refused_in_one_line(lineclear, tmp_path, batch: str) -> None:
    said = lineclear.refused("check", station(tmp_path), "--batch", batch, "--product", "p")
    assert said.startswith("lineclear: --batch: ")
    assert len(said) < 250
    assert not (tmp_path / "state").exists()


@pytest.mark.parametrize("product", ["a/b", "..", "#", "a+b", "$x", "x" * 81])
def test_a_product_that_no_recipe_can_be_for_is_refused(lineclear, tmp_path, product: str) -> None:
    assert "--product: " in lineclear.refused("check", station(tmp_path), "--batch", "B1", "--product", product)


def test_an_operator_is_asked_for_where_the_site_wants_one(lineclear, tmp_path) -> None:
    config = station(tmp_path, clearance={"operator": "required"})
    assert "--operator: is empty: say who asks" in lineclear.refused("check", config, *FOR)
    assert lineclear("check", config, *FOR, "--operator", "A. Meier").status == 0


@pytest.mark.parametrize("text", ["a\nb", "a\tb", "a\0b", "\x1b[2J", "a\u2028b", "a\x7f", "a\u202eb", "a\udcffb"])
def test_what_cannot_be_read_back_is_refused_before_anything_happens(lineclear, tmp_path, text: str) -> None:
    answer = lineclear("check", station(tmp_path), "--batch", text, "--product", "p", "--operator", text)
    assert (answer.status, answer.out) == (3, "")
    assert [line.split(": ")[1] for line in answer.problems] == ["--batch", "--operator"]
    assert not (tmp_path / "state").exists()


def test_bytes_that_are_no_utf8_are_refused(tmp_path) -> None:
    answer = process("check", station(tmp_path), "--batch", b"a\xff", "--product", "p")
    assert answer.status == 3
    (said,) = answer.problems
    assert said.startswith("lineclear: --batch: ")


def test_bad_use_is_one_line(lineclear, tmp_path) -> None:
    config = station(tmp_path)
    for arguments, said in (
        ((config, "--batch", "B1"), "required: --product"),
        ((tmp_path / "none.yaml", *FOR), "none.yaml: file not found"),
        ((tmp_path, *FOR), "is a folder, not a file"),
        ((config, *FOR, "--nonsense"), "unrecognized arguments: --nonsense"),
        ((config, "--bat", "B1", "--product", "p"), "required: --batch"),
        ((config, *FOR, "a\nb"), "unrecognized arguments: a\\nb"),
        ((station(tmp_path, state_dir="/proc/state"), *FOR), "/proc/state: cannot be made"),
    ):
        assert said in lineclear.refused("check", *arguments)


def test_a_station_can_run_only_once(lineclear, tmp_path) -> None:
    """The second check on a state folder says who holds it; when that one is killed, the next finds its place free."""
    publisher = {"kind": "mqtt", "host": "127.0.0.1", "port": free_port(), "drain_s": 0}
    trigger = {"kind": "continuous", "interval_s": 60}
    views = {"feeder": {"recipe": str(RECIPE), "camera": simulated(), "trigger": trigger}}
    config = station(tmp_path, publisher=publisher, views=views)
    running = subprocess.Popen([sys.executable, "-m", "edge", "run", config], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stderr is not None
        assert any("station_ready" in line for line in running.stderr)
        said = lineclear.refused("check", config, *FOR)
        assert f"in use by process {running.pid}" in said
        assert str(tmp_path / "state") in said
    finally:
        running.kill()
        running.wait(30)
        assert running.stderr is not None
        running.stderr.close()
    assert lineclear("check", config, *FOR).status == 0


def test_a_reader_that_leaves_does_not_change_the_answer(tmp_path) -> None:
    views = {"feeder": {"recipe": str(RECIPE), "camera": simulated(start={"covered": True})}}
    config = station(tmp_path, views=views)
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as closed:
        command = [sys.executable, "-m", "edge", "check", str(config), *FOR]
        done = subprocess.run(command, cwd=ROOT, stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (2, b"lineclear: UNDECIDED: feeder UNDECIDED\n")
