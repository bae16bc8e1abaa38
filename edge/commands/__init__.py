"""What may be asked of a station over MQTT: with rights, signatures and replies. docs/commands.md.

`Commands` listens from before the publisher opens and does what is asked while it is `serving` its `Parts`.
"""

from edge.commands.adjusting import Eyes, camera_handlers
from edge.commands.asking import Clearing
from edge.commands.assembly import Commands, Parts
from edge.commands.changing import Selecting
from edge.commands.looking import Looking
from edge.commands.names import NAME_ALARM, new_instance
from edge.commands.snapshots import SnapshotPictures

__all__ = [
    "NAME_ALARM",
    "Clearing",
    "Commands",
    "Eyes",
    "Looking",
    "Parts",
    "Selecting",
    "SnapshotPictures",
    "camera_handlers",
    "new_instance",
]
