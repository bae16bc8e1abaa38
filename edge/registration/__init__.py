"""Bringing a frame onto its reference, with the evidence that it can be trusted; pure, no I/O."""

from edge.registration.aligning import align
from edge.registration.reference import Reference
from edge.registration.resampling import register, resize, scaling
from edge.registration.warping import covered, warp

__all__ = ["Reference", "align", "covered", "register", "resize", "scaling", "warp"]
