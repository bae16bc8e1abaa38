"""Errors, worded for the person in front of the machine: what happened, where, what to do.

    LineclearError
    ├── ConfigError        a file that a person wrote: configs, masks, command-line values (exit 3)
    ├── BundleError        a bundle that is damaged, forged, or not what its manifest says
    ├── RecipeError        a recipe or threshold card that is missing, half-written or for something else
    ├── FrameError         one frame that cannot be judged: unreadable, wrong size, wrong type
    ├── DeviceError        hardware or what stands for it
    │   ├── CameraLost     the camera does not answer, stalled or was unplugged: respawn it
    │   ├── CameraRefused  the camera answers, but not as the config demands: only a person can mend it
    │   └── EngineFault    the engine raised, or gave something that is no anomaly map
    ├── OutboxError        a result could not be made durable
    │   └── ResultConflict the outbox holds this result already, with other contents
    ├── StationBusy        another process holds this station's state folder
    └── Cancelled          a person stopped long work; nothing was changed

Each carries `message`, and where it helps `where` (file, key, camera serial, topic) and `remedy`; `str()` is one line.
"""

from __future__ import annotations


class LineclearError(Exception):
    """Base of every error that lineclear raises on purpose.

    `str(error)` is one readable line: `where: message: remedy`.
    """

    def __init__(self, message: str, *, where: str = "", remedy: str = "") -> None:
        self.message = message
        self.where = where
        self.remedy = remedy
        super().__init__(": ".join(part for part in (where, message, remedy) if part))

    def __reduce__(self) -> tuple[object, ...]:
        """Keep keyword fields when the error crosses a process boundary (camera child -> station)."""
        return (_rebuild, (type(self), self.message, self.where, self.remedy))


def _rebuild(kind: type[LineclearError], message: str, where: str, remedy: str) -> LineclearError:
    return kind(message, where=where, remedy=remedy)


class ConfigError(LineclearError):
    """One or more things are wrong in a file that a person wrote; `problems` has a line for each."""

    def __init__(self, message: str, *, where: str = "", remedy: str = "", problems: tuple[str, ...] = ()) -> None:
        super().__init__(message, where=where, remedy=remedy)
        self.problems = problems or (str(self),)

    def __reduce__(self) -> tuple[object, ...]:
        """Keep every problem when pickled."""
        return (_rebuild_config, (self.message, self.where, self.remedy, self.problems))


def _rebuild_config(message: str, where: str, remedy: str, problems: tuple[str, ...]) -> ConfigError:
    return ConfigError(message, where=where, remedy=remedy, problems=problems)


class BundleError(LineclearError):
    """A bundle that must not be loaded."""


class RecipeError(LineclearError):
    """A recipe that must not be used."""


class FrameError(LineclearError):
    """One image that cannot be judged; the station goes on with the next."""


class DeviceError(LineclearError):
    """Hardware, or what stands for it."""


class CameraLost(DeviceError):
    """The camera stopped answering; a new process may bring it back."""


class CameraRefused(DeviceError):
    """The camera answers but cannot do what the config demands (feature, pixel format, serial)."""


class EngineFault(DeviceError):
    """The engine raised or gave something that is no anomaly map."""


class OutboxError(LineclearError):
    """A result could not be made durable; it must not be announced."""


class ResultConflict(OutboxError):
    """The outbox holds this result already, with other contents; what it holds stands."""


class StationBusy(LineclearError):
    """Another process already runs this station."""


class Cancelled(LineclearError):
    """A person stopped long work half-way; nothing of it stays."""
