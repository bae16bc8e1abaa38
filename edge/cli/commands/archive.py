"""`lineclear archive`: find, show, export and verify the evidence of results."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edge.archive import ArchiveReader, Entry, Finding

SUMMARY = "find, show, export or verify evidence"

DESCRIPTION = """\
The archive of evidence: frames as grabbed, overlays, anomaly maps and verdicts of every clearance, every FAIL and UNDECIDED,
and a sample of PASS.

list    results, newest first, by view, batch, product, outcome, time
show    one result: what is known of it and where its files are
export  all evidence of a batch as one zip with a report to sign (report.html) and the SHA-256 of every file in manifest.json
        and SHA256SUMS
verify  that every file is there as it was written; or that an exported zip is

All of them may run while the station runs. Nothing is changed; `verify --keep` writes its outcome beside the archive, into
STATE_DIR/checks, where the station finds it.
"""

EPILOG = """\
exit status:
  0  done; `verify`, `export`: all evidence is as it was written
  1  `verify`, `export`: some is gone or was changed, one line each; `show`: there is no such result
  3  bad use: no archive there, a time that cannot be read, a place that cannot be written

examples:
  lineclear archive list station.yaml --batch B4711 --outcome FAIL
  lineclear archive list station.yaml --since 2026-11-22T06:00 --limit 20 --json | jq -r .files.frame
  lineclear archive export station.yaml --batch B4711 --out B4711.zip --pdf
  lineclear archive verify B4711.zip
  lineclear archive verify station.yaml --keep       # what the timer lineclear-archive-verify@ runs
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|show|export|verify", help="what to do")
    place = "the station's YAML file, or the archive's folder"

    def action(name: str, summary: str, names: str = "CONFIG|FOLDER", meaning: str = place) -> argparse.ArgumentParser:
        command = actions.add_parser(name, help=summary, description=DESCRIPTION, epilog=EPILOG)
        command.add_argument("place", type=Path, metavar=names, help=meaning)
        command.add_argument("--json", action="store_true", help="JSON: one result or finding per line, or one document")
        return command

    found = action("list", "results that match all that is given")
    for name in ("view", "batch", "product", "outcome", "reason", "kind"):
        found.add_argument(f"--{name}", metavar=name[0].upper(), help=f"only this {name}")
    found.add_argument("--clearance", metavar="ID", help="only verdicts of this clearance")
    found.add_argument("--since", type=_moment, metavar="T", help="decided at or after this time, UTC unless it has a zone")
    found.add_argument("--until", type=_moment, metavar="T", help="decided before this time")
    found.add_argument("--limit", type=_count, default=100, metavar="N", help="at most so many (default 100)")
    action("show", "one result").add_argument("result_id", metavar="RESULT_ID", help="as `list` shows it")
    export = action("export", "all evidence of a batch in one zip")
    export.add_argument("--batch", required=True, metavar="B", help="the batch")
    export.add_argument("--out", required=True, type=Path, metavar="ZIP", help="the file to write; replaced if it is there")
    export.add_argument("--pdf", action="store_true", help="the report as report.pdf too; needs lineclear[pdf]")
    export.add_argument("--anchor", metavar="N:HASH", help="goes into the report: what `lineclear audit verify` printed")
    verify = action("verify", "that nothing was changed", "CONFIG|FOLDER|ZIP", f"{place}, or an exported zip")
    verify.add_argument("--keep", action="store_true", help="keep the outcome for the station and its alarms; needs CONFIG")


def run(args: argparse.Namespace) -> int:
    """Its exit status."""
    if args.action == "verify":
        return (_verify_and_keep if args.keep else _verify)(args.place, args.json)
    from edge.archive import ArchiveReader

    reader = ArchiveReader(archive_folder(args.place))
    return {"list": _list, "show": _show, "export": _export}[args.action](reader, args)


def archive_folder(place: Path) -> Path:
    """The archive's folder: `place` itself, `archive` in it, or where this config says. Raises ConfigError."""
    if place.is_dir():
        return place / "archive" if (place / "archive").is_dir() else place
    from edge.config import load_config

    config = load_config(place)
    return config.archive.folder(Path(config.state_dir))


def _list(reader: ArchiveReader, args: argparse.Namespace) -> int:
    from edge.cli.terminal import one_line, say, say_json

    asked = {name: getattr(args, name) for name in ("view", "batch", "product", "outcome", "reason", "kind", "since", "until")}
    for entry in reader.find(**asked, clearance_id=args.clearance, limit=args.limit):
        batch = f"  batch {entry.batch[:40]}" if entry.batch else ""
        what = f"{entry.view or entry.kind}  {entry.outcome}" + (f" ({entry.reason})" if entry.reason else "")
        line = one_line(f"{entry.decided_at:%Y-%m-%d %H:%M:%S}Z  {what}{batch}  {entry.result_id}")
        if not (say_json(_document(entry)) if args.json else say(line + "\n")):
            break
    return 0


