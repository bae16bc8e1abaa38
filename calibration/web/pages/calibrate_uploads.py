"""Pictures that somebody sends: into a folder of ours, under names of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

from fastapi import File, UploadFile

from calibration.web.http.bodies import takes_uploads
from calibration.web.http.uploads import save_upload
from calibration.web.pages.calibrate_doors import Visit
from edge.cameras.images import SUFFIXES

__all__ = ["Files", "receive", "takes_uploads"]

MOST_FILES: Final = 200
MOST_FILE_BYTES: Final = 100_000_000
Files = Annotated[list[UploadFile], File(max_length=MOST_FILES)]


def receive(visit: Visit, files: list[UploadFile], folder: Path) -> None:
    """Refused: too large, another kind of file, no room; nothing stays then."""
    folder.mkdir(parents=True, exist_ok=True)
    taken: list[Path] = []
    try:
        for number, file in enumerate(files, 1):
            path = save_upload(visit.site, file, limit_bytes=MOST_FILE_BYTES, suffixes=SUFFIXES)
            taken.append(path.rename(folder / f"{number:04d}{path.suffix}"))
    except BaseException:
        for path in taken:
            path.unlink(missing_ok=True)
        raise
