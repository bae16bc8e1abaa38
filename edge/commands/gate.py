"""Whether a message is done: signature, right, freshness, order, and whether it was done before. It never does anything."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from edge.commands.base import Order
from edge.commands.canonical import canonical
from edge.commands.envelope import Letter, command_of
from edge.commands.ledger import Known, Ledger
from edge.commands.orders import COMMANDS, Command
from edge.commands.refusals import Refused
from edge.commands.signing import KeyFile, is_signed_by
from edge.errors import ConfigError
from edge.settings.commands import CommandSettings


@dataclass(frozen=True)
class Admitted:
    """A command that may be done. known: it was taken before, so it is answered, not done."""

    order: Order
    fingerprint: str
    known: Known | None


class Gate:
    """Looks at messages, one thread at a time. root: the station's topic."""

    def __init__(self, settings: CommandSettings, root: str, ledger: Ledger, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._root = root
        self._ledger = ledger
        self._now = now
        self._keys = KeyFile(settings.keys_file) if settings.keys_file is not None else None

    def admit(self, letter: Letter, *, retained: bool = False) -> Admitted:
        """The command in it, or Refused. Whoever it is from is proven before anything of it is answered."""
        if retained:
            remedy = "send commands without the retain flag; clear this one with an empty retained message"
            raise Refused("retained", "the broker kept this command from earlier, so nobody asks now", remedy=remedy)
        if letter.problem is not None:
            raise letter.problem
        command = command_of(letter)
        self._prove(letter, command)
        rights = self._settings.rights_of(command.client)
        self._check_right(letter.name, command, rights)
        fingerprint = fingerprint_of(letter.name, letter.data)
        known = self._ledger.find(command.client, command.request_id)
        if known is not None and known.fingerprint != fingerprint:
            message = f"request_id {command.request_id!r} was used for another command"
            raise Refused("request_id_used", message, remedy="use a new one for each command")
        self._check_time(command, known)
        order = Order(letter.name, command, may_release="release" in rights)
        return Admitted(order, fingerprint, known)

    def _prove(self, letter: Letter, command: Command) -> None:
        needed = self._settings.signatures
        must = needed == "always" or (needed == "acting" and COMMANDS[letter.name].acts)
        if command.signature is None:
            if must:
                raise Refused("unsigned", "this station takes only signed commands", remedy="sign it: docs/commands.md")
            return
        try:
            key = self._keys.key_of(command.client) if self._keys is not None else None
        except ConfigError as error:
            raise Refused("bad_signature", f"the station cannot read its keys: {error}") from None
        # The same words for a missing key and a wrong signature: nobody learns here who has a key.
        if key is None or not is_signed_by(letter.data, f"{self._root}/cmd/{letter.name}", key):
            remedy = "check key, topic and canonical form: docs/commands.md"
            raise Refused("bad_signature", f"the signature is not that of client {command.client!r}", remedy=remedy)

    def _check_right(self, name: str, command: Command, rights: frozenset[str]) -> None:
        missing = name if name not in rights else ""
        if not missing and getattr(command, "action", "") == "false_alarm" and "release" not in rights:
            missing = "release"
        if not missing and getattr(command, "card", None) is not None and "card" not in rights:
            missing = "card"
        if missing:
            remedy = "commands.rights of the station's configuration gives rights"
            raise Refused("no_right", f"client {command.client!r} has not the right {missing!r}", remedy=remedy)

    def _check_time(self, command: Command, known: Known | None) -> None:
        """Fresh by both clocks, and for a new command not from before what was already done for this client."""
        now, sent = self._now(), command.sent_at
        clocks = f"sent_at {_shown(sent)}, the station's clock says {_shown(now)}"
        remedy = "set both clocks (NTP), then send it anew"
        if sent - now > timedelta(seconds=self._settings.ahead_s):
            raise Refused("from_the_future", clocks, remedy=remedy)
        if now - sent > timedelta(seconds=self._settings.max_age_s):
            raise Refused("too_old", f"{clocks}: at most {self._settings.max_age_s:g} s old", remedy=remedy)
        latest = self._ledger.latest(command.client) if known is None else None
        if latest is not None and sent < latest:
            message = f"sent_at {_shown(sent)} is before {_shown(latest)}, that of a command already taken from this client"
            raise Refused("out_of_order", message, remedy="send commands in the order of their times, one program per client")


def fingerprint_of(name: str, data: Mapping[str, Any]) -> str:
    """SHA-256 of what is asked, without when and by which signature."""
    asked = {key: value for key, value in data.items() if key not in ("sent_at", "signature")}
    return hashlib.sha256(canonical([name, asked])).hexdigest()


def _shown(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