def _show(reader: ArchiveReader, args: argparse.Namespace) -> int:
    from edge.cli.terminal import complain, one_line, say, say_json

    entry = reader.get(args.result_id)
    if entry is None:
        complain("lineclear archive", f"no evidence of result {args.result_id[:80]}: it was never kept, or was deleted by age")
        return 1
    document = _document(entry) | {"document": reader.document(entry)}
    if args.json:
        say_json(document)
        return 0
    for name, value in _document(entry).items():
        if value not in (None, "") and not isinstance(value, dict):
            say(one_line(f"{name:14s} {value}") + "\n")
    for role, path in document["files"].items():
        say(one_line(f"{role:14s} {path}") + "\n")
    return 0


def _export(reader: ArchiveReader, args: argparse.Namespace) -> int:
    from edge.archive import export_batch
    from edge.audit import Anchor
    from edge.batch_report import check_pdf, gather, html_report, pdf_report
    from edge.cli.progress import Meter
    from edge.cli.terminal import complain, one_line, say, say_json

    anchor = "" if args.anchor is None else str(Anchor.parse(args.anchor))
    if args.pdf:
        check_pdf()
    with Meter("reading", quiet=args.json) as meter:
        content = gather(reader, args.batch, progress=meter)
    report = {"report.html": html_report(content, anchor=anchor)}
    if args.pdf:
        report["report.pdf"] = pdf_report(content, anchor=anchor)
    with Meter("exporting", quiet=args.json) as meter:
        done = export_batch(reader, args.batch, args.out, extra_files=report, progress=meter)
    if done.results != content.results:
        complain(
            "lineclear archive", f"the batch changed while {args.out} was written, which its report does not show: export again"
        )
        return 1
    if args.json:
        findings = [vars(finding) for finding in done.findings]
        say_json({**vars(done), "path": str(done.path), "findings": findings})
        return 1 if findings else 0
    for finding in done.findings:
        say(one_line(f"{finding.file}: {finding.problem}") + "\n")
    say(one_line(f"{done.path}: {done.results} results, {done.files} files, {done.size_bytes} bytes") + "\n")
    say(f"SHA-256 of its manifest.json: {done.manifest_sha256}\n")
    return 1 if done.findings else 0


def _verify(place: Path, as_json: bool) -> int:
    from edge.archive import ArchiveReader, verify, verify_export
    from edge.cli.progress import Meter
    from edge.cli.terminal import one_line, say, say_json

    count = 0
    with Meter("verifying", quiet=as_json) as meter:
        is_export = place.is_file() and place.suffix.lower() == ".zip"
        for finding in verify_export(place) if is_export else verify(ArchiveReader(archive_folder(place)), meter):
            count += 1
            if not (say_json(vars(finding)) if as_json else say(one_line(f"{finding.file}: {finding.problem}") + "\n")):
                break
    if not as_json:
        say(f"{count} findings\n" if count else "sound\n")
    return 1 if count else 0


def _verify_and_keep(config_path: Path, as_json: bool) -> int:
    from edge.checkup import CheckupOutcome
    from edge.cli.progress import Meter
    from edge.cli.terminal import BAD_USE, complain, one_line, say, say_json
    from edge.cli.verifying import verify_and_keep

    def tell(finding: Finding) -> bool:
        return say_json(vars(finding)) if as_json else say(one_line(f"{finding.file}: {finding.problem}") + "\n")

    with Meter("verifying", quiet=as_json) as meter:
        checkup = verify_and_keep(config_path, meter, tell)
    if checkup.outcome is CheckupOutcome.FAILED:
        complain("lineclear archive", checkup.summary)
        return BAD_USE
    if not as_json:
        say(checkup.summary + "\n")
    return 1 if checkup.outcome is CheckupOutcome.ATTENTION else 0


def _document(entry: Entry) -> dict[str, Any]:
    """An entry as JSON; files with their whole paths."""
    fields = {name: value for name, value in vars(entry).items() if name not in ("folder", "files", "sha256", "size_bytes")}
    files = {role: str(entry.folder / name) for role, name in sorted(entry.files.items())}
    return {**fields, "decided_at": entry.decided_at.isoformat(), "files": files, "sha256": dict(entry.sha256)}


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no time: write such as 2026-11-22T06:00") from None


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text[:9]) <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of results: write such as 20")
    return int(text)
