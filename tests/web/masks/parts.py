"""A page over one view with a real recipe, in this process: what every test of masks uses."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

import yaml
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.testclient import TestClient

from calibration.web.access import Passwords, Role, User
from calibration.web.access.cookies import SESSION, cookie_name
from calibration.web.application import make_app
from calibration.web.history.labels.store import Labels
from calibration.web.opening import open_site
from calibration.web.site import Site
from edge.recipe import Content, Recipe, RecipeFile, load_recipe, save
from edge.recipe.challenge import KnownFrame, write_challenge
from edge.settings.judging import MaskPolygon
from tests.cli.running import simulated
from tests.station_parts import make_recipe, scene, with_leftover, with_noise

HOME: Final = "http://127.0.0.1"
PASSWORD: Final = "correct horse battery"
CHEAP: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
VIEW: Final = "front"
HOSE: Final = MaskPolygon(name="hose", points=((0.05, 0.7), (0.25, 0.7), (0.25, 0.9), (0.05, 0.9)))
BIN: Final = MaskPolygon(name="bin", points=((0.45, 0.35), (0.8, 0.35), (0.8, 0.75), (0.45, 0.75)))
"""Over the place where `with_leftover` leaves something."""
PEOPLE: Final = (
    User("meier", "A. Meier", Role.TECHNICIAN),
    User("roth", "B. Roth", Role.TECHNICIAN),
    User("operator", "C. Weiss", Role.OPERATOR),
    User("other", "D. Sauer", Role.TECHNICIAN, views=("back",)),
)


def sent(*masks: MaskPolygon) -> list[dict[str, Any]]:
    """Masks as the script sends them."""
    return [mask.model_dump(mode="json") for mask in masks]


def with_challenge(recipe: Recipe, masks: tuple[MaskPolygon, ...] = ()) -> Recipe:
    """A new version with masks, and a challenge of a good and a bad frame."""
    frames = [KnownFrame(with_noise(scene(), 5), "PASS", "clean"), KnownFrame(bad_frame(), "FAIL", "tablet left")]
    with tempfile.TemporaryDirectory() as folder:
        write_challenge(Path(folder), frames, who="A. Meier", why="first")
        save(recipe.path, Content(recipe.document, recipe.bundle, recipe.reference, masks, recipe.card, Path(folder)))
    return load_recipe(recipe.path)


def bad_frame(seed: int = 7) -> Any:
    """Something was left on it."""
    return with_noise(with_leftover(scene()), seed)


def somebody_saves(path: Path, who: str = "B. Roth", why: str = "quicker") -> int:
    """Another person's save of this recipe."""
    recipe = load_recipe(path)
    update = {"created_by": who, "why": why, "created_at": datetime.now(timezone.utc)}
    document = RecipeFile.model_validate({**recipe.document.model_dump(by_alias=True), **update})
    challenge = recipe.folder / "challenge"
    kept = challenge if challenge.is_dir() else None
    return save(path, Content(document, recipe.bundle, recipe.reference, recipe.masks, recipe.card, kept))


@dataclass
class Studio:
    """The application of a station with one view."""

    site: Site
    app: FastAPI
    recipe_path: Path

    @property
    def recipe(self) -> Recipe:
        return load_recipe(self.recipe_path)

    @property
    def labels(self) -> Labels:
        return Labels(self.site.folder / "labels", self.site.audit)

    def token(self, name: str) -> tuple[str, str, str]:
        """A new session of this person: name and value of its cookie, and the token for forms."""
        token = self.site.sessions.begin(name)
        session = self.site.sessions.find(token)
        assert session is not None
        return cookie_name(SESSION, self.site.settings), token, session.csrf

    def client(self, name: str = "meier") -> TestClient:
        cookie, token, csrf = self.token(name)
        headers = {"origin": HOME, "accept": "application/json", "x-csrf-token": csrf}
        client = TestClient(self.app, base_url=HOME, headers=headers, raise_server_exceptions=False)
        client.cookies.set(cookie, token)
        return client

    def wait(self, client: TestClient, job: str) -> dict[str, Any]:
        """A check that is over."""
        self.site.jobs.wait(job, 20)
        return dict(client.get(f"/masks/{VIEW}/check/{job}").json())


def write_config(folder: Path, recipe: Path, **changes: Any) -> Path:
    data = {
        "station": {"site": "basel", "area": "packaging", "line": "line3", "station": "box"},
        "state_dir": str(folder / "state"),
        "product": "aspirin",
        "engine": {"kind": "simulated"},
        "publisher": {"kind": "memory"},
        "archive": {"min_free_bytes": 0, "pass_share": 1.0},
        "views": {VIEW: {"recipe": str(recipe), "camera": simulated(trigger="software")}},
        **changes,
    }
    path = folder / "station.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path


@contextmanager
def studio(folder: Path, recipe: Path, **changes: Any) -> Iterator[Studio]:
    config = write_config(folder, recipe, **changes)
    with open_site(config, passwords=Passwords(CHEAP)) as site:
        for person in PEOPLE:
            site.users.add(person, PASSWORD, who="test", why="test")
        yield Studio(site, make_app(site), recipe)


def fresh_recipe(source: Path, folder: Path) -> Path:
    return Path(shutil.copytree(source, folder / VIEW))


def first_recipe(folder: Path) -> Path:
    """One mask that hides nothing, thresholds that hold for it, and a challenge."""
    made = make_recipe(folder)
    return with_challenge(made).path
