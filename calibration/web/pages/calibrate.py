"""Calibrate: every page of the wizard."""

from __future__ import annotations

from fastapi import APIRouter

from calibration.web.pages import (
    calibrate_accept,
    calibrate_begin,
    calibrate_frames,
    calibrate_model,
    calibrate_pictures,
    calibrate_proof,
    calibrate_thresholds,
)

router = APIRouter()

for part in (
    calibrate_begin, calibrate_frames, calibrate_model, calibrate_thresholds, calibrate_proof, calibrate_accept,
    calibrate_pictures,
):  # fmt: skip
    router.include_router(part.router)
