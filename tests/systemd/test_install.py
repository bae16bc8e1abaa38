"""The installer: what it says it does, twice is once, and what hurts is refused."""

import os
import subprocess

import pytest
import yaml

from tests.cli.running import process
from tests.systemd.boxes import ROOT, SYSTEMD, make_box, make_recipe_folder, need

STATION = ("--station", "feeder", "--with-mosquitto", "--gige", "eth1")


@pytest.fixture
def box(tmp_path):
    need("mosquitto_passwd", "flock")
    return make_box(tmp_path)


def test_a_dry_run_says_exactly_what_a_run_does(box):
    said = box.install(*STATION, "--dry-run")
    assert said.status == 0, said.err
    assert not box.folder.exists()
    assert all(line.startswith(("would ", "lineclear install: ")) for line in said.out.splitlines())
    done = box.install(*STATION)
    assert done.status == 0, done.err
    assert done.changes == said.changes
    assert len(done.changes) > 25
    again = box.install(*STATION, "--dry-run")
    assert again.changes == []


def test_a_second_run_changes_nothing(box):
    box.install(*STATION)
    before = box.tree()
    again = box.install(*STATION)
    assert (again.status, again.changes) == (0, [])
    assert "nothing changed" in again.out
    assert box.tree() == before


def test_an_upgrade_and_an_uninstall_are_foretold_too(box):
    box.install(*STATION)
    for arguments in (("--extras", "genicam", *STATION), ("--uninstall",), ("--uninstall", "--purge")):
        said = box.install(*arguments, "--dry-run")
        before = box.tree()
        done = box.install(*arguments)
        assert done.changes == said.changes != []
        assert box.tree() != before
        assert box.install(*arguments).changes == []


def test_a_station_gets_a_config_that_is_valid_and_speaks_to_the_local_broker(box):
    box.install(*STATION)
    path = box.folder / "etc/lineclear/feeder.yaml"
    text = path.read_text().replace("/etc/lineclear", str(path.parent)).replace("/var/lib", str(box.folder / "var/lib"))
    path.write_text(text)
    document = yaml.safe_load(text)
    assert document["station"]["station"] == "feeder"
    publisher = document["publisher"]
    assert (publisher["host"], "tls" in publisher) == ("127.0.0.1", False)
    assert publisher["credentials_file"] == str(path.parent / "feeder.mqtt")
    answer = process("validate", path)
    assert len(answer.problems) == 1, answer.err
    assert "is no recipe" in answer.err
    assert (box.folder / "var/lib/lineclear/feeder/recipes").is_dir()


def test_without_a_broker_of_its_own_the_config_keeps_tls(box):
    box.install("--station", "feeder")
    publisher = yaml.safe_load((box.folder / "etc/lineclear/feeder.yaml").read_text())["publisher"]
    assert publisher["tls"] == {}
    assert "credentials_file" not in publisher
    assert not (box.folder / "etc/mosquitto").exists()


def test_what_people_wrote_is_kept(box):
    box.install(*STATION)
    config, acl = box.folder / "etc/lineclear/feeder.yaml", box.folder / "etc/mosquitto/lineclear/acl"
    password = (box.folder / "etc/lineclear/feeder.mqtt").read_text()
    config.write_text(config.read_text() + "# mine\n")
    acl.write_text("user plc\ntopic read #\n" + acl.read_text() + "user panel\n")
    done = box.install(*STATION, "--station", "second", "--extras", "genicam")
    assert done.status == 0, done.err
    assert config.read_text().endswith("# mine\n")
    assert "user plc\ntopic read #\n# begin station feeder" in acl.read_text().replace("user panel\n", "")
    assert "user panel" in acl.read_text()
    assert (box.folder / "etc/lineclear/feeder.mqtt").read_text() == password
    box.install("--uninstall")
    assert config.read_text().endswith("# mine\n")
    assert (box.folder / "var/lib/lineclear/feeder").is_dir()
    assert not (box.folder / "opt/lineclear").exists()
    assert not list((box.folder / "etc/systemd/system").rglob("lineclear*"))


def test_a_purge_leaves_nothing(box):
    box.install(*STATION)
    make_recipe_folder(box)
    assert box.install("--uninstall", "--purge").status == 0
    assert [name for name, (_, what) in box.tree().items() if what != "folder"] == []
    assert not list((box.folder / "var/lib").iterdir())


def test_the_topic_of_the_config_decides_what_the_station_may(box):
    box.install(*STATION)
    config, acl = box.folder / "etc/lineclear/feeder.yaml", box.folder / "etc/mosquitto/lineclear/acl"
    assert "topic write lineclear/basel/packaging/line3/feeder/state" in acl.read_text()
    config.write_text(config.read_text().replace("line: line3", "line: line4"))
    done = box.install(*STATION)
    assert "topic write lineclear/basel/packaging/line4/feeder/state" in acl.read_text()
    assert "line3" not in acl.read_text()
    assert len(done.changes) == 1
    config.write_text("station: [\n")
    refused = box.install(*STATION)
    assert refused.status == 1
    assert "lineclear validate" in refused.err


