"""Reports of evaluations: one self-contained page, JSON and CSV, written whole or not at all."""

from calibration.report.document import comparison_document, evaluation_document, sweep_document
from calibration.report.folder import check_folder
from calibration.report.text import comparison_text, evaluation_text, sweep_text
from calibration.report.writing import write_comparison, write_evaluation, write_sweep

__all__ = [
    "check_folder",
    "comparison_document",
    "comparison_text",
    "evaluation_document",
    "evaluation_text",
    "sweep_document",
    "sweep_text",
    "write_comparison",
    "write_evaluation",
    "write_sweep",
]
