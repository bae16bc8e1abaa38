"""`lineclear-calibrate drift`: whether the thresholds still fit the line."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.terminal import BAD_USE, one_line, say, say_json
from edge.errors import ConfigError

if TYPE_CHECKING:
    from calibration.drift import DriftReport, Readings
    from calibration.drift.readings import Span
    from edge.recipe import Recipe

SUMMARY = "do the thresholds still fit? is the camera moving, getting dark or soft?"
STATUS = {"ok": 0, "act": 1, "unknown": 2}

DESCRIPTION = """\
Hold recent frames against what the recipe's card and reference were made from: the scores (Kolmogorov-Smirnov and population
stability index, over the whole time and by day, corrected for the number of days), the alignment (does the camera creep, did
it jump), and where frames are kept their light and focus. Says what to do, with the evidence.

Frames come from the station's archive (--config or --archive), from results that were written down (--results: one JSON
document a line), or from a folder (--images). docs/drift.md explains the tests and their limits.

With --config and --all, every view of the station with the product that is in force; --keep leaves the outcome in
STATE_DIR/checks/drift.json for the station and its alarms. That is what the timer lineclear-drift@ runs.

exit status: 0 nothing to do, 1 something to do, 2 too little data to say, 3 bad use, or a view that cannot be looked at
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--recipe", type=Path, metavar="RECIPE", help="the recipe of one view")
    parser.add_argument("--all", action="store_true", help="every view of --config, with the product in force")
    parser.add_argument("--keep", action="store_true", help="with --all: keep the outcome for the station and its alarms")
    parser.add_argument("--config", type=Path, metavar="CONFIG", help="the station's config: its archive is read")
    parser.add_argument("--archive", type=Path, metavar="DIR", help="an archive's folder")
    parser.add_argument("--results", type=Path, metavar="FILE", help="published results, one JSON document a line")
    parser.add_argument("--images", type=Path, metavar="DIR", help="a folder of frames in the order of time")
    parser.add_argument("--days", type=float, metavar="N", help="only the last N days (default: all there is)")
    parser.add_argument(
        "--time-format", default="", metavar="F", help="how file names of --images begin, as strptime has it, in UTC"
    )
    parser.add_argument("--group", type=int, default=10, metavar="N", help="frames in a group without times (default 10)")
    parser.add_argument("--threads", type=int, metavar="N", help="engine threads for --images (default 2)")
    parser.add_argument("--json", action="store_true", help="the result as one line of JSON, with figures for health")


def run(args: argparse.Namespace) -> int:
    """Look, and say what is to be done."""
    from calibration.drift import DriftSettings, judge_drift
    from edge.recipe import load_recipe

    if args.all:
        return _run_all(args)
    if args.keep:
        raise ConfigError("goes with --all", where="--keep", remedy="write --config CONFIG --all --keep")
    if args.recipe is None:
        raise ConfigError("is missing", where="--recipe", remedy="name a recipe, or write --config CONFIG --all")
    recipe = load_recipe(args.recipe)
    report = judge_drift(_readings(args, recipe), recipe.card, recipe.view, DriftSettings())
    if args.json:
        say_json(document(report))
    else:
        say(describe(report))
    return STATUS[report.status]


def _run_all(args: argparse.Namespace) -> int:
    from calibration.drift.outcome import checkup_of
    from calibration.drift.settings import DriftSettings
    from calibration.drift.station import look_at_station
    from edge.checkup import write_checkup
    from edge.cli.progress import Meter
    from edge.config import load_config

    others = [name for name in ("recipe", "archive", "results", "images") if getattr(args, name) is not None]
    if args.config is None or others:
        raise ConfigError("goes with --config alone", where="--all", remedy="write --config CONFIG --all")
    config = load_config(args.config)
    with Meter("reading", quiet=args.json) as meter:
        views = look_at_station(config, _span(args), DriftSettings(), meter)
    checkup = checkup_of(views, datetime.now(timezone.utc))
    if args.keep:
        write_checkup(Path(config.state_dir), checkup)
    if args.json:
        documents = [document(drift.report) for drift in views if drift.report is not None]
        say_json({**checkup.document(), "views": documents})
    else:
        for drift in views:
            report = one_line(drift.summary()) + "\n" if drift.report is None else describe(drift.report)
            say(f"{drift.view}:\n{report}" if drift.report is not None else report)
    return {"ok": 0, "attention": 1, "unknown": 2, "failed": BAD_USE}[checkup.outcome.value]


