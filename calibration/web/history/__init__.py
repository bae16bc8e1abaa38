"""Looking back: what the archive holds, why each result is what it is, and what people say of it. No HTTP in here."""

from calibration.web.history.asking import MAX_TEXT, SPANS, Filter, read_filter, read_place
from calibration.web.history.batches import BatchZip, ExportError, export_for
from calibration.web.history.lists import as_csv, as_json_lines
from calibration.web.history.looking import COUNTED, Listing, Looker, look
from calibration.web.history.seeing import find, views_of
from calibration.web.history.telling import Told, told_of
from calibration.web.history.thumbnails import AT_ONCE, Thumbnail, Thumbnails, tag_of

__all__ = [
    "AT_ONCE",
    "COUNTED",
    "MAX_TEXT",
    "SPANS",
    "BatchZip",
    "ExportError",
    "Filter",
    "Listing",
    "Looker",
    "Thumbnail",
    "Thumbnails",
    "Told",
    "as_csv",
    "as_json_lines",
    "export_for",
    "find",
    "look",
    "read_filter",
    "read_place",
    "tag_of",
    "told_of",
    "views_of",
]
