"""`lineclear archive export`: the zip with its report, as a person and a script get it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.archive import verify_export
from edge.cli.commands import archive
from edge.cli.terminal import Parser, run_command
from tests.batch_report import samples
from tests.batch_report.reading import read

Command = Callable[..., tuple[int, str, str]]
ANCHOR = "1742:" + "9f86d081" * 8


@pytest.fixture
def export(capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*arguments: object) -> tuple[int, str, str]:
        parser = Parser(prog="lineclear archive")
        archive.add_arguments(parser)
        args = parser.parse_args(["export", *map(str, arguments)])
        status = run_command("lineclear archive", lambda: archive.run(args))
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return status, said.out, said.err

    return call


@pytest.fixture
def place(tmp_path: Path) -> Path:
    samples.batch(tmp_path / "archive")
    return tmp_path / "archive"


def test_the_zip_holds_a_report_and_verifies(export: Command, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "B.zip"
    status, said, _ = export(place, "--batch", samples.BATCH, "--out", out, "--anchor", ANCHOR)
    assert status == 0
    assert said.startswith(f"{out}: 11 results, 28 files, ")
    assert verify_export(out) == []
    with zipfile.ZipFile(out) as source:
        page = read(source.read("report.html"))
        manifest = json.loads(source.read("manifest.json"))
        assert "report.pdf" not in source.namelist()
        listed = [name for name in manifest["files"] if name != "report.html"]
        assert all(name in page.words and manifest["files"][name]["sha256"] in page.words for name in listed)
    assert ANCHOR in page.words
    assert "report.html" in manifest["files"]


def test_the_same_as_pdf(export: Command, place: Path, tmp_path: Path) -> None:
    pytest.importorskip("fpdf", reason="fpdf2 is not installed")
    first, second = tmp_path / "1.zip", tmp_path / "2.zip"
    for out in (first, second):
        assert export(place, "--batch", samples.BATCH, "--out", out, "--pdf")[0] == 0
    assert first.read_bytes() == second.read_bytes()
    assert verify_export(first) == []
    with zipfile.ZipFile(first) as source:
        assert source.read("report.pdf").startswith(b"%PDF")


def test_damage_is_in_the_report_and_in_the_exit_status(export: Command, place: Path, tmp_path: Path) -> None:
    overlay = min(place.rglob("*_front_FAIL_*.overlay.jpg"))
    overlay.write_bytes(b"changed")
    out = tmp_path / "B.zip"
    status, said, _ = export(place, "--batch", samples.BATCH, "--out", out)
    assert status == 1
    assert "is not as it was written" in said
    with zipfile.ZipFile(out) as source:
        assert f"{overlay.name}: is not as it was written" in read(source.read("report.html")).words


def test_a_batch_that_grows_meanwhile_must_be_exported_again(
    export: Command, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import edge.batch_report
    from edge.batch_report import BatchContent, html_report

    def grow(content: BatchContent, **given: str) -> bytes:
        late = samples.verdict("front-99", "front", "FAIL", 999, None)
        samples.stored(place, samples.evidence_of(late))
        return html_report(content, **given)  # type: ignore[arg-type]

    monkeypatch.setattr(edge.batch_report, "html_report", grow)
    status, _, err = export(place, "--batch", samples.BATCH, "--out", tmp_path / "B.zip")
    assert status == 1
    assert "the batch changed while" in err
    assert "export again" in err


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--batch", "none"), "has no evidence of batch 'none'"),
        (("--batch", samples.BATCH, "--anchor", "17"), "'17' is no anchor"),
    ],
)
def test_bad_use_ends_with_3_and_writes_nothing(
    options: tuple[str, ...], problem: str, export: Command, place: Path, tmp_path: Path
) -> None:
    status, _, err = export(place, "--out", tmp_path / "B.zip", *options)
    assert (status, problem in err) == (3, True)
    assert not (tmp_path / "B.zip").exists()


def test_without_fpdf_the_command_says_what_to_install_before_it_reads(place: Path, tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['fpdf'] = None\n"
        "from edge.__main__ import main\n"
        f"raise SystemExit(main(['archive', 'export', {str(place)!r}, '--batch', 'B4711', '--out', 'B.zip', '--pdf']))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env={"PYTHONPATH": str(root)}, capture_output=True, text=True
    )
    assert done.returncode == 3
    assert 'pip install "lineclear[pdf]"' in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "B.zip").exists()
