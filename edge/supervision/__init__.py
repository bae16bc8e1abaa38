"""Is every part of the station getting on with its work? Signs of progress, systemd, and a bounded end where one hangs."""

from edge.supervision.arenas import bound_arenas
from edge.supervision.bomb import Bomb
from edge.supervision.notify import Notifier
from edge.supervision.pulse import BUILDING, ENGINE, OPENING, Late, Pulse, Pulses
from edge.supervision.restarts import Restarts
from edge.supervision.supervisor import HUNG, Supervisor

__all__ = [
    "BUILDING", "ENGINE", "HUNG", "OPENING", "Bomb", "Late", "Notifier", "Pulse", "Pulses", "Restarts", "Supervisor",
    "bound_arenas",
]  # fmt: skip
