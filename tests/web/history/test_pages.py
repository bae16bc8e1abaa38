"""The history in the real application: what is found, paged, labelled, exported; and what is said when there is nothing."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import pytest

from edge.archive.index_file import INDEX
from tests.archive.samples import store
from tests.web.history.parts import ODD_BATCH, SHOTS, ids, listed, page_with, shoot
from tests.web.parts import Browser, Rig, running_page, write_station

ALL = [f"r{n:04d}" for n in range(8, 0, -1)]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ALL),
        ("view=nest", ["r0006", "r0005"]),
        ("batch=B-15", ["r0001"]),
        (f"batch={quote(ODD_BATCH)}", ["r0006"]),
        ("outcome=FAIL", ["r0008", "r0006", "r0003"]),
        ("outcome=UNDECIDED&reason=camera_lost", ["r0004"]),
        ("product=ibuprofen", ["r0006"]),
        ("kind=clearance", []),
        ("view=feeder&outcome=FAIL&batch=B-17&product=aspirin&kind=verdict", ["r0008", "r0003"]),
        ("from=2026-11-22T00:00&to=2026-11-22T23:59", ["r0008", "r0007", "r0006", "r0005", "r0004"]),
        ("from=2026-11-13&to=2026-11-13", ["r0001"]),
        ("view=nowhere", []),
        ("batch=%27%20OR%201=1%20--", []),
        ("before=0.0", []),
        ("before=nonsense&after=-", ALL),
    ],
)
def test_the_list_shows_what_the_address_asks_for(otto: Browser, query: str, found: list[str]) -> None:
    assert listed(otto, query) == found


def test_a_batch_of_any_text_is_shown_as_text_and_links_to_itself(otto: Browser) -> None:
    page = otto.get("/history").text
    assert "<b>ß" not in page
    link = re.search(r'href="(/history\?batch=B%2F47[^"]*)"', page)
    assert link is not None
    assert ids(otto.get(link[1]).text) == ["r0006"]


@pytest.mark.parametrize("query", ["from=soon", "to=2026-99-99T00:00"])
def test_a_time_that_cannot_be_read_is_said(otto: Browser, query: str) -> None:
    assert "This time cannot be read" in otto.get(f"/history?{query}").text


def test_pages_of_many_results_follow_one_another(tmp_path: Path) -> None:
    from benchmarks.history import build

    config = write_station(tmp_path)
    build(tmp_path / "state" / "archive", 120)
    with running_page(config) as rig:
        browser = rig.signed_in("vera")
        pages, path = [], "/history"
        for _ in range(3):
            text = browser.get(path).text
            pages.append(ids(text))
            older = re.search(r'rel="next" href="([^"]*)"', text)
            path = older[1] if older else ""
        assert [len(page) for page in pages] == [50, 50, 20]
        assert path == ""
        assert sorted(result_id for page in pages for result_id in page) == [f"result-{n:07d}" for n in range(120)]
        newer = re.search(r'rel="prev" href="([^"]*)"', text)
        assert newer is not None
        assert ids(browser.get(newer[1]).text) == pages[1]
        assert len(browser.get("/history/list.csv").text.splitlines()) == 121
        assert len(browser.get("/history/list.jsonl?outcome=FAIL").text.splitlines()) == len(listed(browser, "outcome=FAIL"))


@pytest.mark.parametrize("result_id", ["r0003", "r0005"])
def test_a_results_page_has_everything_that_made_it(otto: Browser, result_id: str) -> None:
    page = otto.get(f"/results/{result_id}").text
    entry_words = (
        "variation-",
        "onnxruntime",
        "folder",
        "aspirin",
        "Alignment to the reference",
        "Matching points",
        "How long it took",
    )
    for word in entry_words:
        assert word in page
    assert len(re.findall(r"[0-9a-f]{64}", page)) == 4
    assert 'rel="next"' in page
    checked = otto.get(f"/results/{result_id}?check=1").text
    assert "Every file is as it was written." in checked


def test_a_result_without_a_picture_says_why(otto: Browser) -> None:
    page = otto.get("/results/r0004").text
    assert "The camera does not answer." in page
    assert "was unplugged" in page
    assert "No picture was kept of this result" in page
    assert otto.get("/results/r0004/thumbnail").status_code == 404
    assert otto.get("/results/r0004/frame").status_code == 404
    assert otto.get("/results/r0004/label").status_code == 409


def test_the_files_are_those_of_the_archive(line: Rig, otto: Browser) -> None:
    entry = line.site.archive.get("r0003")
    assert entry is not None
    for path, role, kind in (
        ("frame", "frame", "image/png"), ("overlay", "overlay", "image/jpeg"), ("map.npz", "map", "application/octet-stream"),
        ("document.json", "document", "application/json"),
    ):  # fmt: skip
        answer = otto.get(f"/results/r0003/{path}")
        assert answer.content == line.site.archive.read(entry, role)
        assert answer.headers["content-type"] == kind
        assert answer.headers["cache-control"] == "private, no-cache"


def test_a_thumbnail_is_asked_for_again_and_not_sent_again(otto: Browser) -> None:
    answer = otto.get("/results/r0003/thumbnail")
    assert answer.headers["content-type"] == "image/jpeg"
    again = otto.get("/results/r0003/thumbnail", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert otto.get("/results/r0003/thumbnail", headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize(
    "result_id",
    [
        "nope",
        "%2e%2e%2fetc",
        "r0003%00",
        "r0003'--",
        "%F0%9F%92%A3",
        "x" * 3000,
        "%ED%A0%80",
        "r0003%2F..%2Fr0004",
        "%22%3E%3Cscript%3E",
    ],
)
@pytest.mark.parametrize("part", ["", "/thumbnail", "/frame", "/map.npz", "/label"])
def test_no_other_result_is_ever_found(otto: Browser, result_id: str, part: str) -> None:
    answer = otto.get(f"/results/{result_id}{part}")
    assert answer.status_code in (404, 405)
    assert "<script>" not in answer.text.replace('<script src="', "")


def test_who_is_limited_to_a_view_never_learns_of_the_others(nina: Browser) -> None:
    assert listed(nina) == ["r0006", "r0005"]
    assert listed(nina, "view=feeder") == listed(nina, "batch=B-15") == listed(nina, "kind=clearance") == []
    page = nina.get("/history").text
    assert "B-15" not in page
    assert "camera_lost" not in page
    missing = nina.get("/results/zzz")
    for part in ("", "/thumbnail", "/frame", "/overlay", "/map.npz", "/document.json", "/label"):
        answer = nina.get(f"/results/r0003{part}")
        assert answer.status_code == 404
        assert answer.text.replace("r0003", "zzz").count("There is no such result") == missing.text.count(
            "There is no such result"
        )
        assert nina.get(f"/results/r0006{part}").status_code == 200
    rows = nina.get("/history/list.csv").text
    assert "r0006" in rows
    assert "r0003" not in rows
    assert "r0003" not in nina.get("/history/list.jsonl?view=feeder").text
    assert nina.post("/results/r0003/label", {"says": "good"}).status_code == 404
    assert nina.post("/history/exports", {"batch": "B-17"}).status_code == 403
    for path in (
        "/labels/feeder",
        "/labels/feeder/set.zip",
        f"/labels/feeder/{'0' * 32}/picture",
        "/labels/%2e%2e%2f",
        "/labels/none",
    ):
        assert nina.get(path).status_code == 404
    assert "feeder" not in nina.get("/labels").text.partition("<main")[2].partition("</main>")[0]


def test_nobody_labels_or_exports_without_the_right(line: Rig, vera: Browser) -> None:
    assert vera.get("/results/r0003").status_code == 200
    assert vera.get("/results/r0003/label").status_code == 403
    assert vera.post("/results/r0003/label", {"says": "good"}).status_code == 403
    assert vera.post("/history/exports", {"batch": "B-17"}).status_code == 403
    assert vera.get("/history/exports/x").status_code == 403
    assert "Draw what is bad" not in vera.get("/results/r0003").text
    nobody = line.browser()
    for path in (
        "/history",
        "/results/r0003",
        "/results/r0003/thumbnail",
        "/history/list.csv",
        "/labels",
        "/labels/feeder/set.zip",
    ):
        assert str(nobody.get(path).url).count("/sign-in") == 1
        assert nobody.fetch("GET", path).status_code == 401


def test_a_forged_form_labels_nothing(line: Rig, otto: Browser) -> None:
    for headers in ({}, {"X-CSRF-Token": "x"}):
        answer = otto.client.post("/results/r0003/label", data={"says": "good", "csrf": "x"}, headers=headers)
        assert answer.status_code == 403
    entry = line.site.archive.get("r0003")
    assert "says_good" not in otto.get("/results/r0003").text
    assert entry is not None


def test_what_was_deleted_and_what_was_never_stored_is_said(tmp_path: Path) -> None:
    config = write_station(tmp_path)
    archive = tmp_path / "state" / "archive"
    shoot(archive, tmp_path / "recipes", SHOTS[1:4])
    with store(archive) as opened:
        opened.purge(opened.index.oldest("clearance", 1), "age", 5)
        opened.purge(opened.index.oldest("clearance", 1), "space", 6)
    with running_page(config) as rig:
        browser = rig.signed_in("vera")
        page = browser.get("/history?batch=B-17").text
        assert "1 results of this batch were deleted because of their age." in page
        assert "1 were deleted because the disk was full." in page
        assert "deleted because of its age" in browser.get("/results/r0001").text
        assert "deleted because the disk was full" in browser.get("/results/r0002").text
        assert browser.get("/results/r0001/frame").status_code == 404


@pytest.mark.parametrize("harm", ["missing", "damaged", "off"])
def test_without_an_archive_the_page_says_so_and_goes_on(tmp_path: Path, harm: str) -> None:
    config = write_station(tmp_path, archive={"enabled": harm != "off", "min_free_bytes": 0})
    if harm == "damaged":
        (tmp_path / "state" / "archive").mkdir(parents=True)
        (tmp_path / "state" / "archive" / INDEX).write_bytes(b"no index " * 500)
    with running_page(config) as rig:
        browser = rig.signed_in("otto")
        page = browser.get("/history?batch=B")
        assert page.status_code == 200
        assert ("switched off" if harm == "off" else "not there, or cannot be read") in page.text
        assert browser.get("/results/r0001").status_code == 409
        assert browser.get("/history/list.csv").status_code == 409
        assert browser.get("/labels/feeder").status_code == 200


def test_a_file_that_was_changed_is_never_shown_and_said(tmp_path: Path) -> None:
    with page_with(tmp_path, SHOTS[2:3]) as rig:
        browser = rig.signed_in("otto")
        entry = rig.site.archive.get("r0001")
        assert entry is not None
        for role in ("frame", "overlay", "document"):
            path = entry.folder / entry.files[role]
            path.write_bytes(path.read_bytes()[:-1] + b"x")
        page = browser.get("/results/r0001?check=1")
        assert page.status_code == 200
        assert "Not every file is as it was written" in page.text
        assert "The record of this result cannot be read." in page.text
        for part in ("/frame", "/overlay", "/thumbnail", "/label", "/document.json"):
            assert browser.get(f"/results/r0001{part}").status_code == 409
        assert browser.post("/results/r0001/label", {"says": "good"}).status_code == 409


def test_results_come_while_the_page_is_read(tmp_path: Path) -> None:
    from edge.archive import Archive
    from edge.settings.archive import ArchiveSettings
    from tests.archive.samples import bare, until

    config = write_station(tmp_path)
    with Archive(tmp_path / "state" / "archive", ArchiveSettings(min_free_bytes=0)) as archive, running_page(config) as rig:
        browser = rig.signed_in("vera")
        for number in range(30):
            archive.submit(bare(number, view="feeder"))
            if number % 10 == 9:
                until(lambda number=number: archive.health()["archive.stored"] == number + 1)  # type: ignore[misc]
                assert len(listed(browser)) == number + 1
                assert browser.get(f"/results/result-{number}").status_code == 200


def test_a_huge_filter_is_answered(otto: Browser) -> None:
    assert listed(otto, "batch=" + "x" * 7000) == []
    assert otto.get("/history?batch=" + "x" * 20_000).status_code == 414
    assert listed(otto, "&".join(f"view={n}" for n in range(500)) + "&view=nest") == ["r0006", "r0005"]
