"""Preview: a new card, masks or score rule replayed over archived verdicts before it is accepted."""

from calibration.preview.candidates import measured_card, read_card
from calibration.preview.previewing import candidate_of, preview
from calibration.preview.results import RUNGS, Preview, Replayed

__all__ = ["RUNGS", "Preview", "Replayed", "candidate_of", "measured_card", "preview", "read_card"]
