"""Changeover: the recipes of another product on every view, all together or none; and what seats a view at the start."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from edge.bundle import Bundle
from edge.bundle.files import GRAPHS
from edge.durable import replace_file
from edge.engines.base import Engine
from edge.engines.preparing import BuildProgress, Preparable, quiet
from edge.errors import LineclearError, RecipeError
from edge.loop import EngineOffer, Seating, SwitchRefused
from edge.pipeline import ViewPipeline
from edge.recipe import Recipe, Trust, load_recipe
from edge.settings.mqtt import topic_level
from edge.settings.trust import TrustSettings
from edge.types import Origin, ReasonCode
from edge.verdict import undecided

log = logging.getLogger(__name__)

PATTERN = "{product}"
PRODUCT_FILE = "product.json"
"""Of the state folder: see ProductFile."""
BEING_SET = "its camera is being set anew: ask again in a few seconds"
SWITCH_TIMEOUT_S = 300.0
Trace = Callable[[str, Mapping[str, str], Mapping[str, str], str, str], None]
"""(product, recipes before, recipes after, who, why), recipes as `view -> name version`; raises to forbid the change."""


@dataclass(frozen=True)
class Place:
    """A view as the config has it. recipe: a path, with `{product}` where the product belongs."""

    view: str
    recipe: str
    camera: str
    camera_hash: str


@dataclass(frozen=True)
class Selected:
    """The product in force, and each view's recipe as `name version`. changed: this call made it so."""

    product: str
    recipes: Mapping[str, str]
    changed: bool


class Switchable(Protocol):
    """A Station, as far as a changeover needs it."""

    def switch(
        self, seatings: Mapping[str, Seating], engines: Mapping[str, EngineOffer], may_block: Collection[str] = ()
    ) -> Future[None]:
        """See Station.switch."""
        ...


def product_name(text: str) -> str:
    """`text` if it can name a product, else ValueError: it becomes part of a path and of results."""
    if text in (".", "..") or len(text) > 80:
        raise ValueError(f"{text[:90]!r} cannot name a product")
    return topic_level(text)


class Seats:
    """Makes seatings: loads recipes and offers their engines; views whose recipes share a bundle share its engine."""

    def __init__(
        self,
        places: tuple[Place, ...],
        make_engine: Callable[[Bundle], Engine],
        *,
        builds: bool = False,
        progress: BuildProgress = quiet,
        needs_parity: bool = False,
        trust: TrustSettings | None = None,
    ) -> None:
        """builds: its engines have to be built on this machine; progress: told how far that is. needs_parity: see
        ViewPipeline. trust: whose recipes may be used; None: any.
        """
        self.places = {place.view: place for place in places}
        self._builds = builds
        self._progress = progress
        self._needs_parity = needs_parity
        self._trust = Trust.of(trust)
        self._make_engine = make_engine

    def all(self, product: str) -> tuple[dict[str, Seating], dict[str, EngineOffer]]:
        """Every view's seating for this product ("": none), and the engines that they need. A recipe that cannot be used
        is a seating that says why.
        """
        seatings: dict[str, Seating] = {}
        engines: dict[str, EngineOffer] = {}
        for view, place in self.places.items():
            path = Path(place.recipe.replace(PATTERN, product))
            origin = Origin(view, 0, None, None, camera=place.camera, product=product, recipe=path.name)
            try:
                recipe = load_recipe(path, view=view, trust=self._trust)
            except LineclearError as error:
                log.error("recipe_refused view=%s why=%s", view, error)
                seatings[view] = Seating(origin, blocked=undecided(ReasonCode.RECIPE_INVALID, str(error)))
                continue
            # A recipe that names no product is for any, but one that was found by a product's name is for that one.
            selected = product if PATTERN in place.recipe else ""
            seatings[view] = replace(self._seating(recipe, origin, place.camera_hash, engines), product=selected)
        return seatings, engines

    def with_camera(self, seating: Seating, camera_hash: str) -> tuple[Seating, dict[str, EngineOffer]]:
        """The same recipe for a camera with these settings, now and at every changeover to come; with its engine."""
        view = seating.origin.view
        self.places[view] = replace(self.places[view], camera_hash=camera_hash)
        if seating.pipeline is None or seating.blocked is not None:
            return seating, {}
        engines: dict[str, EngineOffer] = {}
        fresh = self._seating(seating.pipeline.recipe, seating.origin, camera_hash, engines)
        return replace(fresh, product=seating.product), engines

    def build(self, product: str) -> None:
        """Have the engines built that `product` needs, while the station goes on judging with those in force: it may take
        minutes. SwitchRefused: one cannot be built. What cannot be loaded is for `all` to say.
        """
        if not self._builds:
            return
        for offer in self.all(product)[1].values():
            if isinstance(offer.engine, Preparable):
                try:
                    offer.engine.prepare(self._progress)
                except LineclearError as error:
                    raise SwitchRefused({"engine": str(error)}) from None

    def _seating(self, recipe: Recipe, origin: Origin, camera_hash: str, engines: dict[str, EngineOffer]) -> Seating:
        key = recipe.bundle.content_hash
        if key not in engines:
            engines[key] = EngineOffer(self._make_engine(recipe.bundle), _model_bytes(recipe.bundle))
        named = replace(origin, product=recipe.product, recipe_version=recipe.version, bundle=recipe.bundle.name)
        return Seating(named, key, lambda engine: ViewPipeline(recipe, engine, camera_hash, needs_parity=self._needs_parity))


