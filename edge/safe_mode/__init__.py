"""A config that cannot be used leaves no silent box: the last good one, kept, and a station that answers but judges nothing."""

from edge.safe_mode.last_good import Kept, LastGood
from edge.safe_mode.seats import SafeSeats
from edge.safe_mode.watching import ConfigWatch, Proving

__all__ = ["ConfigWatch", "Kept", "LastGood", "Proving", "SafeSeats"]
