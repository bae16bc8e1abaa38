"""How much, how long and how often anybody may send."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, Request, UploadFile
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

from calibration.web import application
from calibration.web.access import Right
from calibration.web.access.guard import Visit, acts
from calibration.web.http import uploads
from calibration.web.http.bodies import takes_uploads
from calibration.web.http.rates import MAX_BUCKETS, Buckets
from calibration.web.http.refusals import Refused
from calibration.web.http.streams import Streams
from calibration.web.settings import LimitSettings
from tests.web.access.clocks import Clock
from tests.web.parts import Browser, Rig, running_page

SMALL = {"body_bytes": 10_000, "upload_bytes": 200_000, "body_s": 30, "upload_s": 30}


class Probe:
    """A part of the page that takes what is sent."""

    router = APIRouter(prefix="/probe")


@Probe.router.post("/body")
async def body(request: Request) -> Response:
    return JSONResponse({"bytes": len(await request.body())})


@Probe.router.post("/upload")
@takes_uploads
def upload(visit: Annotated[Visit, Depends(acts(Right.SEE))], file: UploadFile) -> Response:
    path = uploads.save_upload(visit.site, file, limit_bytes=150_000, suffixes=(".zip", ".png"))
    return JSONResponse({"name": path.name, "bytes": path.stat().st_size})


@Probe.router.get("/fault")
def fault(word: str = "") -> Response:
    raise ZeroDivisionError(f"a secret {word}")


@pytest.fixture
def small(config: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    real = application._pages
    monkeypatch.setattr(application, "_pages", lambda: [*real(), Probe])
    with running_page(config, {"limits": SMALL}) as rig:
        yield rig


def sent(browser: Browser, size: int, name: str = "a.zip", path: str = "/probe/upload") -> Any:
    return browser.fetch("POST", path, files={"file": (name, io.BytesIO(b"x" * size))})


def test_a_body_may_be_so_large_whatever_its_header_says(small: Rig) -> None:
    browser = small.browser()
    assert browser.fetch("POST", "/probe/body", content=b"x" * 10_000).json() == {"bytes": 10_000}
    refused = browser.fetch("POST", "/probe/body", content=b"x" * 10_001)
    assert (refused.status_code, refused.headers["connection"]) == (413, "close")
    assert refused.json()["what_to_do"]

    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 1000

    assert browser.fetch("POST", "/probe/body", content=endless()).status_code == 413
    assert browser.fetch("POST", "/probe/body", headers={"Content-Length": "9" * 30}, content=b"x").status_code == 413
    assert browser.fetch("POST", "/probe/body", headers={"Content-Length": "-1"}, content=b"x").status_code == 413


def test_uploads_are_larger_for_who_is_signed_in_and_for_nobody_else(small: Rig) -> None:
    viewer = small.signed_in("vera")
    taken = sent(viewer, 100_000)
    assert taken.json()["bytes"] == 100_000
    kept = small.site.folder / "uploads" / taken.json()["name"]
    assert kept.stat().st_size == 100_000
    assert kept.parent.stat().st_mode & 0o077 == 0
    assert sent(viewer, 160_000).status_code == 413
    assert sent(viewer, 250_000).status_code == 413
    assert sent(small.browser(), 100_000).status_code == 413
    assert sent(viewer, 100_000, path="/sign-in").status_code == 413
    assert [path.name for path in kept.parent.iterdir()] == [kept.name], "nothing of what was refused stays"


@pytest.mark.parametrize("name", ["a.exe", "../../etc/passwd", "a.zip.sh", "", ".zip/..", "a\x00.zip.exe"])
def test_other_kinds_of_file_are_refused(small: Rig, name: str) -> None:
    assert sent(small.signed_in("vera"), 10, name).status_code == 422


@pytest.mark.parametrize("name", ["../../../etc/cron.d/x.zip", "/etc/passwd.ZIP", "C:\\x.zip", "x" * 300 + ".zip"])
def test_nothing_of_the_sender_s_name_is_used(small: Rig, name: str) -> None:
    kept = sent(small.signed_in("vera"), 10, name).json()["name"]
    assert len(kept) == 36
    assert kept.endswith(".zip")
    assert (small.site.folder / "uploads" / kept).is_file()


def test_empty_files_and_full_disks(small: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = small.signed_in("vera")
    assert sent(viewer, 0).status_code == 422
    monkeypatch.setattr(uploads, "FREE_BYTES", 1 << 60)
    assert sent(viewer, 10).status_code == 507
    assert list((small.site.folder / "uploads").iterdir()) == []


def test_what_was_forgotten_goes_after_a_day(small: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    viewer = small.signed_in("vera")
    sent(viewer, 10)
    monkeypatch.setattr(uploads, "KEPT_S", -1.0)
    kept = sent(viewer, 10).json()["name"]
    assert [path.name for path in (small.site.folder / "uploads").iterdir()] == [kept]


def test_a_body_that_does_not_come_is_not_waited_for(small: Rig) -> None:
    settings = small.site.settings
    limits = settings.limits.model_copy(update={"body_s": 0.05})
    app = application.make_app(replace(small.site, settings=settings.model_copy(update={"limits": limits})))
    answers: list[Any] = []

    async def asked() -> None:
        first = [{"type": "http.request", "body": b"x", "more_body": True}]

        async def receive() -> Any:
            if first:
                return first.pop()
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Any) -> None:
            answers.append(message)

        headers = [(b"host", b"127.0.0.1"), (b"origin", b"http://127.0.0.1"), (b"transfer-encoding", b"chunked")]
        scope = {
            "type": "http", "method": "POST", "path": "/probe/body", "raw_path": b"/probe/body", "query_string": b"",
            "headers": headers, "scheme": "http", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
            "http_version": "1.1", "root_path": "",
        }  # fmt: skip
        await app(scope, receive, send)

    asyncio.run(asked())
    assert answers[0]["status"] == 408
    assert Headers(raw=answers[0]["headers"])["connection"] == "close"


def test_addresses_are_so_long(nobody: Browser) -> None:
    assert nobody.get("/sign-in?next=" + "x" * 9000).status_code == 414


def test_a_fault_of_ours_shows_a_number_and_nothing_else(small: Rig, caplog: pytest.LogCaptureFixture) -> None:
    for answer in (small.browser().get("/probe/fault?word=x"), small.browser().fetch("GET", "/probe/fault")):
        assert answer.status_code == 500
        assert "ZeroDivision" not in answer.text
        assert "secret" not in answer.text
        assert answer.headers["x-frame-options"] == "DENY"
    number = small.browser().fetch("GET", "/probe/fault").json()["where"]
    assert f"page_failed id={number}" in caplog.text


def test_who_asks_too_often_waits(config: Path) -> None:
    limits = {"per_address": 10, "per_session": 10, "burst": 12}
    with running_page(config, {"limits": limits}) as rig:
        browser = rig.browser(address="10.0.0.7")
        answers = [browser.get("/sign-in") for _ in range(14)]
        assert [answer.status_code for answer in answers[:10]] == [200] * 10
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert int(refused.headers["retry-after"]) >= 1
        assert rig.browser(address="10.0.0.8").get("/sign-in").status_code == 200
        assert browser.get("/static/page.css").status_code == 200


def test_one_session_is_limited_wherever_it_comes_from(config: Path) -> None:
    with running_page(config, {"limits": {"per_address": 6000, "per_session": 10, "burst": 12}}) as rig:
        browser = rig.signed_in("vera")
        assert 429 in [browser.get("/me").status_code for _ in range(14)]


def test_buckets_fill_up_again_and_stay_few() -> None:
    clock = Clock()
    buckets = Buckets(60, 3, clock)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 1]
    assert buckets.take("b") == 0
    clock.on(1)
    assert buckets.take("a") == 0
    assert buckets.take("a") > 0
    for number in range(MAX_BUCKETS + 10):
        buckets.take(str(number))
    assert len(buckets._buckets) == MAX_BUCKETS


def test_live_connections_are_counted() -> None:
    streams = Streams(LimitSettings(streams=3, streams_per_session=2))
    with streams.held("a"), streams.held("a"):
        with pytest.raises(Refused, match="too_many_streams"):
            streams.take("a")
        streams.take("b")
        with pytest.raises(Refused):
            streams.take("c")
        assert streams.open == 3
    streams.give_back("b")
    assert streams.open == 0
