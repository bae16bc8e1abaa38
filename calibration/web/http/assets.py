"""Scripts, styles and images of the page: named with a hash of what is in them, so that browsers may keep them for ever."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER: Final = Path(__file__).resolve().parent.parent / "static"
PATH: Final = "/static"
FOR_EVER: Final = "public, max-age=31536000, immutable"


@cache
def asset(name: str) -> str:
    """The URL of a file below static/. FileNotFoundError: there is none."""
    digest = hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:16]
    return f"{PATH}/{name}?v={digest}"


class Assets(StaticFiles):
    """The files; what is asked for with the right hash may be kept."""

    def __init__(self) -> None:
        super().__init__(directory=FOLDER, follow_symlink=False)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """One file."""
        response = await super().get_response(path, scope)
        query = scope.get("query_string", b"").decode("ascii", "replace")
        if (
            response.status_code == 200
            and query.startswith("v=")
            and (FOLDER / path).is_file()
            and asset(path).endswith(f"?{query}")
        ):
            response.headers["Cache-Control"] = FOR_EVER
        return response
