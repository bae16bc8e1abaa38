"""Everything of one station's page, open for as long as it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from calibration.web.access import Database, FirstAdmin, Lockout, Passwords, Sessions, Users
from calibration.web.jobs import Jobs
from calibration.web.language import load_words
from calibration.web.link import open_link, plan_link
from calibration.web.settings import read_page_settings
from calibration.web.site import Site
from edge.archive import ArchiveReader
from edge.audit import AuditLog
from edge.config import load_config
from edge.errors import ConfigError

FOLDER: Final = "page"


@contextmanager
def open_site(config_path: Path, page_path: Path | None = None, *, passwords: Passwords | None = None) -> Iterator[Site]:
    """The Site of a config. ConfigError: config or page settings are wrong, or the state folder cannot be written."""
    config = load_config(config_path)
    settings = read_page_settings(config_path, page_path)
    state_dir = Path(config.state_dir)
    folder = page_folder(state_dir)
    database = Database(folder)
    audit = AuditLog(config.audit.folder(state_dir), config.audit)
    archive = ArchiveReader(config.archive.folder(state_dir))
    passwords = passwords or Passwords()
    with ExitStack() as stack:
        stack.callback(database.close)
        jobs = Jobs()
        stack.callback(jobs.close)
        link, mirror = stack.enter_context(open_link(plan_link(config, settings), tuple(config.views), archive))
        yield Site(
            config=config,
            config_path=config_path,
            settings=settings,
            folder=folder,
            users=Users(database, passwords, audit),
            sessions=Sessions(database, settings.sessions),
            passwords=passwords,
            lockout=Lockout(database, settings.lockout),
            first_admin=FirstAdmin(database, folder),
            words=load_words(),
            audit=audit,
            archive=archive,
            link=link,
            mirror=mirror,
            jobs=jobs,
        )


def page_folder(state_dir: Path) -> Path:
    """Where the page writes; made where it is not there yet. ConfigError: it cannot be."""
    folder = state_dir / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_mode & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        remedy = "run the page as the station's user, or correct state_dir"
        raise ConfigError(f"cannot be made ({error.strerror})", where=str(folder), remedy=remedy) from None
    return folder


def first_admin_code(site: Site) -> str | None:
    """A fresh one-time code where nobody can manage users yet, else None."""
    return site.first_admin.make() if not site.users.has_admin() else None
