"""`lineclear-calibrate drift --all`: every view of a station, for a person or for the timer."""

from __future__ import annotations

import argparse
from datetime import datetime, timezone
from pathlib import Path

from calibration.drift.gathering import span_of
from calibration.drift.outcome import checkup_of
from calibration.drift.settings import DriftSettings
from calibration.drift.station import look_at_station
from calibration.drift.telling import describe, document
from edge.checkup import write_checkup
from edge.cli.progress import Meter
from edge.cli.terminal import BAD_USE, one_line, say, say_json
from edge.config import load_config
from edge.errors import ConfigError


def run_all(args: argparse.Namespace) -> int:
    """Look at every view, say what was found, and keep it where --keep asks; the exit status. Raises ConfigError."""
    others = [name for name in ("recipe", "archive", "results", "images") if getattr(args, name) is not None]
    if args.config is None or others:
        raise ConfigError("goes with --config alone", where="--all", remedy="write --config CONFIG --all")
    config = load_config(args.config)
    with Meter("reading", quiet=args.json) as meter:
        views = look_at_station(config, span_of(args), DriftSettings(), meter)
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
