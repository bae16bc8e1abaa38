"""What `collect` knows of the frames in a folder, held against what they are now to be used for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from calibration.collect import read_album
from calibration.collect.album import DOCUMENT
from calibration.collect.records import CollectionFile
from edge.errors import ConfigError


def collected_in(folder: Path) -> CollectionFile | None:
    """The document of a folder that `collect` made; None for any other folder. ConfigError: it is damaged."""
    return read_album(folder) if (folder / DOCUMENT).is_file() else None


def stored_sha256(folder: Path) -> Mapping[str, str]:
    """File name -> SHA-256 of every frame that `collect` stored there; empty for any other folder. ConfigError as above."""
    album = collected_in(folder)
    return {} if album is None else {frame.file: frame.sha256 for frame in album.frames}


def camera_of(folder: Path, view: str, configured: str | None) -> str | None:
    """The hash of the camera settings that a card from these frames holds for; None where nobody knows them.

    configured: that of the station's config, None without one. Frames that were collected with other settings show what
    the camera no longer shows: ConfigError, since the card would pass for fresh. ConfigError too where they were collected
    for another view, or with several settings.
    """
    album = collected_in(folder)
    if album is None:
        return configured
    if album.view != view:
        raise ConfigError(
            f"was collected for view {album.view!r}, the recipe is of {view!r}",
            where=str(folder),
            remedy="give the frames of this view",
        )
    known = {frame.camera_settings_hash for frame in album.frames} - {None}
    if len(known) > 1:
        message = f"its frames were taken with {len(known)} different camera settings"
        raise ConfigError(message, where=str(folder), remedy="collect anew, into another folder, with the settings to stay")
    collected = next(iter(known), None)
    if configured is not None and collected not in (None, configured):
        message = "its frames were taken with other camera settings than those of the config"
        remedy = "collect anew with these settings, or put the camera's settings back"
        raise ConfigError(message, where=str(folder), remedy=remedy)
    return configured or collected
