"""`lineclear-calibrate preview`: what a new card would have changed."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from edge.cli.terminal import one_line, say, say_json
from edge.errors import ConfigError

if TYPE_CHECKING:
    from calibration.preview import Preview
    from calibration.station import Setting
    from edge.recipe import Recipe, ThresholdCard

SUMMARY = "a new card replayed over the archive before it is accepted"
WHERE = "lineclear-calibrate preview"
SHOWN = 30

DESCRIPTION = """\
Replay the archived verdicts of a view with a card that is not in force yet, and list those that would be another verdict,
with their overlays. Nothing of the recipe is changed.

The card: --card FILE, or --method with --images (as `thresholds` takes it, with the same parameters, but not saved), or
--version N of the recipe (with its masks and score rule), or the recipe's own card. Where only thresholds differ the stored
scores decide, exactly; where masks or score rule differ, the stored maps or frames; where bundle, reference, registration or
engine differ, the stored frames. What could not be replayed is counted by reason.

exit status: 0 done, 3 bad use
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    from calibration.commands.thresholds import add_parameters

    kinds = ("max", "quantile", "sigma", "conformal", "extreme", "cost")
    parser.add_argument("--recipe", required=True, type=Path, metavar="RECIPE")
    parser.add_argument("--config", type=Path, metavar="CONFIG", help="the station's config: its archive, engine and camera")
    parser.add_argument("--archive", type=Path, metavar="DIR", help="an archive's folder")
    parser.add_argument("--days", type=float, metavar="N", help="only the last N days (default: all there is)")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--card", type=Path, metavar="FILE", help="the new card, a card.json")
    which.add_argument("--method", choices=kinds, help="take it from --images")
    which.add_argument("--version", type=int, metavar="N", help="a version of the recipe with its card, masks and score rule")
    parser.add_argument("--images", type=Path, metavar="DIR", help="good frames for --method")
    parser.add_argument("--bad", type=Path, metavar="DIR", help="bad frames for --method; cost needs them")
    add_parameters(parser)
    parser.add_argument("--threads", type=int, metavar="N", help="engine threads (default 2, or what --config says)")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="a new folder for preview.json and overlays")
    parser.add_argument("--json", action="store_true", help="the result as one line of JSON")


def run(args: argparse.Namespace) -> int:
    """Replay, and say what would change."""
    from calibration.drift.gathering import archive_of
    from calibration.preview import candidate_of, preview
    from calibration.station import setting
    from edge.archive import ArchiveReader
    from edge.cli.progress import Meter
    from edge.recipe import load_recipe

    if (args.config is None) == (args.archive is None):
        raise ConfigError("give either --config or --archive", where=WHERE, remedy="see --help")
    if args.days is not None and not 0 < args.days < 36_500:
        raise ConfigError(f"must be above 0, got {args.days:g}", where="--days", remedy="write the number of days")
    recipe = load_recipe(args.recipe, args.version)
    place = setting(args.config, args.threads, WHERE)
    card = _card(args, recipe, place)
    candidate = recipe if card is None else candidate_of(recipe, card)
    camera_hash = place.camera_hash(args.recipe)
    since = None if args.days is None else datetime.now(timezone.utc) - timedelta(days=args.days)
    reader = ArchiveReader(args.archive or archive_of(args.config))
    with Meter("replaying") as meter:
        made = preview(
            reader,
            candidate,
            open_engine=place.open_engine,
            since=since,
            out=args.out,
            camera_hash=camera_hash,
            progress=meter,
        )
    if args.json:
        say_json(made.document())
    else:
        say(describe(made))
    return 0


def describe(made: Preview) -> str:
    """What a technician reads."""
    from calibration.preview import RUNGS

    lines = []
    for change in made.changes[:SHOWN]:
        score = "no score" if change.after.score is None else f"score {change.after.score:.4g}"
        limit = "" if change.after.threshold is None else f" against {change.after.threshold:.4g}"
        sure = ", too close to tell" if change.close else ", approximate" if change.approximate else ""
        picture = f", {change.overlay}" if change.overlay else ""
        when = change.decided_at.strftime("%Y-%m-%d %H:%M:%S")
        lines.append(f"{change.transition}  {when}  {change.result_id}  {score}{limit}{sure}{picture}")
    if len(made.changes) > SHOWN:
        lines.append(f"{len(made.changes) - SHOWN} more, see {made.folder}/preview.json")
    lines += [f"not replayed: {count} ({why})" for why, count in sorted(made.not_replayed.items())]
    lines += [f"{count} by {rung}: {RUNGS[rung]}" for rung, count in made.rungs.items() if rung in RUNGS]
    if made.approximate:
        lines.append(f"{made.approximate} are approximate: masks guide the registration too, and no frame is stored")
    if made.close:
        lines.append(f"{len(made.close)} are too close to the threshold to tell from the stored maps")
    told = ", ".join(f"{count} {kind}" for kind, count in made.transitions.items()) or "none"
    lines.append(f"{made.found} verdicts of view {made.view}: {made.unchanged} as they were; changed: {told}")
    return "".join(one_line(line) + "\n" for line in lines)


def _card(args: argparse.Namespace, recipe: Recipe, place: Setting) -> ThresholdCard | None:
    """The candidate; None: the one that the loaded version has."""
    from calibration.commands.thresholds import method_of
    from calibration.preview import measured_card, read_card
    from edge.cli.progress import Meter

    if (args.method is None) != (args.images is None):
        raise ConfigError("--method and --images belong together", where=WHERE, remedy="give both or none")
    if args.card is not None:
        return read_card(args.card)
    if args.method is None:
        return None
    method = method_of(args, args.method, WHERE)
    camera_hash = place.camera_hash(args.recipe)
    with Meter("measuring") as meter:
        return measured_card(recipe, args.images, method, place.open_engine, camera_hash, meter, bad_folder=args.bad)
