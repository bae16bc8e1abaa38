"""A small station with one view for the wizard: recipe and engine are simulated, everything else is the product's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import yaml

from calibration.web.jobs import Job
from calibration.web.wizard.bench import Bench
from calibration.web.wizard.opening import bench_of
from edge.heatmap import encode
from edge.recipe import Recipe
from tests.calibration.evidence import Line
from tests.station_parts import make_recipe, scene, with_leftover, with_noise
from tests.web.parts import Browser, Rig, running_page

VIEW = "front"
URL = f"/calibrate/{VIEW}"
WAIT_S = 60.0


def png(image: np.ndarray) -> bytes:
    return encode(image, "png")


def good_png(seed: int) -> bytes:
    return png(with_noise(scene(), seed))


def bad_png(seed: int) -> bytes:
    return png(with_noise(with_leftover(scene()), seed))


def blurred_png(seed: int) -> bytes:
    return png(cv2.GaussianBlur(with_noise(scene(), seed), (0, 0), 4))


def write_camera(folder: Path, count: int, first: int = 0) -> Path:
    """The pictures that the view's camera gives."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:03d}.png").write_bytes(good_png(first + number))
    return folder


def write_small_station(folder: Path, **changes: Any) -> tuple[Path, Recipe]:
    """station.yaml with the view `front`, and its recipe."""
    recipe = make_recipe(folder / "recipes", VIEW)
    write_camera(folder / "camera", 3)
    data = {
        "station": {"site": "basel", "area": "packaging", "line": "line3", "station": "desk"},
        "state_dir": str(folder / "state"),
        "publisher": {"kind": "memory"},
        "engine": {"kind": "simulated"},
        "archive": {"min_free_bytes": 0},
        "views": {
            VIEW: {
                "recipe": str(recipe.path),
                "camera": {"kind": "folder", "path": str(folder / "camera"), "trigger": "software", "loop": True},
            }
        },
        **changes,
    }
    path = folder / "station.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return path, recipe


def archived(folder: Path, recipe: Recipe, images: list[Any]) -> list[str]:
    """What the station judged before, in its archive."""
    return Line(folder / "state" / "archive", recipe).run(images)


@contextmanager
def wizard_page(folder: Path, **changes: Any) -> Iterator[tuple[Rig, Recipe]]:
    """The page of such a station."""
    config, recipe = write_small_station(folder, **changes)
    with running_page(config) as rig:
        yield rig, recipe


def bench(rig: Rig) -> Bench:
    return bench_of(rig.site, VIEW)


def job_at(rig: Rig, response: httpx.Response) -> Job:
    """The work that a form began, once it is over."""
    assert response.status_code == 200, response.text
    job_id = response.url.params["job"]
    job = rig.site.jobs.wait(job_id, WAIT_S)
    assert job is not None
    assert job.is_over, job
    return job


def done(rig: Rig, response: httpx.Response) -> Any:
    """Its result."""
    job = job_at(rig, response)
    assert job.state == "done", job.error
    return job.result


def send(browser: Browser, path: str, *pictures: bytes, name: str = "x.png") -> httpx.Response:
    """Upload pictures."""
    files = [("files", (name, data, "image/png")) for data in pictures]
    headers = {"Accept": "text/html", "Origin": browser.origin, "Sec-Fetch-Site": "same-origin"}
    return browser.client.post(path, data={"csrf": browser.csrf}, files=files, headers=headers)


def begun(rig: Rig, browser: Browser, frames: int = 6, first: int = 100) -> None:
    """A calibration with so many good frames."""
    assert browser.post(f"{URL}/begin").status_code == 200
    if frames:
        assert done(rig, send(browser, f"{URL}/frames/upload", *(good_png(first + n) for n in range(frames)))) == frames


def chosen(rig: Rig, browser: Browser, kind: str = "quantile", **more: Any) -> None:
    """Measured, masks seen, and a method taken."""
    done(rig, browser.post(f"{URL}/measure"))
    assert browser.post(f"{URL}/masks").status_code == 200
    response = browser.post(f"{URL}/thresholds", {"kind": kind, **more})
    assert response.status_code == 200, response.text


Check = Callable[[], bool]
