"""`lineclear-calibrate serve`: the technician's page."""

from __future__ import annotations

import argparse
from pathlib import Path

from edge.errors import ConfigError

SUMMARY = "the technician's page: see, clear, calibrate and mask from a browser"
NEEDED = ("fastapi", "uvicorn", "jinja2", "argon2", "multipart")

DESCRIPTION = """\
Serve the technician's page of a station, a process of its own beside `lineclear run`: it reads the archive and recipes, and
asks the station over MQTT. Whatever happens to it, the station goes on.

Settings stand in STATION.page.yaml beside the config (or --page): docs/page.md. Without the file the page listens on this
machine alone, http://127.0.0.1:8480. On the network it listens only with TLS, or behind a proxy that does TLS.

Where nobody can sign in yet, a one-time code for the first admin is printed, and stands in STATE_DIR/page/first-admin-code.
--admin-code makes such a code for a page that has an admin already, who forgot the password: run it on the box as the
station's user.

needs: pip install 'lineclear[web]'
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What it can be told."""
    parser.add_argument("--config", type=Path, required=True, metavar="CONFIG", help="the station's config")
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="the page's settings (default: CONFIG's name with .page.yaml)"
    )
    parser.add_argument("--admin-code", action="store_true", help="print a one-time code that makes an admin, and end")
    parser.add_argument("--check", action="store_true", help="say what is wrong with the settings, and end")


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or Ctrl-C."""
    try:
        from calibration.web.serving import check, make_admin_code, serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in NEEDED:
            raise
        message = f"the page needs {error.name}, which is not installed"
        raise ConfigError(message, where="lineclear-calibrate serve", remedy="pip install 'lineclear[web]'") from None

    if args.check:
        return check(args.config, args.page)
    if args.admin_code:
        return make_admin_code(args.config)
    return serve(args.config, args.page)