@pytest.mark.parametrize("name", ["", "../x", "a b", "a;reboot", "a$(id)", "-x", "A", "a\nb", "a" * 41, "ä", "a/b", "."])
@pytest.mark.parametrize("option", ["--station", "--gige"])
def test_names_that_hurt_are_refused_before_anything_happens(box, option, name):
    if option == "--gige" and name in {"A", "a" * 41}:
        name = "x" * 16
    done = box.install(option, name)
    assert (done.status, done.out) == (1, "")
    assert len(done.err.splitlines()) == 1, done.err
    assert option in done.err
    assert not box.folder.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--extras", "a;b"), "separated by commas"),
        (("--extras", "../x"), "separated by commas"),
        (("--wheelhouse", "/nowhere"), "no such folder"),
        (("--purge",), "goes with --uninstall"),
        (("--statoin", "x"), "is no option"),
        (("--station",), "needs a value"),
        (("--python", "/nowhere/python3"), "no Python 3.10 to 3.13"),
        (("--destdir", "relative"), "from the root"),
    ],
)
def test_bad_use_is_one_line(box, arguments, said):
    done = box.install(*arguments)
    assert (done.status, done.out) == (1, "")
    assert said in done.err
    assert len(done.err.splitlines()) == 1
    assert not (box.folder / "opt").exists()


def test_a_folder_with_strange_letters_in_its_name(tmp_path):
    need("mosquitto_passwd", "flock")
    box = make_box(tmp_path, "a b;'\"$(id) *ü")
    assert box.install(*STATION).status == 0
    assert box.install(*STATION).changes == []
    assert box.current()
    assert box.install("--uninstall", "--purge").status == 0
    assert not (box.folder / "opt/lineclear").exists()


def test_the_machine_is_looked_at_first(box):
    for environment, said in (
        ({"FAKE_VERSION": "3.9"}, "no Python 3.10 to 3.13"),
        ({"FAKE_NO_VENV": "1"}, "apt-get install python3.11-venv"),
    ):
        done = box.install(**environment)
        assert (done.status, done.out) == (1, "")
        assert said in done.err
    assert not (box.folder / "opt").exists()


def test_a_jetson_takes_its_own_tensorrt(box):
    (box.folder / "etc").mkdir(parents=True)
    (box.folder / "etc/nv_tegra_release").write_text("# R36 (release)\n")
    refused = box.install(FAKE_NO_TENSORRT="1")
    assert refused.status == 1
    assert "nvidia-jetpack" in refused.err
    (box.folder / "usr/local/cuda").mkdir(parents=True)
    version = (
        '{\n   "cuda" : {\n      "name" : "CUDA SDK",\n      "version" : "12.6.68"\n   },\n   "x" : {"version" : "1.2"}\n}\n'
    )
    (box.folder / "usr/local/cuda/version.json").write_text(version)
    assert box.install().status == 0
    assert (box.current() / "pip").read_text().splitlines()[-1].endswith(" cuda-bindings==12.*")
    assert "--system-site-packages" in (box.current() / "made-with").read_text()


def test_what_the_lock_pins_is_installed_by_hash_and_nothing_moves_it(box):
    box.install("--extras", "genicam,tensorrt-rtx")
    first, *_, last = (box.current() / "pip").read_text().splitlines()
    assert "--require-hashes" in first
    assert f"{os.uname().machine}-py3.11.txt" in first
    assert "[genicam,tensorrt-rtx]" in last
    assert "--constraint" in last
    pins = (box.current() / ".pins").read_text()
    assert "numpy==" in pins
    assert "sha256" not in pins


def test_a_release_that_does_not_start_is_not_switched_to(box):
    box.install(*STATION)
    before = box.current()
    for environment, said in (({"FAKE_BROKEN": "1"}, "does not start"), ({"FAKE_PIP_FAILS": "1"}, "pip could not install")):
        done = box.install("--extras", "genicam", **environment)
        assert done.status == 1
        assert said in done.err
        assert box.current() == before
    assert box.install("--extras", "genicam").status == 0
    assert box.current() != before


def test_old_releases_go_but_never_the_one_before(box):
    names = []
    for extras in ("genicam", "gpio", "opcua", "pdf"):
        assert box.install("--extras", extras).status == 0
        names.append(box.current().name)
    left = {path.name for path in (box.folder / "opt/lineclear/releases").iterdir()}
    assert left == set(names[1:])
    assert {path.name for path in (box.folder / "opt/lineclear/snapshots").iterdir()} == set(names[1:3])


def test_a_link_in_the_place_of_a_folder_is_not_followed(box, tmp_path):
    box.install()
    victim = tmp_path / "victim"
    victim.mkdir(mode=0o755)
    (box.folder / "var/lib/lineclear/feeder").symlink_to(victim)
    done = box.install("--station", "feeder")
    assert done.status == 1
    assert "is a link" in done.err
    assert list(victim.iterdir()) == []


def test_two_at_once_are_refused(box):
    box.install()
    lock = box.folder / "run/lineclear-install.lock"
    with lock.open() as held:
        subprocess.run(["flock", "--nonblock", str(held.fileno())], check=True, pass_fds=[held.fileno()])
        for done in (box.install("--extras", "genicam"), box.rollback()):
            assert done.status == 1
            assert "is running" in done.err


def test_secrets_are_readable_by_their_owner_alone_and_never_said(box):
    done = box.install(*STATION)
    path = box.folder / "etc/lineclear/feeder.mqtt"
    user, password = path.read_text().strip().split(":")
    assert (user, len(password)) == ("feeder", 32)
    assert path.stat().st_mode & 0o777 == 0o600
    hashed = box.folder / "etc/mosquitto/lineclear/passwords"
    assert hashed.stat().st_mode & 0o777 == 0o640
    assert password not in hashed.read_text() + done.out + done.err
    other = make_box(box.folder.parent, "other")
    other.install(*STATION)
    assert (other.folder / "etc/lineclear/feeder.mqtt").read_text() != path.read_text()


def test_shellcheck_is_content():
    need("shellcheck")
    scripts = [*SYSTEMD.glob("*.sh"), SYSTEMD / "lineclear-rollback"]
    done = subprocess.run(
        ["shellcheck", "-x", "-P", str(ROOT), *map(str, scripts)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stdout
    assert len(scripts) == 5
