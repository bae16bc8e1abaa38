"""The report of a batch that a quality person signs: every clearance, its pictures, what is missing."""

from edge.batch_report.content import BatchContent, gather
from edge.batch_report.pictures import Limits
from edge.batch_report.rendering import check_pdf, html_report, pdf_report

__all__ = ["BatchContent", "Limits", "check_pdf", "gather", "html_report", "pdf_report"]
