"""The audit log: who changed what, when and why, in a chain of hashes that a command can verify.

Append-only lines of JSON, on the disk before a change is made. What cannot be audited must not be changed.
"""

from edge.audit.entry import Action, Anchor, AuditError, Entry, EntryRefused
from edge.audit.log import AuditLog
from edge.audit.verifying import Finding, Verified, entries, verify

__all__ = ["Action", "Anchor", "AuditError", "AuditLog", "Entry", "EntryRefused", "Finding", "Verified", "entries", "verify"]
