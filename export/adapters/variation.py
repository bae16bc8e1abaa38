"""The variation model's bundle: good frames in, a reference-comparison model out. Needs no training and no torch.

Each frame is registered to the reference by the station's own registration; what cannot be registered is refused and
listed. `build` is for frames in memory or from a folder alike; `Built.write` makes the bundle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from edge import scoring
from edge.bundle import Bundle, Declaration, Limits, Masking, ResizeRule, Tensors, Tolerance, Training, contract, write_bundle
from edge.settings.judging import ScoreRule
from edge.settings.registration import RegistrationSettings, ResampleMode, ResizeKernel
from edge.types import ImageU8, MaskBool
from export.adapters.registering import GoodFrame, ModelView, too_few
from export.adapters.variation_graph import write_graph
from export.adapters.variation_model import VariationModel, VariationSettings, anomaly_map, learn
from export.graph import OPSET
from export.proof import run_once

FAMILY = "variation"
KERNEL: ResizeKernel = "cv2_area"
# Nobody else trained this model: it learns the pixels that the station's fast resampling gives, so nothing is lost by it.
RESAMPLE: ResampleMode = "fused"
LEAST_FRAMES, LEAST_SIDE = 5, 16
MAX_MEGAPIXELS = 0.5
SUSPECT_RATIO = 3.0
# Float16 stores spreads and envelope with 11 bits; measured on eight views: 0.4 % of the value, 0.005 near zero.
LIMITS = Limits(float32=Tolerance(rtol=1e-3, atol=1e-3), float16=Tolerance(rtol=2e-2, atol=5e-2))
LICENCE = (
    "Learnt by lineclear from images of the station's own camera; no third-party weights are in it.\n"
    "The images and what was learnt from them belong to whoever owns the images.\n"
)


@dataclass(frozen=True, eq=False)
class Built:
    """A learnt model with everything its bundle needs.

    used: names of the frames it was learnt from. refused: (name, why) of those that could not be registered. suspects:
    (name, score, typical score) of frames that differ far more from the ideal than the others: perhaps not good at all.
    """

    model: VariationModel
    reference: ImageU8
    golden: tuple[tuple[ImageU8, MaskBool], ...]
    registration_mode: str
    used: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    suspects: tuple[tuple[str, float, float], ...]
    sha256: tuple[str, ...]

    def write(self, out: Path, created_by: str) -> Bundle:
        """Write the bundle, both precisions; raises BundleError."""
        model = write_graph(self.model, "float32")
        inputs: list[Tensors] = [{"image": image[None], "keep": keep[None].astype(np.uint8)} for image, keep in self.golden]
        outputs = [run_once(model, given) for given in inputs]
        return write_bundle(
            out,
            self.declaration(created_by),
            model=model,
            model_fp16=write_graph(self.model, "float16"),
            golden_inputs=inputs,
            golden_outputs=outputs,
            licence=LICENCE,
            reference=self.reference,
        )

    def declaration(self, created_by: str) -> Declaration:
        """What the manifest says of the model."""
        settings, size_wh = self.model.settings, self.model.size_wh
        parameters: dict[str, str | int | float | bool | None] = {}
        for key, value in settings.model_dump().items():
            numbers = value if isinstance(value, tuple) else (value,)
            parameters |= {f"{key}_{i}" if len(numbers) > 1 else key: number for i, number in enumerate(numbers)}
        return Declaration(
            family=FAMILY,
            size_wh=size_wh,
            inputs=contract(size_wh, ["image", "keep"]),
            outputs=contract(size_wh, ["anomaly_map"]),
            resize=ResizeRule(kernel=KERNEL, mode=RESAMPLE),
            score=ScoreRule(kind="max_of_mean_filter", window=settings.window_px(size_wh), padding="zero"),
            masking=Masking(pre=True, post=True),
            opset=OPSET,
            limits=LIMITS,
            parameters={**parameters, "registration": self.registration_mode},
            training=Training(images=len(self.used), sha256=self.sha256),
            created_at=datetime.now(timezone.utc),
            created_by=created_by,
        )


def model_size(reference_wh: tuple[int, int], max_megapixels: float = MAX_MEGAPIXELS) -> tuple[int, int]:
    """Half the reference's size, or less where that is more than max_megapixels: width, height."""
    width, height = reference_wh
    scale = min(0.5, (max_megapixels * 1e6 / (width * height)) ** 0.5)
    return max(LEAST_SIDE, round(width * scale)), max(LEAST_SIDE, round(height * scale))


def build(
    frames: Iterable[GoodFrame],
    reference: ImageU8,
    settings: VariationSettings | None = None,
    *,
    size_wh: tuple[int, int] | None = None,
    register: RegistrationSettings | None = None,
    judged: MaskBool | None = None,
) -> Built:
    """Register good frames to the reference and learn the model. The frames are walked once; only small ones are kept.

    reference: uint8 HxWx3 RGB or HxW. size_wh: the model's size (None: `model_size`). judged: bool HxW of the reference,
    True where the verdict will look (None: everywhere). ConfigError: a frame of another size than the reference, or
    fewer than 5 that could be registered.
    """
    register = register or RegistrationSettings()
    size_wh = size_wh or model_size((reference.shape[1], reference.shape[0]))
    view = ModelView(reference, register, size_wh, KERNEL, RESAMPLE, judged)
    shown = list(view.show(frames))
    if len(shown) < LEAST_FRAMES:
        raise too_few(len(shown), view.refused, LEAST_FRAMES, "15 to 30")
    images, covers = [each.image for each in shown], [each.covered for each in shown]
    model = learn(images, covers, settings or VariationSettings())
    shas = tuple(each.frame.sha256 for each in shown)
    used = tuple(each.frame.name for each in shown)
    return Built(
        model=model,
        reference=reference,
        golden=((images[-1], covers[-1]), _disturbed(view.ideal)),
        registration_mode=register.mode,
        used=used,
        refused=tuple(view.refused),
        suspects=_suspects(used, images, covers, model),
        sha256=shas if all(shas) else (),
    )


def _suspects(
    names: Sequence[str], images: Sequence[ImageU8], covers: Sequence[MaskBool], model: VariationModel
) -> tuple[tuple[str, float, float], ...]:
    rule = ScoreRule(window=model.settings.window_px(model.size_wh))
    scores = [
        scoring.image_score(scoring.smooth(anomaly_map(image, model, covered), covered, rule), covered, rule)
        for image, covered in zip(images, covers, strict=True)
    ]
    typical = float(np.median(scores))
    return tuple((n, s, typical) for n, s in zip(names, scores, strict=True) if s > SUSPECT_RATIO * typical)


def _disturbed(image: ImageU8) -> tuple[ImageU8, MaskBool]:
    """A golden vector that reaches high scores: the reference in other light with three patches on it, a corner masked."""
    height, width = image.shape[:2]
    light = np.linspace(0.85, 1.1, width)[None, :, None]
    shown = np.clip(image * light, 0, 255).astype(np.uint8)
    for place, colour in enumerate(((0, 0, 0), (255, 255, 255), (0, 90, 220))):
        x, y = (2 * place + 1) * width // 6, height // 2
        shown[y - height // 12 : y + height // 12 + 1, x - width // 24 : x + width // 24 + 1] = colour
    keep = np.ones((height, width), bool)
    keep[: height // 5, : width // 8] = False
    return shown, keep
