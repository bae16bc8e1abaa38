"""Evidence on disk: what shows why each result is what it is, with retention by age and by free space.

`Archive` writes, in its own thread and never in the judge's way; `ArchiveReader` reads from any process, also meanwhile.
"""

from edge.archive.evidence import DOCUMENT, FRAME, MAP, OVERLAY, ArchiveError, Entry, Evidence, StoredMap
from edge.archive.export import Exported, batch_entries, export_batch, verify_export
from edge.archive.paging import ArchivePages, Fate, Gone, Sheet
from edge.archive.reader import ArchiveReader
from edge.archive.retention import Purge
from edge.archive.selecting import Place, Selection
from edge.archive.verifying import Finding, verify
from edge.archive.writer import Archive

__all__ = [
    "DOCUMENT",
    "FRAME",
    "MAP",
    "OVERLAY",
    "Archive",
    "ArchiveError",
    "ArchivePages",
    "ArchiveReader",
    "Entry",
    "Evidence",
    "Exported",
    "Fate",
    "Finding",
    "Gone",
    "Place",
    "Purge",
    "Selection",
    "Sheet",
    "StoredMap",
    "batch_entries",
    "export_batch",
    "verify",
    "verify_export",
]
