"""Labelling and export in the real application, and the real commands on what came of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from calibration.__main__ import main
from calibration.labels import read_labels
from edge.archive import verify_export
from edge.bundle.image import encode_png
from tests.cli.running import ROOT
from tests.web.history.parts import ODD_BATCH, Shot, bad, good, page_with
from tests.web.parts import Browser, Rig

BOX = json.dumps([{"kind": "box", "points": [[100, 70], [140, 110]]}])


@pytest.fixture
def labelled(line: Rig, otto: Browser) -> Iterator[Path]:
    """The labels' folder of the feeder; everything is taken back afterwards."""
    yield line.site.folder / "labels" / "feeder"
    for name in re.findall(r"/labels/feeder/([0-9a-f]{32})/remove", otto.get("/labels/feeder").text):
        assert otto.post(f"/labels/feeder/{name}/remove").status_code == 200
    assert "No picture of this view is labelled yet" in otto.get("/labels/feeder").text


def test_a_person_says_what_a_picture_is_and_what_of_it_is_bad(line: Rig, otto: Browser, labelled: Path) -> None:
    page = otto.post("/results/r0007/label", {"says": "good"})
    assert "Kept: this picture is good." in page.text
    assert "By Otto Braun," in page.text
    page = otto.post("/results/r0003/label", {"says": "drawn", "drawn": BOX, "note": "a <b>cap</b>"})
    assert "Bad, drawn" in page.text
    assert "a &lt;b&gt;cap&lt;/b&gt;" in page.text
    form = otto.get("/results/r0003/label").text
    assert "100.0,70.0" in form
    assert re.search(r'value="drawn" required checked', form)
    overview = otto.get("/labels/feeder").text
    assert "1 good, 1 bad" in overview
    assert "1 of the bad ones" in overview
    picture = re.search(r'src="(/labels/feeder/[0-9a-f]{32}/picture)"', overview)
    assert picture is not None
    assert otto.get(picture[1]).content.startswith(b"\xff\xd8")
    assert otto.get("/labels/feeder/set.zip").content[:2] == b"PK"
    assert {item.label for item in read_labels(labelled).items} == {"good", "bad"}
    assert 'class="badge label-bad"' in otto.get("/history").text
    entries = [json.loads(text) for text in (line.site.audit.folder / "audit-000001.jsonl").read_text().splitlines()]
    assert [entry["who"] for entry in entries if entry["subject"] == "label feeder"][:2] == ["Otto Braun", "Otto Braun"]


@pytest.mark.parametrize(
    ("form", "status", "said"),
    [
        ({"says": "drawn"}, 422, "Nothing is drawn yet"),
        ({"says": "drawn", "drawn": "[]"}, 422, "Nothing is drawn yet"),
        ({"says": "drawn", "drawn": "{nonsense"}, 422, "cannot be read"),
        ({"says": "drawn", "drawn": '[{"kind":"box","points":[[9000,9000],[9001,9001]]}]'}, 422, "marks nothing"),
        ({"says": "great"}, 422, ""),
        ({}, 422, ""),
        ({"says": "good", "note": "x" * 5000}, 422, ""),
    ],
)
def test_what_is_no_label_is_said_and_the_form_comes_back(otto: Browser, form: dict[str, str], status: int, said: str) -> None:
    answer = otto.post("/results/r0003/label", form)
    assert answer.status_code == status
    assert said in answer.text
    assert "label-good" not in otto.get("/results/r0003").text


def test_the_evaluation_reads_what_the_page_wrote(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shots = (
        Shot(good(1), 9),
        Shot(good(2), 8),
        Shot(bad(3), 7),
        Shot(bad(4), 6),
        Shot(bad(5), 5),
        Shot(bad(6), 4),
        Shot(bad(7), 3),
    )
    with page_with(tmp_path, shots) as rig:
        browser = rig.signed_in("otto")
        for number, says in enumerate(("good", "good", "drawn", "bad", "bad", "bad", "bad"), 1):
            form = {"says": says, "drawn": BOX if says == "drawn" else ""}
            assert browser.post(f"/results/r{number:04d}/label", form).status_code == 200
        recipe, labels = tmp_path / "recipes" / "feeder", tmp_path / "state" / "page" / "labels" / "feeder"
        command = [
            sys.executable,
            "-m",
            "calibration",
            "evaluate",
            "--recipe",
            recipe,
            "--labels",
            labels,
            "--rounds",
            "0",
            "--json",
        ]
        done = subprocess.run(command, capture_output=True, cwd=ROOT, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert json.dumps(report).count(".png") >= 7
        good_folder = tmp_path / "good"
        good_folder.mkdir()
        for seed in range(20, 26):
            (good_folder / f"{seed}.png").write_bytes(encode_png(good(seed)))
        assert (
            main(
                [
                    "thresholds",
                    "--recipe",
                    str(recipe),
                    "--images",
                    str(good_folder),
                    "--bad",
                    str(labels / "test" / "bad"),
                    "--compare",
                ]
            )
            == 0
        )
        assert "cost" in capsys.readouterr().out


def test_a_batch_is_exported_as_the_command_does_it(line: Rig, otto: Browser) -> None:
    page = otto.post("/history/exports", {"batch": ODD_BATCH})
    job_id = str(page.url).rpartition("/")[2]
    job = line.site.jobs.wait(job_id, 30)
    assert job is not None
    assert job.state == "done", job.error
    page = otto.get(f"/history/exports/{job_id}")
    assert job.result.manifest_sha256 in page.text
    answer = otto.get(f"/history/exports/{job_id}/zip")
    assert answer.headers["content-type"] == "application/zip"
    assert "B_47" in answer.headers["content-disposition"]
    out = line.site.folder / "fetched.zip"
    out.write_bytes(answer.content)
    assert verify_export(out) == []
    other = line.signed_in("tina")
    assert other.get(f"/history/exports/{job_id}").status_code == 404
    assert other.get(f"/history/exports/{job_id}/zip").status_code == 404
    job.result.path.unlink()
    assert otto.get(f"/history/exports/{job_id}/zip").status_code == 404
    assert "not there any more" in otto.get(f"/history/exports/{job_id}").text
    assert otto.post("/history/exports", {"batch": "no such"}).status_code == 404
    assert '"action":"export"' in (line.site.audit.folder / "audit-000001.jsonl").read_text()
