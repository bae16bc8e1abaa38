"""What can go wrong in a calibration: two people, a recipe that moved, a restart, a stop, too little, a full disk."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from calibration.cards import restore
from calibration.trace import Signature
from calibration.web.wizard import collecting
from edge.errors import Cancelled
from edge.recipe import Recipe, load_recipe
from edge.recipe.challenge import FOLDER, KnownFrame, write_challenge
from edge.recipe.reading import current_version
from tests.station_parts import scene, with_leftover, with_noise
from tests.web.calibrate.parts import (
    URL,
    VIEW,
    begun,
    bench,
    chosen,
    done,
    good_png,
    job_at,
    send,
    write_small_station,
)
from tests.web.parts import Browser, Rig, running_page

ROOT = Path(__file__).resolve().parents[3]


def other_version(recipe: Recipe) -> int:
    return restore(recipe.path, 1, Signature(who="B. Other", why="meanwhile"))


def test_the_second_person_is_told_who_is_at_it(rig: Rig, tina: Browser, anna: Browser) -> None:
    begun(rig, tina, frames=2)
    told = anna.get(URL)
    assert "Tina Vogel is calibrating this view" in told.text
    for path in ("/frames", "/thresholds", "/accept"):
        refused = anna.get(f"{URL}{path}")
        assert refused.status_code == 409
        assert "Tina Vogel" in refused.text
    assert anna.post(f"{URL}/begin").status_code == 409
    assert anna.post(f"{URL}/discard").status_code == 409
    assert len(collecting.tally(bench(rig).desk.good).frames) == 2
    assert anna.post(f"{URL}/take-over").status_code == 200
    assert "Anna Meier" in tina.get(f"{URL}/frames").text
    assert tina.get(f"{URL}/frames").status_code == 409
    assert anna.get(f"{URL}/frames").status_code == 200


def test_only_who_may_calibrate_comes_in(rig: Rig) -> None:
    otto, nobody = rig.signed_in("otto"), rig.browser()
    for path in ("/calibrate", URL, f"{URL}/frames", f"{URL}/reference.jpg"):
        assert otto.get(path).status_code == 403
        assert nobody.fetch("GET", path).status_code == 401
    assert otto.post(f"{URL}/begin").status_code == 403
    assert otto.get(f"/cards/{VIEW}").status_code == 200
    assert "rollback" not in otto.get(f"/cards/{VIEW}").text
    assert otto.post(f"/cards/{VIEW}/rollback", {"version": "1", "why": "x"}).status_code == 403
    tina = rig.signed_in("tina")
    assert tina.get("/calibrate/nowhere").status_code == 404
    assert tina.get("/cards/..%2f..%2fetc").status_code == 404
    tina.csrf = "forged"
    assert tina.post(f"{URL}/begin").status_code == 403


def test_a_recipe_that_somebody_changed_meanwhile(rig: Rig, recipe: Recipe, tina: Browser) -> None:
    begun(rig, tina)
    chosen(rig, tina)
    number = other_version(recipe)
    for path in ("/measure", "/masks", "/preview", "/challenge"):
        refused = tina.post(f"{URL}{path}")
        assert refused.status_code == 409, path
        assert f"{number:04d}" in refused.text
    refused = tina.post(f"{URL}/accept", {"why": "mine"})
    assert refused.status_code == 409
    assert "was put in force since this calibration began" in refused.text
    assert current_version(recipe.path) == number
    page = tina.get(f"{URL}/frames")
    assert page.status_code == 200
    assert "Begin again" in page.text
    assert tina.post(f"{URL}/discard").status_code == 200
    assert tina.post(f"{URL}/begin", {"keep": "yes"}).status_code == 200
    assert len(collecting.tally(bench(rig).desk.good).frames) == 6


def test_changed_between_the_check_and_the_save(rig: Rig, recipe: Recipe, tina: Browser) -> None:
    """The last look is under the recipe's own lock."""
    begun(rig, tina)
    chosen(rig, tina)
    held, go = threading.Event(), threading.Event()

    def in_the_way(_progress: object) -> None:
        held.set()
        assert go.wait(30)

    rig.site.jobs.start("other", "somebody", in_the_way)
    assert held.wait(30)
    response = tina.post(f"{URL}/accept", {"why": "mine"})
    number = other_version(recipe)
    go.set()
    job = job_at(rig, response)
    assert job.state == "failed"
    assert f"{number:04d}" in str(job.error)
    assert current_version(recipe.path) == number
    assert bench(rig).desk.mine("tina").method is not None  # nothing of the work is lost
    assert "was put in force" in tina.get(f"{URL}/done?job={job.id}").text


