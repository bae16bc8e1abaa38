"""`lineclear audit`, as a person and as a script use it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edge.audit import Action, AuditLog
from edge.cli.commands import audit
from edge.cli.terminal import Parser, run_command
from tests.audit.chains import FIRST, rewrite, written
from tests.cli.running import station

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*arguments: object) -> tuple[int, str, str]:
        parser = Parser(prog="lineclear audit", description=audit.DESCRIPTION, epilog=audit.EPILOG)
        audit.add_arguments(parser)
        try:
            status = run_command("lineclear audit", lambda: audit.run(parser.parse_args([str(part) for part in arguments])))
        except SystemExit as end:
            status = int(end.code or 0)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return status, said.out, said.err

    return call


def test_a_sound_log_ends_with_0_and_shows_its_anchor(command: Command, tmp_path: Path) -> None:
    head = written(tmp_path, 5).head()
    assert command("verify", tmp_path) == (0, f"sound: 5 entries in 1 files\nanchor: {head}\n", "")
    assert command("verify", tmp_path, "--anchor", head)[0] == 0


def test_findings_end_with_1_one_line_each(command: Command, tmp_path: Path) -> None:
    head = written(tmp_path, 6).head()
    rewrite(tmp_path / FIRST, lambda lines: [lines[0], lines[1].replace(b"dust", b"rust"), *lines[2:5]])
    status, out, _ = command("verify", tmp_path, "--anchor", head)
    assert status == 1
    lines = out.splitlines()
    assert lines[0].startswith(f"{FIRST}: entry 6 was announced as")
    assert lines[1] == f"{FIRST}:2: entry 2 is not as it was written"
    assert lines[2] == "2 findings: 4 entries in 1 files"


def test_scripts_get_one_document(command: Command, tmp_path: Path) -> None:
    head = written(tmp_path, 3).head()
    rewrite(tmp_path / FIRST, lambda lines: [lines[0], lines[2]])
    status, out, _ = command("verify", tmp_path, "--json")
    document = json.loads(out)
    assert (status, document["sound"], document["entries"], document["anchor"]) == (1, False, 2, str(head))
    assert [(finding["kind"], finding["sequence"], finding["line"]) for finding in document["findings"]] == [("removed", 2, 2)]


def test_a_mended_end_is_mentioned_and_is_no_finding(command: Command, tmp_path: Path) -> None:
    written(tmp_path, 2)
    with (tmp_path / FIRST).open("ab") as file:
        file.write(b"{torn")
    assert command("verify", tmp_path)[0] == 1
    written_after = AuditLog(tmp_path).append(Action.START, who="station", subject="station")
    assert command("verify", tmp_path)[:2] == (
        0,
        f"sound: 4 entries in 1 files, 1 repaired ends\nanchor: {written_after.anchor}\n",
    )


@pytest.mark.parametrize("anchor", ["", "5", "5:xyz", "-1:" + "a" * 64])
def test_what_is_no_anchor_ends_with_3(command: Command, tmp_path: Path, anchor: str) -> None:
    written(tmp_path, 1)
    status, out, err = command("verify", tmp_path, f"--anchor={anchor}")
    assert (status, out) == (3, "")
    assert "is no anchor: write it as health shows it" in err


def test_no_log_ends_with_3(command: Command, tmp_path: Path) -> None:
    status, out, err = command("verify", tmp_path)
    assert (status, out) == (3, "")
    assert err == f"lineclear audit: {tmp_path}: holds no audit log: name the folder with audit-000001.jsonl in it\n"


def test_it_is_found_in_the_state_folder_and_by_the_config(command: Command, tmp_path: Path) -> None:
    config = station(tmp_path)
    written(tmp_path / "state" / "audit", 2)
    assert [command("verify", place)[0] for place in (config, tmp_path / "state", tmp_path / "state" / "audit")] == [0, 0, 0]
    assert command("verify", tmp_path / "absent.yaml")[0] == 3


def test_show_prints_who_what_when_and_why_on_one_line(command: Command, tmp_path: Path) -> None:
    written(tmp_path, 2)
    status, out, _ = command("show", tmp_path)
    first, second = out.splitlines()
    assert status == 0
    assert first.startswith("     1  20")
    assert first.endswith('Z  A. Müller  threshold front: {"image_threshold": 1} -> {"image_threshold": 1.5} (dust\\nand more)')
    assert second.startswith("     2  ")


def test_show_picks_what_is_asked_for(command: Command, tmp_path: Path) -> None:
    log = AuditLog(tmp_path)
    for number in range(6):
        action = Action.MASK if number % 2 else Action.START
        log.append(action, who="me" if number < 3 else "you", subject=f"view{number}")

    def shown(*options: str) -> list[int]:
        status, out, _ = command("show", tmp_path, "--json", *options)
        assert status == 0
        return [json.loads(line)["sequence"] for line in out.splitlines()]

    assert shown() == [1, 2, 3, 4, 5, 6]
    assert shown("--action", "mask") == [2, 4, 6]
    assert shown("--action", "mask", "--last", "1") == [6]
    assert shown("--who", "you") == [4, 5, 6]
    assert shown("--subject", "view2") == [3]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (("--action", "coffee"), "is no action: one of threshold, mask"),
        (("--last", "0"), "write such as 20"),
        (("--last", "x"), "20"),
    ],
)
def test_bad_use_of_show_ends_with_3(command: Command, tmp_path: Path, options: tuple[str, ...], problem: str) -> None:
    written(tmp_path, 1)
    status, out, err = command("show", tmp_path, *options)
    assert (status, out) == (3, "")
    assert problem in err


def test_the_manual_names_every_action_and_exit_status(command: Command) -> None:
    status, out, _ = command("verify", "--help")
    assert status == 0
    for text in ("exit status:", "  0  ", "  1  ", "  3  ", "--anchor N:HASH"):
        assert text in out
