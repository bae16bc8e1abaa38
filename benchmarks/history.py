"""An archive of many results and how long the history page takes in it: `python -m benchmarks.history [--results N]
[--folder DIR] [--rounds N]`.

Every result is in the index as a station would write it; every 500th has its files too, so that the page has thumbnails and
frames to show. Asked is the index as the page asks it (the page of results, their count, what may be asked for) for each kind
of filter, and then the page itself over HTTP. Printed: median, p95 and worst per filter, and whether the limit was kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlencode

import numpy as np

from edge.archive import ArchivePages, ArchiveReader, Evidence, Place, Selection
from edge.archive.packing import Packed, pack
from edge.archive.store import Store
from tests.web.parts import running_page, write_station

END = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
STEP = timedelta(seconds=97)
LIMIT_MS = 300.0
VIEWS = ("front", "back", "infeed", "outfeed")
REASONS = ("not_registered", "camera_lost", "card_stale", "frame_timeout")
BATCH_RESULTS = 250
WITH_FILES = 500


def result(number: int, count: int) -> Evidence:
    """8 of 10 PASS; every 50th is a clearance; the last has the newest time."""
    draw = number % 50
    is_clearance = draw == 0
    outcome = ("NOT_CLEAR" if number % 150 else "CLEAR") if is_clearance else _outcome(draw)
    real = number % WITH_FILES == 1
    rng = np.random.default_rng(number)
    return Evidence(
        result_id=f"result-{number:07d}",
        kind="clearance" if is_clearance else "verdict",
        outcome=outcome,
        reason=REASONS[number % 4] if outcome == "UNDECIDED" else "",
        decided_at=END - STEP * (count - number),
        document={"resultId": f"result-{number:07d}", "outcome": outcome, "score": 0.5},
        view="" if is_clearance else VIEWS[number % 4],
        batch=f"B{number // BATCH_RESULTS:05d}",
        product=f"P{number * 5 // count}",
        recipe=VIEWS[number % 4],
        recipe_version=1 + number * 9 // count,
        score=float(rng.gamma(2.0, 0.2)),
        threshold=0.8,
        frame=rng.integers(0, 256, (480, 640, 3), np.uint8) if real else None,
        anomaly_map=rng.normal(0, 1, (60, 80)).astype(np.float32) if real else None,
    )


def _outcome(draw: int) -> str:
    return "FAIL" if draw < 5 else "UNDECIDED" if draw < 10 else "PASS"


def build(folder: Path, count: int) -> None:
    """The archive, quickly: files of a few, rows of all."""
    store = Store(folder)
    try:
        store.recover()
        for start in range(0, count, 5000):
            packed = [pack(result(number, count), None) for number in range(start, min(start + 5000, count))]
            for one in packed:
                if "frame" in one.record.files:
                    _write(folder, one)
            store.index.insert([one.record for one in packed])
    finally:
        store.close()


def _write(folder: Path, one: Packed) -> None:
    place = folder / one.record.folder
    place.mkdir(parents=True, exist_ok=True)
    for name, data in one.contents.items():
        (place / name).write_bytes(data)


def filters(count: int) -> dict[str, dict[str, str]]:
    """What is asked, as the page's address says it."""
    middle, later = END - STEP * (count // 2), END - STEP * (count // 3)
    number = count // 2
    day = "%Y-%m-%dT%H:%M"
    span = {"from": middle.astimezone().strftime(day), "to": later.astimezone().strftime(day)}
    batch = f"B{number // BATCH_RESULTS:05d}"
    return {
        "no filter": {},
        "view": {"view": "infeed"},
        "outcome PASS": {"outcome": "PASS"},
        "outcome FAIL": {"outcome": "FAIL"},
        "batch": {"batch": batch},
        "reason": {"reason": "card_stale"},
        "product": {"product": "P1"},
        "clearances": {"kind": "clearance"},
        "time span": span,
        "all combined": {
            **span,
            "view": VIEWS[1],
            "outcome": "UNDECIDED",
            "reason": REASONS[1],
            "batch": batch,
            "kind": "verdict",
        },
        "no match": {"view": "front", "outcome": "PASS", "reason": "card_stale", "product": "P9"},
        "no match, common fields": {"view": "front", "outcome": "PASS", "product": "P0", **span},
    }


def selection(asked: dict[str, str]) -> Selection:
    """The same for the index."""
    fields = {name: value for name, value in asked.items() if name not in ("from", "to")}
    times = {
        name: datetime.fromisoformat(asked[key]).astimezone()
        for name, key in (("since", "from"), ("until", "to"))
        if key in asked
    }
    return Selection(**fields, **times)  # type: ignore[arg-type]


def timed(work: Callable[[], object], rounds: int) -> np.ndarray:
    """Milliseconds of each round, on the clock and of this process's processor time."""
    taken = []
    for _ in range(rounds):
        started, worked = time.perf_counter(), time.process_time()
        work()
        taken.append(((time.perf_counter() - started) * 1000, (time.process_time() - worked) * 1000))
    return np.array(taken)


def tell(name: str, taken_ms: np.ndarray) -> bool:
    """A line of the table; whether the limit was kept."""
    wall, cpu = taken_ms.T
    worst = float(wall.max())
    print(f"| {name} | {np.median(wall):.1f} | {np.percentile(wall, 95):.1f} | {worst:.1f} | {np.median(cpu):.1f} |")
    return worst < LIMIT_MS


def of_the_index(folder: Path, count: int, rounds: int) -> bool:
    """The page's questions without HTTP and HTML."""
    pages = ArchivePages(ArchiveReader(folder))
    print(f"\n| index, {count} results, ms | median | p95 | worst | processor |\n|---|---|---|---|---|")

    def ask(asked: Selection, before: Place | None = None) -> Callable[[], object]:
        return lambda: (pages.page(asked, before=before), pages.count_up_to(asked, 1001))

    kept = [tell(name, timed(ask(selection(asked)), rounds)) for name, asked in filters(count).items()]
    deep = Place(int((END - STEP * (count - 100)).timestamp() * 1e6), 0)
    kept.append(tell("deep page", timed(ask(Selection(), deep), rounds)))
    kept.append(tell("deep page of a limited user", timed(ask(Selection(views=("front",)), deep), rounds)))
    facets = timed(lambda: [pages.values_of(name) for name in ("reason", "product")] + [pages.recent_batches()], rounds)  # type: ignore[arg-type]
    kept.append(tell("what may be asked for", facets))
    return all(kept)


def of_the_page(state: Path, count: int, rounds: int) -> bool:
    """The same as a signed-in person's browser asks it: the application, its session, the template."""
    (state / "station").mkdir(exist_ok=True)
    config = write_station(state / "station", state_dir=str(state.resolve()))
    config.with_suffix(".page.yaml").write_text("limits: {per_address: 1000000, per_session: 1000000, burst: 100000}\n")
    print(f"\n| page, {count} results, ms | median | p95 | worst | processor |\n|---|---|---|---|---|")
    with running_page(config) as rig:
        browser = rig.signed_in("vera")
        middle = int((END - STEP * (count // 2)).timestamp() * 1e6)
        last = int((END - STEP * (count - 100)).timestamp() * 1e6)
        asked = {name: urlencode(query) for name, query in filters(count).items()}
        asked |= {
            "page in the middle": f"before={middle}.0",
            "deep page": f"before={last}.0",
            "deep page, by newer": f"after={last}.0",
        }

        def ask(query: str) -> None:
            answer = browser.get(f"/history?{query}")
            assert answer.status_code == 200, answer.text

        browser.get("/history")
        kept = [tell(name, timed(lambda query=query: ask(query), rounds)) for name, query in asked.items()]  # type: ignore[misc]
        pictures = [f"/results/result-{number:07d}/thumbnail" for number in range(1, count, WITH_FILES)][:50]
        for name in ("50 thumbnails, made", "50 thumbnails, again"):
            taken = timed(lambda: [browser.get(path) for path in pictures], 1)
            print(f"| {name} | {taken[0, 0]:.0f} in all | | | {taken[0, 1]:.0f} in all |")
        started = time.perf_counter()
        size = len(browser.get("/history/list.csv").content)
        print(f"\nall {count} as CSV: {time.perf_counter() - started:.1f} s, {size / 1e6:.1f} MB")
    return all(kept)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="keep the archive here, and use the one that is there")
    parser.add_argument("--rounds", type=int, default=30)
    args = parser.parse_args()
    with place(args.folder) as state:
        folder = state / "archive"
        folder.mkdir(exist_ok=True)
        if not (folder / "index.sqlite").exists():
            started = time.perf_counter()
            build(folder, args.results)
            size_mib = (folder / "index.sqlite").stat().st_size / 2**20
            print(f"built in {time.perf_counter() - started:.0f} s, index {size_mib:.0f} MiB")
        kept = of_the_index(folder, args.results, args.rounds)
        kept = of_the_page(state, args.results, args.rounds) and kept
    return 0 if kept else 1


@contextmanager
def place(folder: Path | None) -> Iterator[Path]:
    """The named folder, or one that is gone afterwards."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory() as temporary:
        yield Path(temporary)


if __name__ == "__main__":
    sys.exit(main())
