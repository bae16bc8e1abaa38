"""Where the readings come from, as the command line says it."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta, timezone
from pathlib import Path

from calibration.drift import Readings, from_archive, from_folder, from_results
from calibration.drift.readings import Span
from calibration.station import setting
from edge.archive import ArchiveReader
from edge.cameras.folder import good_images
from edge.cli.progress import Meter
from edge.config import load_config
from edge.errors import ConfigError
from edge.recipe import Recipe
from edge.settings.archive import ArchiveSettings


def span_of(args: argparse.Namespace) -> Span:
    """--days and --group. Raises ConfigError."""
    if args.days is not None and not 0 < args.days < 36_500:
        raise ConfigError(f"must be above 0, got {args.days:g}", where="--days", remedy="write the number of days")
    if args.group < 1:
        raise ConfigError(f"must be at least 1, got {args.group}", where="--group", remedy="write the number of frames")
    since = None if args.days is None else datetime.now(timezone.utc) - timedelta(days=args.days)
    return Span(since, args.group)


def archive_of(config: Path) -> Path:
    """The folder of a station's archive. Raises ConfigError."""
    loaded = load_config(config)
    settings: ArchiveSettings = getattr(loaded, "archive", None) or ArchiveSettings()
    return settings.folder(Path(loaded.state_dir))


def readings_of(args: argparse.Namespace, recipe: Recipe) -> Readings:
    """From where the command line says. Raises ConfigError, FrameError, EngineFault."""
    where = "lineclear-calibrate drift"
    given = [name for name in ("config", "archive", "results", "images") if getattr(args, name) is not None]
    if len(given) != 1:
        raise ConfigError("give one of --config, --archive, --results, --images", where=where, remedy="see --help")
    span = span_of(args)
    with Meter("reading") as meter:
        if args.images is not None:
            good_images(args.images)  # said before an engine is opened for nothing
            with setting(None, args.threads, where).open_engine(recipe.bundle) as engine:
                return from_folder(recipe, engine, args.images, span, args.time_format, meter)
        if args.results is not None:
            return from_results(args.results, recipe, span)
        folder = args.archive or archive_of(args.config)
        return from_archive(ArchiveReader(folder), recipe, span, progress=meter)
