"""Evidence on disk: what shows why each result is what it is, with retention by age and by free space.

`Archive` writes, in its own thread and never in the judge's way; `ArchiveReader` reads from any process, also meanwhile.
"""

from edge.archive.evidence import ArchiveError, Entry, Evidence, StoredMap
from edge.archive.export import Exported, batch_entries, export_batch, verify_export
from edge.archive.reader import ArchiveReader
from edge.archive.retention import Purge
from edge.archive.verifying import Finding, verify
from edge.archive.writer import Archive

__all__ = [
    "Archive",
    "ArchiveError",
    "ArchiveReader",
    "Entry",
    "Evidence",
    "Exported",
    "Finding",
    "Purge",
    "StoredMap",
    "batch_entries",
    "export_batch",
    "verify",
    "verify_export",
]
