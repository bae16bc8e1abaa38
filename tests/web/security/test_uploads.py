"""Hostile images and archives at every route that takes files: refused in words, nothing kept, nothing written elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.web.security.hostile import archives, images
from tests.web.security.house import House, Visitor
from tests.web.security.routes import served

IMAGES, ARCHIVES = images(), archives()
GROWTH = 400_000_000
"""A picture of 20,000 x 20,000 that is whole takes 400 MB once it is decoded; larger ones must be refused by their header."""
LONGEST_S = 30.0


def file_routes(built: House) -> list[tuple[str, str, list[str]]]:
    """Path, name of the file's field and names of the other fields, of every route that takes files."""
    found = []
    openapi = built.app.openapi()
    for method, path in served(built.app):
        if method != "POST":
            continue
        content = openapi["paths"][path]["post"].get("requestBody", {}).get("content", {}).get("multipart/form-data")
        if content is None:
            continue
        schema = openapi["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        files = [name for name, field in schema["properties"].items() if "binary" in str(field) or "octet-stream" in str(field)]
        others = [name for name in schema["properties"] if name not in files]
        found += [(path, name, others) for name in files]
    return found


@pytest.fixture(scope="module")
def began(built: House) -> Iterator[Visitor]:
    """A technician who calibrates a view, so that the wizard's doors are open."""
    client = built.client("technician")
    client.post("/calibrate/feeder/begin")
    yield client
    client.post("/calibrate/feeder/discard", data={"frames": "yes"})


def test_there_are_routes_that_take_files(built: House) -> None:
    assert len(file_routes(built)) >= 3, file_routes(built)


@pytest.mark.parametrize("kind", [*IMAGES, *ARCHIVES])
def test_a_hostile_file_is_refused(built: House, began: Visitor, kind: str) -> None:
    data = IMAGES.get(kind, ARCHIVES.get(kind, b""))
    before = {name: value for name, value in built.state().items() if name != "audit"}
    memory = psutil.Process(os.getpid()).memory_info().rss
    for path, field, others in file_routes(built):
        for name in ("x.png", "x.zip", "x.jpg", "x.json", "x.csv", "../../x.png", "x.png\x00.sh", "x" * 300 + ".zip", ".zip"):
            if (kind in IMAGES) != (".zip" not in name) and kind not in {"empty"}:
                continue
            started = time.monotonic()
            answer = began.post(built.fill(path), files={field: (name, data, "image/png")}, data=dict.fromkeys(others, "1"))
            what = f"{path} {field} {name[:20]!r} {kind}"
            assert answer.status_code < 500 or answer.status_code in {503, 507}, (
                f"{what}: {answer.status_code} {answer.text[:400]}"
            )
            assert time.monotonic() - started < LONGEST_S, what
            assert "Traceback" not in answer.text, what
    assert psutil.Process(os.getpid()).memory_info().rss - memory < GROWTH
    after = {name: value for name, value in built.state().items() if name != "audit"}
    assert after == before
    assert not list(Path(built.folder).rglob("outside"))
    uploads = built.site.folder / "uploads"
    assert not (list(uploads.iterdir()) if uploads.exists() else []), "an upload was forgotten"
