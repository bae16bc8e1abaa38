"""Setting a GenICam node map: check, set, read back, log the change, fail closed.

A node map is whatever offers `has_node(name)`, `nodes` and nodes as attributes, as genicam's does; so this module runs
without the vendor packages.
"""

from __future__ import annotations

import difflib
import logging
import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edge.cameras.producers import first_line
from edge.errors import CameraLost, CameraRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

Value = bool | int | float | str

# What cameras built before SFNC 2.0 call the same thing, in the same unit.
ALIASES = {
    "ExposureTime": ("ExposureTimeAbs",),
    "Gain": ("GainAbs",),
    "AcquisitionFrameRate": ("AcquisitionFrameRateAbs",),
    "AcquisitionFrameRateEnable": ("AcquisitionFrameRateEnabled",),
}
# Cameras round exposure and rate to their line time.
FLOAT_TOLERANCE = 0.01

_NOT_THERE = (0, 1)  # GenApi EAccessMode NI, NA
_WRITABLE = (2, 4)  # WO, RW
_READABLE = (3, 4)  # RO, RW
_REFUSALS = {
    "AccessException",
    "DynamicCastException",
    "InvalidArgumentException",
    "LogicalErrorException",
    "OutOfRangeException",
    "PropertyException",
}


class Features:
    """The features of one camera (or of its stream).

    where: how errors name it, such as `camera "40012345"`. errors: the vendor's exception types. Every method raises
    CameraRefused where the camera cannot do what is asked, and CameraLost where it does not answer.
    """

    def __init__(self, node_map: Any, where: str, errors: tuple[type[Exception], ...]) -> None:
        self._map = node_map
        self._where = where
        self._errors = errors
        self._kept: list[tuple[str, Any, Value]] = []

    def has(self, name: str) -> bool:
        """True if the node (or its older name) is there now."""
        return self._present(name) is not None

    def read(self, name: str) -> Value | None:
        """The node's value; None if it is not there or cannot be read."""
        node = self._present(name)
        if node is None:
            return None
        with self._answering(name):
            return self._value(node)

    def entries(self, name: str) -> tuple[str, ...]:
        """The words that an enumeration allows now; empty if the node is not there."""
        node = self._present(name)
        if node is None:
            return ()
        with self._answering(name):
            return _entries(node)

    def set(self, name: str, value: Value, *, required: bool = True, keep: bool = False) -> None:
        """Set one node and read it back; a command is executed.

        required false: a node that is not there or not writable is left alone. keep: `verify` checks it again.
        """
        node = self._present(name)
        if node is None:
            if required:
                raise self._absent(name)
            log.info("feature_absent where=%s name=%s", self._where, name)
            return
        with self._answering(name):
            if type(node).__name__ == "ICommand":
                self._execute(name, node, value)
                return
            wanted = self._checked(name, node, value)
            before = self._value(node)
            if node.get_access_mode() not in _WRITABLE:
                if before is not None and _same(before, wanted):
                    return
                if required:
                    raise self._refusal(
                        name,
                        f"is {before!r} and cannot be changed",
                        "what locks it (an Auto mode, a trigger)? turn that off first",
                    )
                log.warning("feature_locked where=%s name=%s value=%r wanted=%r", self._where, name, before, wanted)
                return
            node.value = wanted
            after = self._value(node)
            slack = _slack(node)
        self._compare(name, wanted, after, slack, "the camera took")
        level = logging.DEBUG if before == after else logging.INFO
        log.log(level, "feature_set where=%s name=%s before=%r after=%r", self._where, name, before, after)
        if keep:
            self._kept.append((name, node, wanted))

    def set_if_there(self, name: str, value: Value) -> None:
        """Set one node if the camera has it; where it has, it must take the value."""
        if self.has(name):
            self.set(name, value)

    def execute(self, name: str) -> None:
        """Execute one command."""
        self.set(name, True)

    def verify(self) -> None:
        """Read again all that was set with `keep`: a later setting may have changed an earlier one."""
        for name, node, wanted in self._kept:
            with self._answering(name):
                now, slack = self._value(node), _slack(node)
            self._compare(name, wanted, now, slack, "another setting then made it")

    def _execute(self, name: str, node: Any, value: Value) -> None:
        if value is not True:
            raise self._refusal(name, f"is a command and takes no value (got {value!r})", "write value: true or leave it out")
        if node.get_access_mode() not in _WRITABLE:
            raise self._refusal(name, "cannot be executed now", "check the settings before it")
        node.execute()
        log.debug("feature_executed where=%s name=%s", self._where, name)

    def _checked(self, name: str, node: Any, value: Value) -> Value:
        kind = type(node).__name__
        if kind == "IEnumeration":
            return self._checked_entry(name, node, value)
        if kind in ("IInteger", "IFloat"):
            return self._checked_number(name, node, value, whole=kind == "IInteger")
        if kind == "IBoolean" and isinstance(value, bool):
            return value
        if kind == "IString" and isinstance(value, str):
            return value
        wanted = {"IBoolean": "true or false", "IString": "text in quotes"}.get(kind)
        if wanted is None:
            raise self._refusal(name, f"cannot be set, it is of type {kind}", "remove it")
        raise self._refusal(name, f"does not take {value!r}", f"write {wanted}")

    def _checked_entry(self, name: str, node: Any, value: Value) -> str:
        allowed = _entries(node)
        if isinstance(value, bool):  # YAML reads On and Off as true and false
            value = "On" if value else "Off"
        if value not in allowed:
            raise self._refusal(name, f"does not take {value!r}", f"allowed: {', '.join(allowed) or 'nothing now'}")
        return str(value)

    def _checked_number(self, name: str, node: Any, value: Value, *, whole: bool) -> int | float:
        if isinstance(value, (bool, str)) or not math.isfinite(value) or (whole and value != int(value)):
            raise self._refusal(name, f"does not take {value!r}", f"write a {'whole ' if whole else ''}number")
        number = int(value) if whole else float(value)
        low, high = node.min, node.max
        step = int(node.inc) if whole else 0
        if not low <= number <= high or (step > 1 and (number - low) % step):
            steps = f" in steps of {step}" if step > 1 else ""
            raise self._refusal(name, f"does not take {number:g}", f"allowed: {low:g} to {high:g}{steps}")
        return number

    def _compare(self, name: str, wanted: Value, got: Value | None, slack: float, how: str) -> None:
        if got is not None and not _same(got, wanted, slack):
            raise self._refusal(name, f"{wanted!r} was asked for, {how} {got!r}", "ask for a value that the camera can keep")

    def _present(self, name: str) -> Any:
        with self._answering(name):
            for known in (name, *ALIASES.get(name, ())):
                if self._map.has_node(known):
                    node = getattr(self._map, known)
                    if node.get_access_mode() not in _NOT_THERE:
                        return node
        return None

    def _value(self, node: Any) -> Value | None:
        value: Value | None = node.value if node.get_access_mode() in _READABLE else None
        return value

    def _absent(self, name: str) -> CameraRefused:
        with self._answering(name):
            names = [str(node.node.name) for node in self._map.nodes]
        if name in names:
            return self._refusal(name, "is not available now", "set first what makes it available (a selector, an enable)")
        near = difflib.get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}?" if near else "see the camera's manual for its features"
        return self._refusal(name, "the camera has no such feature", hint)

    def _refusal(self, name: str, message: str, remedy: str) -> CameraRefused:
        return CameraRefused(f"{name}: {message}", where=self._where, remedy=remedy)

    @contextmanager
    def _answering(self, name: str) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            text = first_line(error)
            if type(error).__name__ in _REFUSALS:
                raise self._refusal(name, f"refused ({text})", "see the camera's manual for this feature") from error
            raise CameraLost(
                f"{name}: no answer ({text})", where=self._where, remedy="check the camera's cable and power"
            ) from error


def _entries(node: Any) -> tuple[str, ...]:
    return tuple(str(entry.symbolic) for entry in node.entries if entry.get_access_mode() not in _NOT_THERE)


def _slack(node: Any) -> float:
    # A camera may state any increment, also a negative one.
    return max(0.0, float(node.inc)) if type(node).__name__ == "IFloat" and node.has_inc() else 1e-9


def _same(got: Value, wanted: Value, slack: float = 1e-9) -> bool:
    if isinstance(got, float) and isinstance(wanted, (int, float)):
        return math.isclose(got, wanted, rel_tol=FLOAT_TOLERANCE, abs_tol=slack)
    return got == wanted
