"""A whole station with one simulated camera that may be set, and what it judged of which brightness."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from edge.app import Assembly, assemble
from edge.audit import Action, Entry, entries
from edge.cameras.pictures import Pictures
from edge.config import StationConfig, load_config
from edge.pipeline import Judged
from edge.publishers.memory import MemoryPublisher
from edge.recipe import CardEngine, Content, load_recipe, save
from edge.settings.cameras import hash_of_camera
from edge.settings.judging import ScoreRule
from edge.settings.simulated import SceneControl, SimulatedSettings
from edge.types import Frame, Verdict
from tests.commands.parts import EVERYTHING, Asker, until
from tests.recipe.builders import card, document
from tests.station_parts import SIZE_WH, make_bundle

PERSON = {"who": "Kim", "why": "a new lamp"}
CAMERA = {
    "kind": "simulated", "scene": 3, "size_wh": list(SIZE_WH), "rate_hz": 100, "noise": 1, "drift": 0,
    "exposure_us": 10_000, "gain_db": 0,
}  # fmt: skip
LIMITS = {"exposure_us": [1000, 20_000], "gain_db": [0, 6]}


@dataclass(frozen=True)
class Shown:
    """A verdict and how bright its frame was; None where it had none."""

    verdict: Verdict
    mean: float | None


class Sight(Asker):
    """Who asks such a station."""

    def __init__(self, assembly: Assembly, config: StationConfig) -> None:
        assert isinstance(assembly.publisher, MemoryPublisher)
        super().__init__(assembly.publisher)
        self.station = assembly.station
        self.config = config
        self.shown: list[Shown] = []
        sink = self.station._desk._pictures

        def look(verdict: Verdict, frame: Frame | None, judged: Judged | None) -> None:
            self.shown.append(Shown(verdict, float(frame.image.mean()) if frame is not None else None))
            sink(verdict, frame, judged)

        self.station._desk._pictures = look

    def judge(self) -> Shown:
        """A fresh verdict."""
        (answer,) = self.station.ask("front", 1, 10.0, None)
        verdict = answer.result(20)
        until(lambda: any(each.verdict.result_id == verdict.result_id for each in self.shown))
        return next(each for each in self.shown if each.verdict.result_id == verdict.result_id)

    def set(self, settings: dict[str, float] | None, **more: Any) -> dict[str, Any]:
        return self.ask("camera", view="front", settings=settings, **{**PERSON, **more})

    def audited(self) -> list[Entry]:
        return [each for each in entries(Path(self.config.state_dir) / "audit") if each.action is Action.CAMERA]


def write_station(folder: Path, threshold: float = 1e4, **changes: Any) -> Path:
    """station.yaml with a recipe whose card holds for the camera as the file has it. threshold: by default no frame fails."""
    camera = {**CAMERA, **changes.pop("camera", {})}
    settings = SimulatedSettings.model_validate(camera)
    recipe = folder / "recipe"
    if not recipe.exists():
        reference = Pictures(settings).render(10**6, SceneControl())
        content = Content(document(view="front", product=""), make_bundle(folder), reference)
        save(recipe, content)
        engine = CardEngine(backend="simulated", version="1", device="none", precision="float32")
        hashes = load_recipe(recipe).hashes.model_copy(update={"camera": hash_of_camera(settings)})
        made = card(
            hashes, view="front", engine=engine, image_threshold=threshold, pixel_threshold=threshold,
            score_rule=ScoreRule(window=7),
        )  # fmt: skip
        save(recipe, Content(content.document, content.bundle, content.reference, card=made))
    view = {"camera": camera, "recipe": str(recipe), "adjustable": LIMITS, **changes.pop("view", {})}
    data = {
        "station": {"site": "hamburg", "area": "packaging", "line": "line 3", "station": "north"},
        "state_dir": str(folder / "state"),
        "engine": {"kind": "simulated"},
        "publisher": {"kind": "memory", "keep": 20_000},
        "archive": {"min_free_bytes": 0},
        "clearance": {"min_free_bytes": 0},
        "commands": {"rights": {name: list(roles) for name, roles in EVERYTHING.items()}},
        "pictures": {"publish": "none"},
        "views": {"front": view},
        **changes,
    }
    path = folder / "station.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


@contextmanager
def seeing(path: Path) -> Iterator[Sight]:
    """The station of this config, with its camera live."""
    config = load_config(path)
    with assemble(config) as assembly:
        sight = Sight(assembly, config)
        until(lambda: sight.station.views["front"].camera.state.status == "live")  # type: ignore[attr-defined]
        yield sight


def code_of(shown: Shown) -> str:
    reason = shown.verdict.reason
    return reason.code.value if reason is not None else shown.verdict.outcome.value
