"""All views -> one Clearance: fit station, proven views, fresh frames, votes; never CLEAR while anything is unknown.

`open_clearances` gives a station its `Clearances`. docs/clearance.md says what they do and how a PLC reads them.
"""

from edge.clearance.assembly import Connections, open_clearances
from edge.clearance.base import Challenged, ClearanceSettings, PoolEntry, Snapshot
from edge.clearance.clearances import Clearances
from edge.clearance.describing import describe, describe_challenge, summarise_challenge
from edge.clearance.desk import Accepted, ClearanceBusy, ClearanceRefused, Handle
from edge.clearance.pool import FramePool
from edge.clearance.requests import ClearanceOrder, ClearanceRequest, ReviewOrder, read_order, read_review
from edge.clearance.review import Snapshots
from edge.clearance.sequence import Sequence

__all__ = [
    "Accepted",
    "Challenged",
    "ClearanceBusy",
    "ClearanceOrder",
    "ClearanceRefused",
    "ClearanceRequest",
    "ClearanceSettings",
    "Clearances",
    "Connections",
    "FramePool",
    "Handle",
    "PoolEntry",
    "ReviewOrder",
    "Sequence",
    "Snapshot",
    "Snapshots",
    "describe",
    "describe_challenge",
    "open_clearances",
    "read_order",
    "read_review",
    "summarise_challenge",
]
