"""`lineclear archive verify CONFIG --keep`: what the weekly timer runs."""

import json

import pytest

from edge.archive import ArchiveReader
from edge.checkup import CheckupOutcome, read_checkup
from edge.cli.commands import archive
from edge.cli.terminal import Parser, run_command
from tests.archive.samples import bare, evidence, stored
from tests.cli.running import station


@pytest.fixture
def command(capsys):
    def call(*arguments):
        parser = Parser(prog="lineclear archive")
        archive.add_arguments(parser)
        status = run_command("lineclear archive", lambda: archive.run(parser.parse_args([str(part) for part in arguments])))
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


def kept(folder):
    found = read_checkup(folder / "state", "archive-verify")
    assert found is not None
    return found


def test_a_sound_archive(command, tmp_path):
    config = station(tmp_path)
    stored(tmp_path / "state" / "archive", evidence(1), bare(2, view="back"))
    assert command("verify", config, "--keep")[:2] == (0, "2 results, each as it was written\n")
    found = kept(tmp_path)
    assert (found.outcome, found.figures["entries"], found.figures["findings"]) == (CheckupOutcome.OK, 2, 0)


def test_evidence_that_was_changed_is_listed_and_kept(command, tmp_path):
    config = station(tmp_path)
    folder = tmp_path / "state" / "archive"
    stored(folder, evidence(1), bare(2, view="back"))
    entry = ArchiveReader(folder).get("result-1")
    assert entry is not None
    (entry.folder / entry.files["frame"]).write_bytes(b"forged")
    status, out, _ = command("verify", config, "--keep", "--json")
    assert status == 1
    assert json.loads(out)["kind"] == "changed"
    found = kept(tmp_path)
    assert found.outcome is CheckupOutcome.ATTENTION
    assert found.figures["findings.changed"] == 1
    assert "not as it was written" in found.summary
    assert str(config) in found.remedy


def test_an_index_that_cannot_be_read_is_an_outcome(command, tmp_path):
    config = station(tmp_path)
    folder = tmp_path / "state" / "archive"
    stored(folder, evidence(1))
    for path in folder.glob("index*"):
        path.unlink()
    (folder / "index.sqlite").write_bytes(b"no database" * 1000)
    status, out, err = command("verify", config, "--keep")
    assert (status, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert kept(tmp_path).outcome is CheckupOutcome.FAILED


def test_nothing_yet_and_switched_off(command, tmp_path):
    (tmp_path / "state").mkdir()
    assert command("verify", station(tmp_path), "--keep")[0] == 0
    assert kept(tmp_path).outcome is CheckupOutcome.UNKNOWN
    assert command("verify", station(tmp_path, archive={"enabled": False}), "--keep")[0] == 0
    assert kept(tmp_path).outcome is CheckupOutcome.OK


def test_it_needs_a_config_and_a_state_folder(command, tmp_path):
    status, _, err = command("verify", tmp_path, "--keep")
    assert (status, "is a folder" in err) == (3, True)
    status, _, err = command("verify", station(tmp_path), "--keep")
    assert (status, "cannot be written" in err) == (3, True)