def test_the_page_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    config, recipe = write_small_station(tmp_path)
    with running_page(config) as rig:
        tina = rig.signed_in("tina")
        begun(rig, tina)
        chosen(rig, tina, "max")
    with running_page(config) as rig:
        tina = rig.signed_in("tina")
        assert "You began a calibration here" in tina.get(URL).text
        page = tina.get(f"{URL}/accept").text
        assert "Highest score" in page
        assert done(rig, tina.post(f"{URL}/accept", {"why": "after the restart"})).version == recipe.version + 1
    card = load_recipe(recipe.path).card
    assert card is not None
    assert card.method == "max"


def test_stopping_in_the_middle_keeps_what_is_stored(rig: Rig, tina: Browser) -> None:
    begun(rig, tina, frames=2)
    state = bench(rig).desk.mine("tina")
    folder = bench(rig).incoming / "more"
    folder.mkdir(parents=True)
    for number in range(5):
        (folder / f"{number}.png").write_bytes(good_png(300 + number))

    def stopped(done: int, total: int, what: str = "") -> None:
        if done == 3:
            raise Cancelled("was stopped")

    with pytest.raises(Cancelled):
        collecting.from_upload(bench(rig), state, folder, stopped, lambda _r: None)
    assert len(collecting.tally(bench(rig).desk.good).frames) == 5
    assert not folder.exists()
    assert done(rig, send(tina, f"{URL}/frames/upload", good_png(400))) == 1


def test_too_few_frames_say_how_many_more(rig: Rig, tina: Browser) -> None:
    begun(rig, tina, frames=3)
    assert "2 more are needed" in tina.get(f"{URL}/thresholds").text
    job = job_at(rig, tina.post(f"{URL}/measure"))
    assert job.state == "failed"
    assert job.error is not None
    assert "2 more" in job.error.remedy
    assert tina.post(f"{URL}/thresholds", {"kind": "max"}).status_code == 409
    assert tina.post(f"{URL}/accept", {"why": "x"}).status_code == 422


def test_more_frames_after_measuring_make_the_choice_void(rig: Rig, tina: Browser) -> None:
    begun(rig, tina)
    chosen(rig, tina)
    done(rig, send(tina, f"{URL}/frames/upload", good_png(500)))
    assert "Measure the frames" in tina.get(f"{URL}/thresholds").text
    assert tina.post(f"{URL}/accept", {"why": "x"}).status_code == 422


def test_no_acceptance_without_a_reason(rig: Rig, recipe: Recipe, tina: Browser) -> None:
    begun(rig, tina, frames=5)
    chosen(rig, tina)
    for why in ("", "   ", "\n"):
        refused = tina.post(f"{URL}/accept", {"why": why})
        assert refused.status_code == 422
        assert "Say why" in refused.text
    assert current_version(recipe.path) == recipe.version


def with_challenge(recipe: Recipe, folder: Path, *frames: KnownFrame) -> None:
    """The recipe in force, with these known frames."""
    from edge.recipe import Content, save

    folder.mkdir()
    write_challenge(folder, frames, who="A. Meier", why="known")
    save(recipe.path, Content(recipe.document, recipe.bundle, recipe.reference, recipe.masks, recipe.card, folder))


def test_a_missed_defect_is_told_and_cannot_be_accepted(rig: Rig, recipe: Recipe, tina: Browser, tmp_path: Path) -> None:
    faint = with_noise(scene(), 77)
    with_challenge(
        recipe,
        tmp_path / "known",
        KnownFrame(with_noise(scene(), 70), "PASS"),
        KnownFrame(with_noise(with_leftover(scene()), 71), "FAIL"),
        KnownFrame(faint, "FAIL", "a crumb"),
    )
    begun(rig, tina)
    chosen(rig, tina)
    refused = tina.post(f"{URL}/accept", {"why": "x"})
    assert refused.status_code == 409
    assert "were not judged with this threshold" in refused.text
    assert done(rig, tina.post(f"{URL}/challenge")) == 1
    page = tina.get(f"{URL}/challenge").text
    assert "1 known defects are missed" in page
    assert "must not be accepted" in page
    refused = tina.post(f"{URL}/accept", {"why": "x"})
    assert refused.status_code == 409
    assert "A known defect is missed" in refused.text
    assert load_recipe(recipe.path).version == recipe.version + 1  # the one with the challenge


