"""What every route of the page gets: the station's config and files, who may come in, and the line to the station."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fastapi import Request

from calibration.web.access import FirstAdmin, Lockout, Passwords, Sessions, Users
from calibration.web.jobs import Jobs
from calibration.web.language import Words
from calibration.web.link import Link, Mirror, product_of
from calibration.web.settings import PageSettings
from edge.archive import ArchiveReader
from edge.audit import AuditLog
from edge.changeover import PATTERN, PRODUCT_FILE, ProductFile
from edge.config import StationConfig
from edge.errors import LineclearError


class NotFound(LineclearError):
    """What was asked for is not there, or not for this person: the answer is the same. message: a text, or the key of one."""


@dataclass(frozen=True)
class Site:
    """One station's page. folder: everything that the page itself writes. link, mirror: to the station; jobs: long work."""

    config: StationConfig
    config_path: Path
    settings: PageSettings
    folder: Path
    users: Users
    sessions: Sessions
    passwords: Passwords
    lockout: Lockout
    first_admin: FirstAdmin
    words: Words
    audit: AuditLog
    archive: ArchiveReader
    link: Link
    mirror: Mirror
    jobs: Jobs

    @property
    def name(self) -> str:
        """The station, as people call it."""
        return self.config.station.station

    def product(self) -> str | None:
        """The product in force: as the station says, else as it keeps it on the disk, else as its config."""
        told = product_of(self.mirror.now())
        return told or ProductFile(Path(self.config.state_dir) / PRODUCT_FILE).read() or self.config.product

    def recipe(self, view: str) -> Path:
        """The recipe's folder of a view, for the product in force. NotFound: there is no such view."""
        found = self.config.views.get(view)
        if found is None:
            raise NotFound("base.no_such_view", where=view[:80])
        return Path(found.recipe.replace(PATTERN, self.product() or ""))


def site_of(request: Request) -> Site:
    """The Site of the application that a request came to."""
    site: Site = request.app.state.site
    return site
