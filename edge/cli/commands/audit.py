"""`lineclear audit`: prove that the audit log is whole, and read it."""

from __future__ import annotations

import argparse
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.audit import Entry, Verified

SUMMARY = "verify or show the log of changes"

DESCRIPTION = """\
The audit log: who changed what, when, why, from what to what. Each entry carries the hash of the one before.

verify  walks the whole chain and names every entry that was changed, removed, reordered or cut off. That the end was cut off
        shows only against an anchor: a number and hash that the station told earlier, in the health topic (audit.anchor) or
        by this command. Keep anchors where nobody can change them together with the log.
show    prints entries, oldest first.

Both may run while the station runs. Nothing is changed.
"""

EPILOG = """\
exit status:
  0  every entry is as it was written
  1  findings, one line each
  3  bad use: no audit log there, or what is no anchor

examples:
  lineclear audit verify /etc/lineclear/feeder.yaml
  lineclear audit verify /mnt/backup/audit --anchor 1742:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
  lineclear audit show station.yaml --last 20 --action threshold
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="verify|show", help="what to do")
    verify = actions.add_parser("verify", help="prove that nothing was changed", description=DESCRIPTION, epilog=EPILOG)
    verify.add_argument("--anchor", metavar="N:HASH", help="an entry that was known earlier and must still be there")
    show = actions.add_parser("show", help="print entries", description=DESCRIPTION, epilog=EPILOG)
    show.add_argument("--last", type=_count, metavar="N", help="only the last N of those that match")
    show.add_argument("--action", dest="what", metavar="A", help="only these changes: threshold, mask, recipe, start, ...")
    show.add_argument("--who", metavar="NAME", help="only what this person or part did")
    show.add_argument("--subject", metavar="S", help="only what was done to this, such as a view")
    for command in (verify, show):
        command.add_argument("place", type=Path, metavar="CONFIG|FOLDER", help="the station's YAML file, or the log's folder")
        command.add_argument("--json", action="store_true", help="JSON: one document, or one entry per line")


def run(args: argparse.Namespace) -> int:
    """Its exit status."""
    folder = audit_folder(args.place)
    return _verify(folder, args.anchor, args.json) if args.action == "verify" else _show(folder, args)


def audit_folder(place: Path) -> Path:
    """The log's folder: `place` itself, `audit` in it, or where this config says. Raises ConfigError."""
    if place.is_dir():
        return place / "audit" if (place / "audit").is_dir() else place
    from edge.config import load_config

    config = load_config(place)
    return config.audit.folder(Path(config.state_dir))


def _verify(folder: Path, anchor: str | None, as_json: bool) -> int:
    from edge.audit import Anchor, verify
    from edge.cli.terminal import say, say_json

    found = verify(folder, Anchor.parse(anchor) if anchor is not None else None)
    if as_json:
        say_json(_document(found))
    else:
        for finding in found.findings:
            say(f"{finding}\n")
        repairs = f", {len(found.repairs)} repaired ends" if found.repairs else ""
        word = "sound" if found.sound else f"{len(found.findings)} findings"
        say(f"{word}: {found.entries} entries in {found.files} files{repairs}\n")
        say(f"anchor: {found.head or 'none'}\n")
    return 0 if found.sound else 1


def _document(found: Verified) -> dict[str, Any]:
    return {
        "sound": found.sound,
        "entries": found.entries,
        "files": found.files,
        "anchor": str(found.head) if found.head is not None else None,
        "findings": [vars(finding) for finding in found.findings],
        "repairs": [entry.document() for entry in found.repairs],
    }


def _show(folder: Path, args: argparse.Namespace) -> int:
    from edge.audit import Action, entries
    from edge.cli.terminal import say, say_json
    from edge.errors import ConfigError

    known = [action.value for action in Action]
    if args.what is not None and args.what not in known:
        raise ConfigError(f"{args.what[:80]!r} is no action", where="--action", remedy="one of " + ", ".join(known))

    def matches(entry: Entry) -> bool:
        given = ((args.what, entry.action.value), (args.who, entry.who), (args.subject, entry.subject))
        return all(wanted is None or wanted == value for wanted, value in given)

    for entry in deque((entry for entry in entries(folder) if matches(entry)), args.last):
        if not (say_json(entry.document()) if args.json else say(_line(entry))):
            break
    return 0


def _line(entry: Entry) -> str:
    import json

    from edge.cli.terminal import one_line

    change = f": {json.dumps(entry.before)} -> {json.dumps(entry.after)}" if (entry.before, entry.after) != (None, None) else ""
    why = f" ({entry.why})" if entry.why else ""
    head = f"{entry.sequence:6d}  {entry.at:%Y-%m-%d %H:%M:%S}Z  {entry.who}  {entry.action.value} {entry.subject}"
    return one_line(head + change + why) + "\n"


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of entries: write such as 20")
    return int(text)
