"""`lineclear archive`, as a person and as a script use it."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.archive import ArchiveReader
from edge.cli.commands import archive
from edge.cli.terminal import Parser, run_command
from tests.archive.samples import bare, evidence, stored
from tests.cli.running import station

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*arguments: object) -> tuple[int, str, str]:
        parser = Parser(prog="lineclear archive", description=archive.DESCRIPTION, epilog=archive.EPILOG)
        archive.add_arguments(parser)
        try:
            status = run_command("lineclear archive", lambda: archive.run(parser.parse_args([str(part) for part in arguments])))
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return status, said.out, said.err

    return call


@pytest.fixture
def reader(tmp_path: Path) -> ArchiveReader:
    return stored(
        tmp_path / "state" / "archive",
        evidence(1),
        bare(2, batch="B\n2", view="back"),
        bare(3, kind="clearance", outcome="CLEAR", view=""),
    )


def test_list_shows_results_newest_first(command: Command, reader: ArchiveReader) -> None:
    status, out, err = command("list", reader.folder)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        "2026-11-22 07:15:06Z  clearance  CLEAR (camera_lost)  batch B1  result-3",
        "2026-11-22 07:15:05Z  back  UNDECIDED (camera_lost)  batch B\\n2  result-2",
        "2026-11-22 07:15:04Z  front  FAIL  batch B1  result-1",
    ]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--batch", "B1"), [3, 1]),
        (("--batch", "B\n2"), [2]),
        (("--view", "front"), [1]),
        (("--outcome", "CLEAR"), [3]),
        (("--kind", "verdict", "--limit", "1"), [2]),
        (("--since", "2026-11-22T07:15:05"), [3, 2]),
        (("--until", "2026-11-22T08:15:05+01:00"), [1]),
        (("--until", "2026-11-22T07:15:05Z"), [1]),
        (("--clearance", "none"), []),
    ],
)
def test_list_finds_what_is_asked_for(
    command: Command, reader: ArchiveReader, options: tuple[str, ...], found: list[int]
) -> None:
    status, out, _ = command("list", reader.folder, "--json", *options)
    assert status == 0
    assert [json.loads(line)["result_id"] for line in out.splitlines()] == [f"result-{number}" for number in found]


def test_scripts_get_the_paths_of_the_files(command: Command, reader: ArchiveReader) -> None:
    _, out, _ = command("list", reader.folder, "--json", "--view", "front")
    document = json.loads(out)
    assert Path(document["files"]["frame"]).read_bytes().startswith(b"\x89PNG")
    assert set(document["files"]) == set(document["sha256"]) == {"frame", "overlay", "map", "document"}


def test_show_tells_one_result(command: Command, reader: ArchiveReader) -> None:
    status, out, _ = command("show", reader.folder, "result-1")
    assert status == 0
    assert "outcome        FAIL\n" in out
    assert ".frame.png\n" in out
    document = json.loads(command("show", reader.folder, "result-1", "--json")[1])
    assert document["document"] == {"resultId": "result-1", "outcome": "FAIL", "regions": []}


def test_a_result_that_is_not_there_ends_with_1(command: Command, reader: ArchiveReader) -> None:
    status, out, err = command("show", reader.folder, "result-9")
    assert (status, out) == (1, "")
    assert "no evidence of result result-9: it was never kept, or was deleted by age" in err


def test_export_and_verify_the_zip(command: Command, reader: ArchiveReader, tmp_path: Path) -> None:
    out_zip = tmp_path / "B.zip"
    status, out, _ = command("export", reader.folder, "--batch", "B1", "--out", out_zip)
    assert status == 0
    assert out.startswith(f"{out_zip}: 2 results, 6 files, ")
    assert zipfile.ZipFile(out_zip).testzip() is None
    assert command("verify", out_zip)[:2] == (0, "sound\n")
    document = json.loads(command("export", reader.folder, "--batch", "B1", "--out", out_zip, "--json")[1])
    assert document["manifest_sha256"] in out
    data = bytearray(out_zip.read_bytes())
    data[data.index(b"\x89PNG") + 60] ^= 1
    out_zip.write_bytes(data)
    status, said, _ = command("verify", out_zip, "--json")
    assert (status, json.loads(said)["kind"]) == (1, "changed")


def test_verify_ends_with_1_and_names_the_file(command: Command, reader: ArchiveReader) -> None:
    assert command("verify", reader.folder)[:2] == (0, "sound\n")
    entry = reader.find(view="front")[0]
    (entry.folder / entry.files["frame"]).write_bytes(b"")
    status, out, _ = command("verify", reader.folder)
    assert status == 1
    assert out == f"2026-11-22/07/{entry.files['frame']}: the frame is not as it was written\n1 findings\n"
    status, said, _ = command("export", reader.folder, "--batch", "B1", "--out", reader.folder.parent / "B.zip")
    assert (status, said.splitlines()[0].rpartition(": ")[2]) == (1, "is not as it was written")


def test_it_is_found_in_the_state_folder_and_by_the_config(command: Command, reader: ArchiveReader, tmp_path: Path) -> None:
    config = station(tmp_path)
    assert [command("verify", place)[0] for place in (config, tmp_path / "state", reader.folder)] == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("list", "{folder}", "--since", "yesterday"), "is no time: write such as 2026-11-22T06:00"),
        (("list", "{folder}", "--limit", "0"), "is no number of results"),
        (("list", "{folder}/absent.yaml"), "file not found"),
        (("show", "{folder}"), "RESULT_ID"),
        (("export", "{folder}", "--batch", "none", "--out", "{folder}/x.zip"), "has no evidence of batch 'none'"),
        (("export", "{folder}", "--batch", "B1", "--out", "{folder}/no/x.zip"), "cannot be written"),
        (("verify", "{folder}/.."), "holds no archive"),
        ((), "list|show|export|verify"),
    ],
)
def test_bad_use_ends_with_3(
    command: Command, reader: ArchiveReader, arguments: tuple[str, ...], problem: str, tmp_path: Path
) -> None:
    folder = tmp_path / "else" / "deep"
    folder.mkdir(parents=True)
    place = reader.folder if "verify" not in arguments else folder
    status, out, err = command(*(part.format(folder=place) for part in arguments))
    assert (status, out) == (3, "")
    assert problem in err
