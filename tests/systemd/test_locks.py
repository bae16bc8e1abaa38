"""What a station installs: each lock fits pyproject.toml, names every package by hash, and a station has wheels for it."""

import configparser
import os
import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.systemd.boxes import ROOT, SYSTEMD

LOCKS = sorted((SYSTEMD / "locks").glob("*-py*.txt"))
EXTRAS = ("genicam", "calibration", "web", "gpio", "opcua", "pdf", "signing")
PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)==([^ ;\\]+)(?: ; ([^\\]+?))? *\\?$")


def pins(path: Path) -> dict[str, Version]:
    """Name and version of each package; fails where one has no hash."""
    found: dict[str, Version] = {}
    hashed: dict[str, int] = {}
    name = ""
    for line in path.read_text().splitlines():
        if match := PINNED.match(line):
            name = canonicalize_name(match[1])
            assert name not in found, name
            found[name], hashed[name] = Version(match[2]), 0
        elif line.startswith("    --hash="):
            assert re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line), line
            hashed[name] += 1
        else:
            assert line.startswith("    #"), line
    assert not [package for package, count in hashed.items() if not count]
    return found


def project() -> tuple[list[str], dict[str, list[str]]]:
    """Requirements of pyproject.toml: of the runtime and of each extra. Python 3.10 reads no TOML."""
    text = (ROOT / "pyproject.toml").read_text()
    main = re.search(r"^dependencies = \[(.*?)^\]", text, re.S | re.M)
    extras = re.search(r"^\[project\.optional-dependencies\]\n(.*?)^\[", text, re.S | re.M)
    assert main is not None
    assert extras is not None
    found = {}
    for name, body in re.findall(r"^([a-z-]+) = \[(.*?)\]$", extras[1], re.S | re.M):
        found[name] = re.findall(r'"([^"]+)"', body)
    return re.findall(r'"([^"]+)"', main[1]), found


def test_there_is_one_for_every_platform_and_python():
    assert {path.stem for path in LOCKS} == {
        f"{machine}-py3.{minor}" for machine in ("x86_64", "aarch64") for minor in (10, 11, 12, 13)
    }


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_it_satisfies_what_the_project_needs(path):
    found = pins(path)
    main, extras = project()
    machine, python = path.stem.split("-py")
    environment = {"python_version": python, "platform_machine": machine, "sys_platform": "linux", "extra": ""}
    needed = [Requirement(text) for text in [*main, *(text for name in EXTRAS for text in extras[name])]]
    assert len(needed) > 12
    for requirement in needed:
        if requirement.marker is None or requirement.marker.evaluate(environment):
            name = canonicalize_name(requirement.name)
            assert name in found, f"{path.name} lacks {requirement}: run systemd/lock.sh"
            assert requirement.specifier.contains(found[name]), f"{path.name}: {name} {found[name]}, but {requirement}"
    assert not {"torch", "onnx", "setuptools"} & set(found)


def test_the_extras_are_those_of_the_installer_and_of_the_script_that_makes_locks():
    assert f'extras="{",".join(EXTRAS)}"' in (SYSTEMD / "install.sh").read_text()
    assert f"extras=({' '.join(EXTRAS)})" in (SYSTEMD / "lock.sh").read_text()


def test_jetpack_6_gets_what_there_is_for_it():
    found = pins(SYSTEMD / "locks/aarch64-py3.10.txt")
    assert found["numpy"] < Version("2.3")
    assert found["onnxruntime"] < Version("1.24")


def test_the_build_tool_is_pinned_too():
    found = pins(SYSTEMD / "locks/build.txt")
    assert set(found) == {"setuptools"}
    builder = configparser.ConfigParser()
    builder.read_string((ROOT / "pyproject.toml").read_text().split("[project]")[0])
    (text,) = re.findall(r'"([^"]+)"', builder["build-system"]["requires"])
    assert Requirement(text).specifier.contains(found["setuptools"])


@pytest.mark.parametrize(
    ("script", "arguments", "environment", "said"),
    [
        ("wheelhouse.sh", ("x",), {"ARCH": "riscv64"}, "has no lock"),
        ("lock.sh", ("x86_64",), {"UV": "/bin/true"}, "usage"),
        ("lock.sh", (), {"UV": "/nowhere/uv"}, "is not installed"),
        ("audit.sh", (), {"PIP_AUDIT": "/nowhere/pip-audit"}, "is not installed"),
    ],
)
def test_bad_use_of_the_scripts_is_said(tmp_path, script, arguments, environment, said):

    done = subprocess.run(
        ["bash", str(SYSTEMD / script), *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **environment},
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []
