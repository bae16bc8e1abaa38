"""A process that appends to an audit log: folder, who, how many, max_file_bytes. It prints each anchor."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from edge.audit import Action, AuditLog
from edge.settings.audit import AuditSettings

folder, who, count, max_file_bytes = sys.argv[1:]
log = AuditLog(Path(folder), AuditSettings(max_file_bytes=int(max_file_bytes)))
for number in range(int(count)):
    anchor = log.append(Action.COMMAND, who=who, subject="front", after=number).anchor
    sys.stdout.write(f"{anchor}\n")
    sys.stdout.flush()
