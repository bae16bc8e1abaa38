"""The picture of frame N: the machine, what moves and lies in it, the light, the lens, the sensor."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.cameras.products import Sprite, part, paste, product, turned
from edge.cameras.scene import machine
from edge.settings.simulated import MovingPart, SceneControl, SimulatedSettings
from edge.types import Homography, ImageU8

_MARGIN = 0.08
_NOISE_PLAY = 61


class Pictures:
    """Deterministic from the settings, the control and the frame number; what stands still is drawn once, here."""

    def __init__(self, settings: SimulatedSettings) -> None:
        self._settings = settings
        width, height = settings.size_wh
        self._margin = math.ceil(_MARGIN * max(width, height))
        size = (width + 2 * self._margin, height + 2 * self._margin)
        self._left, self._right = machine(settings.scene, size)
        self._parts = [self._part(moving) for moving in settings.moving]
        self._sprites: dict[tuple[str, float, float], Sprite] = {}
        self._phase = np.random.default_rng((settings.seed, 4)).uniform(0, 2 * math.pi, 3)
        self._noise = self._noise_fields() if settings.noise else None
        self._cover = self._covered()

    def render(self, number: int, control: SceneControl) -> ImageU8:
        """uint8 HxWx3 RGB, or HxW where the settings say so."""
        seen = self._cover if control.covered else self._through_lens(self._scene(number, control), number, control)
        picture = self._with_noise(seen, number)
        return picture if self._settings.colour else np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)

    def pose(self, number: int, control: SceneControl) -> Homography:
        """The truth for a registration: maps pixels of frame `number` to pixels of the camera that nobody moved."""
        nudge = self._settings.nudge
        rng = np.random.default_rng((self._settings.seed, 2, number))
        draw = rng.standard_normal(4)
        shift = np.asarray(control.shift_px) + nudge.sigma_px * draw[:2]
        turn = control.rotation_deg + nudge.sigma_deg * draw[2]
        scale = control.scale * math.exp(nudge.sigma_scale * draw[3])
        if nudge.sudden_at is not None and number >= nudge.sudden_at:
            shift = shift + np.asarray(nudge.sudden_px)
            turn += nudge.sudden_deg
        centre = (np.asarray(self._settings.size_wh, np.float64) - 1) / 2
        cos, sin = scale * math.cos(math.radians(turn)), scale * math.sin(math.radians(turn))
        linear = np.array([[cos, -sin], [sin, cos]])
        matrix = np.eye(3)
        matrix[:2, :2] = linear
        matrix[:2, 2] = centre + shift - linear @ centre
        return np.asarray(matrix, np.float64)

    def _wave(self, number: int, periods: float, phase: int) -> float:
        return math.sin(2 * math.pi * periods * number / self._settings.drift_period_frames + self._phase[phase])

    def _scene(self, number: int, control: SceneControl) -> ImageU8:
        share = 0.5 + min(0.45, 2 * self._settings.drift) * self._wave(number, 0.61, 0)
        scene = np.asarray(cv2.addWeighted(self._left, 1 - share, self._right, share, 0), np.uint8)
        width, height = self._settings.size_wh
        for moving, (sprite, start, way) in zip(self._settings.moving, self._parts, strict=True):
            turn = number / moving.period_frames
            if moving.kind == "rotating":
                paste(scene, turned(sprite, 360 * turn), start)
            else:
                along = 0.5 - 0.5 * math.cos(2 * math.pi * turn)
                paste(scene, sprite, (start[0] + way * along, start[1]))
        for left in control.leftovers:
            place = (self._margin + left.x * (width - 1), self._margin + left.y * (height - 1))
            paste(scene, self._product(left.kind, left.size * width, left.angle_deg), place)
        return scene

    def _through_lens(self, scene: ImageU8, number: int, control: SceneControl) -> ImageU8:
        pose = self.pose(number, control)
        pose[:2, 2] += self._margin
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        seen = cv2.warpAffine(scene, pose[:2], self._settings.size_wh, flags=flags, borderMode=cv2.BORDER_REFLECT)
        gain = control.light * self._settings.brightness * (1 + self._settings.drift * self._wave(number, 1.0, 1))
        return np.asarray(cv2.convertScaleAbs(seen, alpha=gain, beta=0), np.uint8)

    def _with_noise(self, picture: ImageU8, number: int) -> ImageU8:
        if self._noise is None:
            return np.array(picture, np.uint8)
        # A fresh field of noise takes longer than the whole picture; a shifted window of one field looks the same.
        x, y = np.random.default_rng((self._settings.seed, 5, number)).integers(0, _NOISE_PLAY, 2)
        height, width = picture.shape[:2]
        window = (slice(y, y + height), slice(x, x + width))
        brighter = cv2.add(picture, self._noise[0][window])
        return np.asarray(cv2.subtract(brighter, self._noise[1][window]), np.uint8)

    def _noise_fields(self) -> tuple[ImageU8, ImageU8]:
        width, height = self._settings.size_wh
        rng = np.random.default_rng((self._settings.seed, 6))
        shape = (height + _NOISE_PLAY, width + _NOISE_PLAY, 3)
        noise = np.rint(rng.standard_normal(shape, np.float32) * self._settings.noise)
        return np.clip(noise, 0, 255).astype(np.uint8), np.clip(-noise, 0, 255).astype(np.uint8)

    def _covered(self) -> ImageU8:
        width, height = self._settings.size_wh
        x: NDArray[np.float32] = np.linspace(0.4, 1, width, dtype=np.float32)
        y: NDArray[np.float32] = np.linspace(1, 0.6, height, dtype=np.float32)[:, None]
        return np.asarray(np.clip((x * y)[..., None] * np.array((26, 15, 12), np.float32), 0, 255), np.uint8)

    def _part(self, moving: MovingPart) -> tuple[Sprite, tuple[float, float], float]:
        width, height = self._settings.size_wh
        x, y, w, h = (part * side for part, side in zip(moving.rect, (width, height, width, height), strict=True))
        # The shadow has to stay inside the rectangle too, or a mask over it would leave a moving edge.
        sprite = part(moving.kind, (max(3, round(w * 0.8)), max(3, round(h * 0.8))))
        middle = self._margin + y + h / 2
        if moving.kind == "rotating":
            return sprite, (self._margin + x + w / 2, middle), 0.0
        room = w * 0.9 - sprite.alpha.shape[1]
        return sprite, (self._margin + x + w * 0.05 + sprite.alpha.shape[1] / 2, middle), max(0.0, room)

    def _product(self, kind: str, length_px: float, angle_deg: float) -> Sprite:
        key = (kind, length_px, angle_deg)
        if key not in self._sprites:
            self._sprites[key] = turned(product(kind, length_px), angle_deg)
        return self._sprites[key]
