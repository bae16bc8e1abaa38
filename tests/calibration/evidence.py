"""A station's archive made by the station's own parts: frames judged by the pipeline, kept by the evidence keeper."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

from edge.archive import Archive, ArchiveReader
from edge.engines.simulated import SimulatedEngine
from edge.loop.evidence import EvidenceKeeper
from edge.pipeline import Judged, ViewPipeline
from edge.recipe import CardEngine, Content, Hashes, Recipe, ThresholdCard, load_recipe, save
from edge.settings.archive import ArchiveSettings
from edge.settings.engines import SimulatedEngineSettings
from edge.settings.judging import MaskPolygon, ScoreRule
from edge.types import Frame, Judgement, Origin, Reason, ReasonCode, Verdict
from edge.verdict import undecided
from tests.recipe.builders import card as make_card
from tests.station_parts import make_recipe, scene, with_leftover, with_noise

START = datetime(2026, 11, 20, 6, tzinfo=timezone.utc)
ENGINE = CardEngine(backend="simulated", version="1", device="none", precision="float32")
MASK_OVER_LEFTOVER = MaskPolygon(name="bin", points=((0.45, 0.35), (0.8, 0.35), (0.8, 0.75), (0.45, 0.75)))


def engine_of(bundle):
    return SimulatedEngine(bundle.manifest, SimulatedEngineSettings())


def recipe_at(folder: Path) -> Recipe:
    return make_recipe(folder)


def card_for(recipe: Recipe, threshold: float, **changes) -> ThresholdCard:
    """A card that holds for the recipe as it is."""
    levels = {"image_threshold": threshold, "pixel_threshold": threshold}
    fields = {"view": recipe.view, "engine": ENGINE, "score_rule": recipe.score_rule, **levels, **changes}
    return make_card(recipe.hashes, **fields)


def new_version(recipe: Recipe, *, masks=None, rule: ScoreRule | None = None, threshold: float = 20.0) -> Recipe:
    """The recipe with other masks or another score rule, saved with a card that holds for it."""
    document = recipe.document if rule is None else recipe.document.model_copy(update={"score": rule})
    content = Content(document, recipe.bundle, recipe.reference, recipe.masks if masks is None else masks)
    save(recipe.path, content)
    bare = load_recipe(recipe.path)
    save(recipe.path, replace(content, card=card_for(bare, threshold)))
    return load_recipe(recipe.path)


class Line:
    """Judges frames and archives them; each an hour after the last."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.recipe = recipe
        self.folder = folder
        self._number = 0
        self._settings = ArchiveSettings(pass_share=1.0, min_free_bytes=0)

    def run(self, images, *, clearance_id: str | None = None, frames: bool = True) -> list[str]:
        """Their result ids. An item that is a Judgement is archived as it is, without a frame."""
        with Archive(self.folder, self._settings) as archive, engine_of(self.recipe.bundle) as engine:
            pipeline = ViewPipeline(self.recipe, engine)
            keeper = EvidenceKeeper(archive, 320)
            return [self._one(keeper, pipeline, image, clearance_id, frames) for image in images]

    def _one(self, keeper, pipeline, image, clearance_id, frames) -> str:
        self._number += 1
        at = START + timedelta(hours=self._number)
        judged: Judged | None = None
        frame: Frame | None = None
        if isinstance(image, Judgement):
            judgement = image
        else:
            frame = Frame(image.copy(), self.recipe.view, self._number, self._number, at)
            judged = pipeline.judge(frame.image)
            judgement = judged.judgement
        origin = pipeline.name_parts(Origin(self.recipe.view, self._number, self._number, at))
        alignment = judged.alignment if judged else None
        result_id = f"r{self._number:04d}"
        verdict = Verdict(result_id, judgement, origin, at, alignment, {}, clearance_id)
        keeper.verdict(verdict, frame if frames else None, judged)
        return result_id

    @property
    def reader(self) -> ArchiveReader:
        return ArchiveReader(self.folder)


def good(count: int, seed: int = 0):
    return [with_noise(scene(), seed + number) for number in range(count)]


def bad(count: int, seed: int = 100):
    return [with_noise(with_leftover(scene()), seed + number) for number in range(count)]


def lost() -> Judgement:
    return undecided(ReasonCode.CAMERA_LOST, "was unplugged")


__all__ = ["Hashes", "Line", "Reason", "bad", "card_for", "engine_of", "good", "lost", "new_version", "recipe_at"]
