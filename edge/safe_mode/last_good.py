"""The last config with which the station ran well, kept for the day when the file holds something else."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from edge.config import StationConfig
from edge.durable import replace_file
from edge.errors import ConfigError
from edge.schema import read_json, validate

SCHEMA: Final = "lineclear/last-good/1"
SUFFIX: Final = ".last-good"
_READERS: Final = stat.S_IRUSR | stat.S_IWUSR | stat.S_IRGRP | stat.S_IROTH
_OTHER_WRITERS: Final = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class Kept:
    """A config that ran well. saved_at: as it was written, ISO 8601 UTC."""

    config: StationConfig
    saved_at: str


class LastGood:
    """One file, replaced whole: what the config says, with absolute paths. Secrets are in other files and stay there."""

    def __init__(self, path: Path, like: Path) -> None:
        """path: of the file. like: the config, whose permissions it gets."""
        self.path = path
        self._like = like

    @classmethod
    def of(cls, config: Path, environment: Mapping[str, str]) -> LastGood:
        """In the service's state folder (systemd's STATE_DIRECTORY), since /etc cannot be written; else beside the config."""
        folder = environment.get("STATE_DIRECTORY", "").split(":")[0]
        return cls((Path(folder) if folder else config.parent) / f"{config.name}{SUFFIX}", config)

    def save(self, config: StationConfig, now: datetime) -> bool:
        """Keep it, durable when it returns; False if it is what is kept already. ConfigError: the disk refuses."""
        document = config.model_dump(mode="json")
        with suppress(ConfigError):
            if self.load().config == config:
                return False
        body = {
            "schema": SCHEMA,
            "savedAt": now.isoformat(timespec="seconds"),
            "source": str(self._like.absolute()),
            "sha256": _hash(document),
            "config": document,
        }
        try:
            self._replace(json.dumps(body, indent=1) + "\n")
        except OSError as error:
            remedy = "let the station's user write there: without it a broken config would leave no station at all"
            raise ConfigError(f"cannot be written ({error.strerror})", where=str(self.path), remedy=remedy) from None
        return True

    def load(self) -> Kept:
        """What is kept. ConfigError: nothing is, it was damaged, others may have written it, or this software does not know it.

        Its hash shows damage, not intent: who could write it could have the station send its password to another broker.
        """
        self._refuse_foreign()
        body: Any = read_json(self.path)
        if not isinstance(body, dict) or body.get("schema") != SCHEMA or body.get("sha256") != _hash(body.get("config")):
            remedy = "mend the station's config: the station keeps it again once it ran well"
            raise ConfigError("is damaged or was written by hand", where=str(self.path), remedy=remedy)
        return Kept(validate(StationConfig, body["config"], str(self.path)), str(body.get("savedAt", "")))

    def _refuse_foreign(self) -> None:
        """Root, who runs this and whose folder it is may have written it, nobody else."""
        try:
            found, owner = self.path.lstat(), self.path.parent.stat().st_uid
        except OSError:
            return  # reading it says why
        if stat.S_ISLNK(found.st_mode) or found.st_mode & _OTHER_WRITERS or found.st_uid not in (0, os.geteuid(), owner):
            remedy = "mend the station's config, and remove this file: the station keeps it again once it ran well"
            raise ConfigError(
                "is a link, or others than the station's user could write it", where=str(self.path), remedy=remedy
            )

    def _replace(self, text: str) -> None:
        try:
            mode = self._like.stat().st_mode & _READERS
        except OSError:
            mode = stat.S_IRUSR | stat.S_IWUSR
        replace_file(self.path, text.encode(), mode=mode | stat.S_IRUSR | stat.S_IWUSR)


def _hash(document: Any) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