class ProductFile:
    """The product that was selected last, kept on disk: a station comes up with it after a power cut."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str | None:
        """The product, None where none was ever selected or the file says nothing that can be used."""
        try:
            return product_name(str(json.loads(self._path.read_text("utf-8"))["product"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.error("product_forgotten file=%s why=%s", self._path, error)
            return None

    def write(self, product: str) -> None:
        """Durable when it returns. RecipeError: the disk refuses."""
        try:
            replace_file(self._path, json.dumps({"product": product}).encode(), mode=0o640)
        except OSError as error:
            remedy = "free the disk or check its permissions, then select the product again"
            raise RecipeError(f"cannot be written ({error.strerror})", where=str(self._path), remedy=remedy) from None


class Changeover:
    """Selects products. One at a time, and never while a clearance runs (`guard` raises then)."""

    def __init__(
        self,
        station: Switchable,
        seats: Seats,
        kept: ProductFile,
        product: str,
        in_force: Mapping[str, Seating],
        guard: Callable[[], AbstractContextManager[object]],
        trace: Trace | None = None,
        settled: Callable[[Mapping[str, str] | None], None] = lambda _: None,
    ) -> None:
        """product, in_force: what the station started with. trace: told before anything changes; settled: told the recipes
        once they are in force, or None if the change that was announced did not come about.
        """
        self._station = station
        self._seats = seats
        self._kept = kept
        self._guard = guard
        self._trace = trace
        self._settled = settled
        self._lock = threading.Lock()
        self._product = product
        self._recipes = {view: named(seating) for view, seating in in_force.items()}

    @property
    def selected(self) -> Selected:
        """What is in force now."""
        with self._lock:
            return Selected(self._product, dict(self._recipes), changed=False)

    def select(self, product: str, *, who: str, why: str) -> Selected:
        """Put the recipes of `product` in force, or none of them (SwitchRefused names each view that stands in the way).

        The product in force already: its recipes are read again, so that a new version comes into force.
        """
        try:
            product_name(product)
        except ValueError as error:
            raise SwitchRefused({"product": str(error)}) from None
        with self._lock:
            return self._apply(product, who, why)

    def reload(self, *, who: str, why: str, may_block: Collection[str] = ()) -> Selected:
        """Read the recipes of the product in force again. may_block: views that may come out unable to judge."""
        with self._lock:
            return self._apply(self._product, who, why, may_block)

    def set_camera(self, seat: Callable[[], Seating], camera_hash: str, set_anew: Callable[[], None]) -> None:
        """Judge nothing of a view while `set_anew` sets its camera, then go on with what its recipe says of a camera of that
        hash. What set_anew raises goes on to the caller: then the camera is as it was, and the view judges on. seat: gives
        what judges it.
        """
        with self._lock, self._guard():
            seating = seat()
            view = seating.origin.view
            before = self._seats.places[view].camera_hash
            blocked = undecided(ReasonCode.CAMERA_LOST, BEING_SET)
            self._switch({view: replace(seating, blocked=seating.blocked or blocked)}, {}, {view})
            try:
                set_anew()
                before = camera_hash
            finally:
                # Whatever came of it: the view must not stay as it is now, and the hash is that of what is set.
                again, engines = self._seats.with_camera(seating, before)
                self._switch({view: again}, engines, {view})

    def _apply(self, product: str, who: str, why: str, may_block: Collection[str] = ()) -> Selected:
        self._seats.build(product)
        with self._guard():
            seatings, engines = self._seats.all(product)
            _refuse_strangers(seatings, product, may_block)
            after = {view: named(seating) for view, seating in seatings.items()}
            if self._trace is not None:
                self._trace(product, dict(self._recipes), after, who, why)
            try:
                self._switch(seatings, engines, may_block)
            except LineclearError:
                self._settled(None)
                raise
            self._settled(after)
            changed = (product, after) != (self._product, self._recipes)
            self._product, self._recipes = product, after
            log.info("changeover product=%s recipes=%s", product, after)
            if product:
                self._keep(product)
            return Selected(product, dict(after), changed)

    def _keep(self, product: str) -> None:
        try:
            self._kept.write(product)
        except RecipeError as error:
            message = f"product {product!r} is in force now, but would not be after a restart: {error.message}"
            raise RecipeError(message, where=error.where, remedy=error.remedy) from None

    def _switch(self, seatings: Mapping[str, Seating], engines: Mapping[str, EngineOffer], may_block: Collection[str]) -> None:
        switching = self._station.switch(seatings, engines, may_block)
        try:
            switching.result(SWITCH_TIMEOUT_S)
        except FutureTimeout:
            if switching.cancel():
                raise SwitchRefused({"station": f"the judge did not answer within {SWITCH_TIMEOUT_S:g} s"}) from None
            switching.result()  # it has begun: what it ends with is what is in force


def _refuse_strangers(seatings: Mapping[str, Seating], product: str, may_block: Collection[str]) -> None:
    """Before anything is opened: every view must have a recipe, and one that is for this product or for any. Where no
    product was ever selected ("") the recipes say themselves which they are for.
    """
    problems = {}
    for view, seating in seatings.items():
        if seating.blocked is not None and seating.blocked.reason is not None:
            if view not in may_block:
                problems[view] = f"has no recipe for product {product!r}: {seating.blocked.reason.detail}"
        elif product and seating.origin.product not in ("", product):
            problems[view] = f"its recipe {seating.origin.recipe} is for product {seating.origin.product!r}, not {product!r}"
    if problems:
        raise SwitchRefused(problems)


def named(seating: Seating) -> str:
    """A seating's recipe as `name version`."""
    version = seating.origin.recipe_version
    return seating.origin.recipe if version is None else f"{seating.origin.recipe} {version:04d}"


def _model_bytes(bundle: Bundle) -> int:
    """Of the graphs that one precision opens together, the larger of the two."""
    sizes = [
        [path.stat().st_size for name in names if (path := bundle.path / name).exists()]
        for names in zip(*GRAPHS.values(), strict=True)
    ]
    return max(map(sum, sizes))
