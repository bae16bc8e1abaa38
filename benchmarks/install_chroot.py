"""The installer in a chroot of a bare distribution: install, again, offline, upgrade, rollback, uninstall, purge.

    sudo python -m benchmarks.install_chroot bookworm --wheelhouse wheelhouse [--cache DIR] [--keyring FILE]

Needs root, debootstrap and the distribution's mirror; jammy and noble also Ubuntu's keyring. Everything is made below a folder
of its own in a mount namespace of its own, and gone afterwards. There is no systemd in a chroot: what a running one would do
(start, reload, watchdog) is not seen here. Exit status 1 where a step is not as it must be.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ("edge", "export", "calibration", "configs", "systemd", "pyproject.toml", "README.md")
MIRRORS = {
    "bookworm": "https://deb.debian.org/debian",
    "jammy": "http://archive.ubuntu.com/ubuntu",
    "noble": "http://archive.ubuntu.com/ubuntu",
}
PACKAGES = "ca-certificates,python3,python3-venv"
# Mounts live and die with the namespace. The host's authorities: pip and apt come through whatever this machine is behind.
ENTER = """
mount --make-rprivate /
mount -t proc proc "$1/proc"; mount -t tmpfs tmpfs "$1/run"; mount --rbind /dev "$1/dev"
cp /etc/resolv.conf "$1/etc/resolv.conf"
for certificates in /etc/ssl/certs /usr/local/share/ca-certificates; do mount --bind $certificates "$1$certificates"; done
exec chroot "$1" /bin/bash -c "$2"
"""
INSTALL = "/src/systemd/install.sh --station feeder --with-mosquitto"
OFFLINE = f"{INSTALL} --wheelhouse /wheelhouse"
STATE = "/var/lib/lineclear/feeder"


class Box:
    """A chroot. Each step is timed; one that fails is told and remembered."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.name = name
        self.failed = 0

    def run(self, script: str, *, network: bool = True) -> subprocess.CompletedProcess[str]:
        """A script inside, as root; without a network only the loopback."""
        namespace = ["unshare", "--mount", "--pid", "--fork", *([] if network else ["--net"])]
        environment = {
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "LC_ALL": "C.UTF-8",
        }
        bundle = {"SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt", "PIP_CERT": "/etc/ssl/certs/ca-certificates.crt"}
        command = [*namespace, "/bin/bash", "-ec", ENTER, "enter", str(self.folder), script]
        return subprocess.run(command, capture_output=True, text=True, env={**environment, **bundle}, check=False)

    def step(self, what: str, script: str, *expected: str, status: int = 0, network: bool = True, absent: str = "") -> str:
        """One row of the table: it ends with `status`, says all that is expected and not what must be absent."""
        began = time.monotonic()
        done = self.run(script, network=network)
        took = time.monotonic() - began
        said = done.stdout + done.stderr
        missing = [part for part in expected if part not in said]
        wrong = done.returncode != status or missing or (absent and absent in said)
        self.failed += bool(wrong)
        print(f"{self.name:9s} {took:7.1f} s  {'FAILED' if wrong else 'ok':6s} {what}", flush=True)
        if wrong:
            print(f"  status {done.returncode}, not said: {missing}\n{said[-3000:]}", flush=True)
        return done.stdout


def base(name: str, cache: Path, keyring: Path | None) -> Path:
    """A bare distribution, made once per cache."""
    folder = cache / f"{name}-python"
    if not folder.exists():
        half = cache / f"{name}-half"
        shutil.rmtree(half, ignore_errors=True)
        options = ["--variant=minbase", f"--include={PACKAGES}"]
        options += ["--components=main,universe"] if name != "bookworm" else []
        options += [f"--keyring={keyring}"] if keyring else []
        script = [] if name == "bookworm" else ["gutsy"]  # Ubuntu's releases share one script of debootstrap
        subprocess.run(
            ["debootstrap", *options, name, str(half), MIRRORS[name], *script], check=True, stdout=subprocess.DEVNULL
        )
        half.rename(folder)
    return folder


def carry(box: Box, wheelhouse: Path | None) -> None:
    """The source as a checkout has it, and the wheelhouse."""
    (box.folder / "src").mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "state")
    for name in SOURCE:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, box.folder / "src" / name, ignore=ignored)
        else:
            shutil.copy2(source, box.folder / "src" / name)
    if wheelhouse is not None:
        shutil.copytree(wheelhouse, box.folder / "wheelhouse")