def test_all_known_found_is_accepted_and_the_challenge_stays(rig: Rig, recipe: Recipe, tina: Browser, tmp_path: Path) -> None:
    known = (KnownFrame(with_noise(scene(), 70), "PASS"), KnownFrame(with_noise(with_leftover(scene()), 71), "FAIL"))
    with_challenge(recipe, tmp_path / "known", *known)
    begun(rig, tina)
    chosen(rig, tina)
    assert done(rig, tina.post(f"{URL}/challenge")) == 0
    name = next(path.name for path in (load_recipe(recipe.path).folder / FOLDER).glob("*.png"))
    assert tina.get(f"{URL}/known/{name}").headers["content-type"] == "image/jpeg"
    # Another line is another choice: what was proven with the old one no longer counts.
    at = tina.fetch("GET", f"{URL}/thresholds/at?image=0").json()
    tina.post(f"{URL}/thresholds", {"kind": "quantile", "image": str(at["low"])})
    assert tina.post(f"{URL}/accept", {"why": "x"}).status_code == 409
    done(rig, tina.post(f"{URL}/challenge"))
    accepted = done(rig, tina.post(f"{URL}/accept", {"why": "proven"}))
    now = load_recipe(recipe.path)
    assert now.version == accepted.version
    assert (now.folder / FOLDER / name).is_file()


def test_the_archive_without_frames_and_the_camera_away_are_said(rig: Rig, tina: Browser) -> None:
    begun(rig, tina, frames=0)
    job = job_at(rig, tina.post(f"{URL}/frames/camera", {"count": "3", "every_s": "0"}))
    assert job.state == "failed"
    assert "broker" in str(job.error)
    job = job_at(rig, tina.post(f"{URL}/frames/archive", {"days": "3"}))
    assert "holds no archive" in str(job.error)
    job = job_at(rig, tina.post(f"{URL}/frames/people"))
    assert "released or labelled good" in str(job.error)
    assert tina.post(f"{URL}/frames/camera", {"count": "0"}).status_code == 422
    assert tina.post(f"{URL}/frames/archive", {"days": "nan"}).status_code == 422


FULL = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from calibration.web.wizard.desk import Desk
from edge.errors import ConfigError
desk = Desk(Path(sys.argv[1]), "front")
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
try:
    desk.change("tina", masks_seen=True)
except ConfigError as error:
    print(error.message, "|", error.remedy)
"""


def test_a_full_disk_changes_nothing(rig: Rig, tina: Browser) -> None:
    begun(rig, tina, frames=0)
    before = bench(rig).desk.mine("tina")
    said = subprocess.run(
        [sys.executable, "-c", FULL, str(rig.site.folder)], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "cannot be written" in said
    assert "free the disk" in said
    assert bench(rig).desk.mine("tina") == before
    assert [path.name for path in bench(rig).desk.folder.iterdir()] == ["wizard.json"]


def test_a_state_that_somebody_damaged_is_said(rig: Rig, tina: Browser) -> None:
    begun(rig, tina, frames=0)
    (bench(rig).desk.folder / "wizard.json").write_text('{"schema": 1, "view": "front"}')
    assert tina.get("/calibrate").status_code == 200  # the list still comes
    response = tina.get(f"{URL}/frames")
    assert response.status_code == 422
    assert "wizard.json" in response.text


def test_rollback_with_a_reason(rig: Rig, recipe: Recipe, tina: Browser) -> None:
    begun(rig, tina)
    chosen(rig, tina)
    done(rig, tina.post(f"{URL}/accept", {"why": "new lamp"}))
    page = tina.get(f"/cards/{VIEW}").text
    assert "new lamp" in page
    diff = tina.get(f"/cards/{VIEW}/diff?before={recipe.version}&after={recipe.version + 1}")
    assert "Threshold" in diff.text
    assert "<svg" in diff.text
    assert tina.get(f"/cards/{VIEW}/diff?before=1&after=99").status_code == 409
    assert tina.post(f"/cards/{VIEW}/rollback", {"version": str(recipe.version)}).status_code == 422
    back = done(rig, tina.post(f"/cards/{VIEW}/rollback", {"version": str(recipe.version), "why": "it alarms"}))
    now = load_recipe(recipe.path)
    assert now.version == back.version == recipe.version + 2
    assert now.card == recipe.card
    assert now.document.restored_from == recipe.version
    job = job_at(rig, tina.post(f"/cards/{VIEW}/rollback", {"version": str(now.version), "why": "again"}))
    assert "in force already" in str(job.error)