def describe(report: DriftReport) -> str:
    """What a technician reads."""
    lines = [f"left out: {count} {why}" for why, count in sorted(report.left_out.items())]
    for day in report.days:
        what = f"{report.unit} {day.label}: {day.frames} frames, {day.judged} judged, {day.failed} failed"
        if day.comparison is not None and day.p is not None:
            found = day.comparison
            what += f", median {found.shift:+.1f} spreads, KS {found.ks:.2f}, PSI {found.psi:.2f}, p {day.p:.2g}"
        lines.append(what)
    lines += [f"cannot say: {why}" for why in report.unknown]
    lines += [str(finding) for finding in report.findings]
    if report.status == "ok":
        lines.append("nothing to do")
    return "".join(one_line(line) + "\n" for line in lines)


def document(report: DriftReport) -> dict[str, object]:
    """The report as JSON."""
    from dataclasses import asdict

    from calibration.drift import ADVICE

    return {
        "view": report.view,
        "status": report.status,
        "findings": [
            {"code": finding.code, "advice": ADVICE[finding.code], "evidence": finding.evidence} for finding in report.findings
        ],
        "unknown": list(report.unknown),
        "leftOut": report.left_out,
        "unit": report.unit,
        "days": [asdict(day) for day in report.days],
        "overall": asdict(report.overall) if report.overall else None,
        "passed": asdict(report.passed) if report.passed else None,
        "trends": {name: asdict(found) for name, found in report.trends.items()},
        "figures": report.figures(),
    }


def _readings(args: argparse.Namespace, recipe: Recipe) -> Readings:
    from calibration.drift import from_archive, from_folder, from_results
    from calibration.station import setting
    from edge.archive import ArchiveReader
    from edge.cameras.folder import good_images
    from edge.cli.progress import Meter

    where = "lineclear-calibrate drift"
    given = [name for name in ("config", "archive", "results", "images") if getattr(args, name) is not None]
    if len(given) != 1:
        raise ConfigError("give one of --config, --archive, --results, --images", where=where, remedy="see --help")
    span = _span(args)
    with Meter("reading") as meter:
        if args.images is not None:
            good_images(args.images)  # said before an engine is opened for nothing
            with setting(None, args.threads, where).open_engine(recipe.bundle) as engine:
                return from_folder(recipe, engine, args.images, span, args.time_format, meter)
        if args.results is not None:
            return from_results(args.results, recipe, span)
        folder = args.archive or archive_of(args.config)
        return from_archive(ArchiveReader(folder), recipe, span, progress=meter)


def _span(args: argparse.Namespace) -> Span:
    from calibration.drift.readings import Span

    if args.days is not None and not 0 < args.days < 36_500:
        raise ConfigError(f"must be above 0, got {args.days:g}", where="--days", remedy="write the number of days")
    if args.group < 1:
        raise ConfigError(f"must be at least 1, got {args.group}", where="--group", remedy="write the number of frames")
    since = None if args.days is None else datetime.now(timezone.utc) - timedelta(days=args.days)
    return Span(since, args.group)


def archive_of(config: Path) -> Path:
    """The folder of a station's archive. Raises ConfigError."""
    from edge.config import load_config
    from edge.settings.archive import ArchiveSettings

    loaded = load_config(config)
    settings: ArchiveSettings = getattr(loaded, "archive", None) or ArchiveSettings()
    return settings.folder(Path(loaded.state_dir))
