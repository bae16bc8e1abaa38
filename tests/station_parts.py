"""A small real station: scripted cameras, everything behind them the product's own parts."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np
from typing_extensions import Self

from edge.bundle import Bundle, contract
from edge.engines.base import Engine
from edge.engines.simulated import SimulatedEngine
from edge.errors import CameraLost, FrameError
from edge.health import Health
from edge.loop import CallLimits, EngineOffer, Identity, PictureSettings, Reporter, Seating, Station, ViewSetup
from edge.pipeline import ViewPipeline
from edge.publishers.base import Publisher
from edge.publishers.memory import MemoryPublisher
from edge.recipe import CardEngine, Content, Recipe, load_recipe, save
from edge.settings.engines import SimulatedEngineSettings
from edge.settings.judging import ScoreRule
from edge.settings.mqtt import MemorySettings
from edge.settings.triggers import TriggerSettings
from edge.supervision import Pulses
from edge.types import Frame, ImageU8, Origin
from tests.bundle.samples import declared, write
from tests.recipe.builders import card, document

SIZE_WH = (240, 180)
MODEL_WH = (120, 90)
THRESHOLD = 20.0


def scene(seed: int = 0) -> ImageU8:
    """A textured view that registration can hold on to: uint8 180x240x3 RGB."""
    random = np.random.default_rng(seed)
    image = np.full((SIZE_WH[1], SIZE_WH[0], 3), 110, np.float32)
    for sigma, depth in ((2, 200), (6, 500), (20, 900)):
        noise = cv2.GaussianBlur(random.normal(0, 1, image.shape[:2]).astype(np.float32), (0, 0), sigma)
        image += depth * noise[..., None]
    return np.clip(image, 30, 200).astype(np.uint8)


def with_noise(image: ImageU8, seed: int) -> ImageU8:
    noise = np.random.default_rng(seed).normal(0, 1.5, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def with_leftover(image: ImageU8) -> ImageU8:
    spoilt = image.copy()
    cv2.circle(spoilt, (150, 100), 16, (250, 250, 245), -1)
    return spoilt


@dataclass(frozen=True, eq=False)
class Event:
    """What one grab gives: an image, silence (None), or an error."""

    image: ImageU8 | None = None
    error: type[Exception] | None = None
    lost_before: int = 0
    grabbed_ns: int = 0


class ScriptedCamera:
    """Gives the events in order, one per trigger, then silence; `hardware` gives them without being triggered."""

    def __init__(self, view: str, events: Sequence[Event], *, hardware: bool = False) -> None:
        self._view = view
        self._events = deque(events)
        self._pending = deque(events) if hardware else deque[Event]()
        self._hardware = hardware
        self._number = -1
        self.opened = self.closed = 0
        self.empty = threading.Event()

    def __enter__(self) -> Self:
        self.opened += 1
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.closed += 1

    @staticmethod
    def shot(event: Event) -> Event:
        """The same, grabbed now, whenever it arrives."""
        return replace(event, grabbed_ns=time.monotonic_ns())

    def arrive(self, *events: Event) -> None:
        """These come next, triggered or not."""
        self._pending.extend(events)

    @property
    def waiting(self) -> int:
        """Events that nobody has taken yet."""
        return len(self._pending)

    def trigger(self) -> None:
        if not self._hardware and self._events:
            self._pending.append(self._events.popleft())

    def grab(self, timeout_s: float) -> Frame | None:
        if not self._pending:
            self.empty.set()
            time.sleep(min(timeout_s, 0.005))
            return None
        event = self._pending.popleft()
        if event.error is not None:
            raise event.error("scripted", where=self._view)
        if event.image is None:
            return None
        self._number += 1 + event.lost_before
        now = datetime.now(timezone.utc)
        grabbed_ns = event.grabbed_ns or time.monotonic_ns()
        return Frame(
            event.image.copy(), self._view, self._number, grabbed_ns, now, camera="scripted",
            lost_before=event.lost_before, is_simulated=True,
        )  # fmt: skip


LOST = Event(error=CameraLost)
DAMAGED = Event(error=FrameError)
SILENCE = Event()


def make_bundle(folder: Path) -> Bundle:
    """Compares image and reference; the simulated engine runs it."""
    declaration = declared(
        size_wh=MODEL_WH,
        inputs=contract(MODEL_WH, ["image", "reference"]),
        outputs=contract(MODEL_WH, ["anomaly_map"]),
        score=ScoreRule(window=7),
    )
    return write(folder / "bundle", declaration)


def make_recipe(folder: Path, view: str = "front", *, threshold: float = THRESHOLD, product: str = "aspirin") -> Recipe:
    """A recipe with a card that holds for the simulated engine."""
    content = Content(document=document(view=view, product=product), bundle=make_bundle(folder), reference=scene())
    path = folder / view
    save(path, content)
    engine = CardEngine(backend="simulated", version="1", device="none", precision="float32")
    made = card(
        load_recipe(path).hashes, view=view, engine=engine, image_threshold=threshold, pixel_threshold=threshold,
        score_rule=ScoreRule(window=7),
    )  # fmt: skip
    save(path, Content(document=content.document, bundle=content.bundle, reference=content.reference, card=made))
    return load_recipe(path)


def seating_of(view: str, recipe: Recipe) -> Seating:
    """On the engine with the key `engine`."""
    origin = Origin(view, 0, None, None, product=recipe.product, recipe=recipe.name)
    return Seating(origin, "engine", lambda opened: ViewPipeline(recipe, opened))


def make_station(
    recipes: dict[str, Recipe],
    cameras: dict[str, ScriptedCamera],
    *,
    publisher: Publisher | None = None,
    engine: SimulatedEngineSettings | None = None,
    trigger: TriggerSettings | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    pictures: PictureSettings | None = None,
    pulses: Pulses | None = None,
    opened: Engine | None = None,
    limits: CallLimits | None = None,
) -> Station:
    """One view per camera; all on one engine: `opened`, else a simulated one as `engine` says."""
    publisher = publisher or MemoryPublisher(MemorySettings(kind="memory", keep=100_000))
    any_recipe = next(iter(recipes.values()))
    simulated = SimulatedEngine(any_recipe.bundle.manifest, engine or SimulatedEngineSettings())
    engines = {"engine": EngineOffer(opened or simulated)}
    views = tuple(
        ViewSetup(
            name,
            camera,
            trigger or TriggerSettings(timeout_s=1.0),
            seating_of(name, recipes[name]),
        )
        for name, camera in cameras.items()
    )
    reporter = Reporter(publisher, Identity("lineclear/test", {}, ""), 10, now)
    settings = pictures or PictureSettings(publish="none")
    return Station(views, engines, publisher, Health(), settings, reporter, now, pulses=pulses, limits=limits)
