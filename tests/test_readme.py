"""What README.md tells a stranger to type works, and its links lead somewhere."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.running import CONFIGS, ROOT, simulated, station
from tests.schemas import schema_of, validate_message

README = (ROOT / "README.md").read_text()
PACKAGES = {"lineclear": "edge", "lineclear-export": "export", "lineclear-calibrate": "calibration"}
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def blocks() -> list[str]:
    """The commands of the indented blocks, continued lines joined, comments and blanks gone."""
    found = []
    for block in re.findall(r"(?:^ {4,}\S.*\n)+", README, re.MULTILINE):
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            command = line.split(" # ")[0].strip()
            if command:
                found.append(command)
    return found


def shown(name: str) -> list[str]:
    """All commands of one kind, in code blocks and in running text."""
    return [command for command in [*blocks(), *re.findall(r"`([^`]+)`", README)] if command.split()[0] == name]


def run(command: str, folder: Path, status: int = 0) -> subprocess.CompletedProcess[str]:
    """A command of the page by this checkout's own code, in `folder`, with the shell's `*`."""
    words = []
    for word in shlex.split(command):
        matches = sorted(path.relative_to(folder) for path in folder.glob(word)) if "*" in word else []
        words += map(str, matches) or [word] if matches else [word]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    whole = [sys.executable, "-m", PACKAGES[words[0]], *words[1:]]
    done = subprocess.run(whole, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False), (command, done.stdout, done.stderr)
    return done


def test_every_command_on_the_page_is_one_of_ours() -> None:
    """A command that is new on the page must be tested here too."""
    names = {command.split()[0] for command in blocks()}
    assert names <= {"make", *PACKAGES}
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {command.split()[1] for command in shown("make") if len(command.split()) > 1} <= set(targets)


def test_the_five_steps(tmp_path) -> None:
    """Steps 3 to 5 as they stand on the page, with a simulated camera."""
    (tmp_path / "masks").mkdir()
    (tmp_path / "masks" / "feeder.yaml").write_text("masks: [{name: wheel, points: [[0, 0], [0.1, 0], [0.1, 0.1]]}]\n")
    shutil.copytree(CONFIGS / "replay", tmp_path / "some" / "images")
    steps = [command for command in blocks() if command.split()[0] in PACKAGES]
    assert [" ".join(step.split()[:2]) for step in steps] == [
        "lineclear-calibrate collect", "lineclear-calibrate collect", "lineclear-export variation",
        "lineclear-calibrate reference", "lineclear-calibrate recipe", "lineclear-calibrate thresholds", "lineclear judge",
    ]  # fmt: skip
    for number, step in enumerate(steps):
        # A simulated camera shows the same frames whenever it is started; a real one does not.
        firm = simulated(nudge={"sigma_px": 0.02, "sigma_deg": 0.0}, seed=min(number, 1))
        station(tmp_path, views={"feeder": {"recipe": "recipes/feeder", "camera": firm}})
        done = run(step, tmp_path)
    assert len(done.stdout.splitlines()) == 3
    assert len(list((tmp_path / "overlays").iterdir())) == 3
    (doctor,) = [command for command in shown("lineclear") if command.startswith("lineclear doctor")]
    run(doctor, tmp_path)
    (check,) = [c for c in shown("lineclear") if c.startswith("lineclear check station.yaml")]
    assert run(check, tmp_path).stdout.startswith("CLEAR  batch B1204  product tablets-10mg  #1\n")


def test_the_check_without_a_camera_works_as_it_stands(tmp_path) -> None:
    (check,) = [command for command in shown("lineclear") if command.startswith("lineclear check configs/simulated.yaml")]
    copied = shutil.copytree(CONFIGS, tmp_path / "configs", ignore=shutil.ignore_patterns("state"))
    assert copied.is_dir()
    assert run(check, tmp_path).stdout.startswith("CLEAR  batch B1  product demo  #1\n")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    broken = [link for link in links if not (page.parent / link).exists()]
    assert not broken


@pytest.mark.slow
def test_the_demo(tmp_path) -> None:
    """The main job of the product in one command, without what `make demo` installs."""
    pytest.importorskip("amqtt", reason="needs the demo extra")
    pytest.importorskip("harvesters", reason="needs the demo extra")
    out = tmp_path / "demo"
    command = [sys.executable, "-m", "edge", "demo", "--out", str(out)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout[-2000:]
    messages = [json.loads(line) for line in (out / "messages.jsonl").read_text().splitlines()]
    seen = set()
    for message in messages:
        topic = message.pop("topic")
        validate_message(topic, json.dumps(message).encode())
        seen.add(schema_of(topic))
    assert {"result", "clearance", "state", "health"} <= seen
    clearances = json.loads((out / "clearances.json").read_text())
    assert [clearance["outcome"] for clearance in clearances] == ["CLEAR", "NOT_CLEAR", "UNDECIDED", "CLEAR"]
    assert [clearance["sequence"] for clearance in clearances] == [1, 2, 3, 4]
    page = (out / "index.html").read_text()
    pictures = re.findall(r"<img src='([^']+)'", page)
    assert len(pictures) >= 9
    assert all((out / picture).stat().st_size > 1000 for picture in pictures)
    assert "(expected " not in page
    again = subprocess.run([*command[:-1], str(CONFIGS)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stdout, len(again.stderr.splitlines())) == (3, "", 1)
    assert "is not empty and was not made by a demo" in again.stderr