def whole_life(box: Box) -> None:
    """From a bare box to an empty one, with a network."""
    box.step(
        "packages: mosquitto",
        "apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mosquitto",
    )
    box.step("pretend", f"{INSTALL} --dry-run >/tmp/pretended", "")
    box.step("install", f"{INSTALL} >/tmp/done", "")
    box.step(
        "it did what it had said",
        "diff <(sed -n 's/^would //p' /tmp/pretended) <(grep -v '^lineclear install: ' /tmp/done)",
        "",
    )
    box.step("install again", INSTALL, "lineclear install: nothing changed")
    box.step("versions", "lineclear --version; /opt/lineclear/current/bin/python -V", "lineclear ")
    box.step(
        "config: only the recipe is missing",
        "lineclear validate /etc/lineclear/feeder.yaml 2>&1 | tee /tmp/v; test $(wc -l </tmp/v) -eq 1",
        "feeder: is no recipe",
    )
    box.step("doctor", "runuser -u lineside -- lineclear doctor /etc/lineclear/feeder.yaml || true", "broker")
    copied = "cp -r /src/configs /tmp/c && chown -R lineside /tmp/c"
    check = "cd /tmp/c && runuser -u lineside -- lineclear check simulated.yaml --batch B1 --product demo"
    box.step("a clearance by the station's user", f"{copied} && {check}", "CLEAR")
    broker = "mkdir -p /run/mosquitto && chown mosquitto /run/mosquitto; mosquitto -c /etc/mosquitto/mosquitto.conf & "
    broker += "sleep 2; p=$(cut -d: -f2 /etc/lineclear/feeder.mqtt); "
    topic = "lineclear/basel/packaging/line3/feeder"
    box.step(
        "the broker knows the station and nobody else",
        broker
        + f"""/opt/lineclear/current/bin/python - "$p" <<'PY'
import sys, paho.mqtt.publish as publish
publish.single("{topic}/state", "x", hostname="127.0.0.1", auth={{"username": "feeder", "password": sys.argv[1]}})
try:
    publish.single("{topic}/state", "x", hostname="127.0.0.1")
except Exception as error:
    print("refused:", error)
PY
kill %1""",
        "refused: ",
    )
    box.step("a result is kept", f"echo evidence >{STATE}/evidence; echo '# mine' >>/etc/lineclear/feeder.yaml", "")
    newer = "sed -i 's/^version = .*/version = \"0.1.1\"/' /src/pyproject.toml"
    box.step("upgrade to 0.1.1", f"{newer} && {INSTALL}", "switch from 0.1.0-", "to 0.1.1-", absent="password")
    box.step(
        "it is in force, state and config are kept",
        f"lineclear --version; cat {STATE}/evidence; tail -n 1 /etc/lineclear/feeder.yaml",
        "0.1.1",
        "evidence",
        "# mine",
    )
    box.step("a config is changed", "echo '# newer' >>/etc/lineclear/feeder.yaml", "")
    box.step(
        "rollback",
        "lineclear-rollback && lineclear --version && lineclear-rollback --list; tail -n 1 /etc/lineclear/feeder.yaml",
        "lineclear 0.1.0",
        "# mine",
        "in force",
    )
    box.step(
        "rollback of the rollback",
        "lineclear-rollback && lineclear --version; tail -n 1 /etc/lineclear/feeder.yaml",
        "0.1.1",
        "# newer",
    )
    leaving(box)


def leaving(box: Box) -> None:
    """Uninstall keeps what is the plant's; purge keeps nothing."""
    box.step(
        "uninstall",
        f"/src/systemd/install.sh --uninstall && ls {STATE} /etc/lineclear; ! test -e /opt/lineclear",
        "kept:",
        "feeder.yaml",
    )
    box.step("purge", "/src/systemd/install.sh --uninstall --purge", "remove user lineside")
    left = "find / -xdev \\( -path /src -o -path /tmp -o -path /wheelhouse -o -path /proc \\) -prune -o "
    left += "-name '*line[cs]*ear*' -print"
    box.step("nothing is left", f'test -z "$({left} | grep -v -e linear | tee /dev/stderr)" && ! getent passwd lineside', "")
    box.step("uninstall again", "/src/systemd/install.sh --uninstall --purge", "nothing changed")


def without_a_network(box: Box) -> None:
    """A box that has never seen one."""
    box.step("no network here", "! timeout 5 bash -c '</dev/tcp/1.1.1.1/443'", "", network=False)
    script = OFFLINE.replace(" --with-mosquitto", "")
    box.step("install offline", script, "from the wheelhouse", network=False)
    box.step("install offline again", script, "nothing changed", network=False)
    box.step(
        "it works",
        "lineclear --version && lineclear-calibrate --help >/dev/null && du -sh /opt/lineclear",
        "lineclear ",
        network=False,
    )
    box.step("purge", "/src/systemd/install.sh --uninstall --purge", "remove user lineside", network=False)


def main() -> int:
    """Exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=sorted(MIRRORS))
    parser.add_argument("--wheelhouse", type=Path, help="made by systemd/wheelhouse.sh for the distribution's Python")
    parser.add_argument("--cache", type=Path, help="where bare distributions are kept between calls")
    parser.add_argument("--keyring", type=Path, help="Ubuntu's archive keyring")
    args = parser.parse_args()
    if os.geteuid() != 0:
        parser.error("needs root: chroot and mount")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="lineclear-chroot-") as scratch:
        cache = args.cache or Path(scratch)
        for name in args.names:
            clean = base(name, cache, args.keyring)
            lives = [("", whole_life, None)] + ([("-offline", without_a_network, args.wheelhouse)] if args.wheelhouse else [])
            for suffix, life, wheelhouse in lives:
                folder = Path(scratch) / f"{name}{suffix}"
                subprocess.run(["cp", "-a", str(clean), str(folder)], check=True)
                box = Box(folder, name)
                carry(box, wheelhouse)
                life(box)
                failed += box.failed
                shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
