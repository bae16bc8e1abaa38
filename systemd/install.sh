#!/usr/bin/env bash
# Installs lineclear on a box: Debian 12, Ubuntu 22.04 and 24.04, JetPack 6.1 to 7. Run `systemd/install.sh --help`; docs/install.md.
#
# Every step looks first and changes only what differs, so it can be run again at any time, also after it was killed. A new
# version goes into a folder of its own beside the old one; the switch is one rename. `--dry-run` takes the same way through
# the same code, and says each change instead of making it.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
source_dir="$(dirname "$here")"

destdir="" # everything is placed below it; users, services and owners of the machine are then left alone
dry_run=0
wheelhouse=""
extras="genicam,calibration,web,gpio,opcua,pdf,signing"
python=""
stations=()
with_mosquitto=0
gige_interfaces=()
action="install"
purge=0
use_lock=1
restart=0
pip_args=()
more_packages=()
changes=0

# shellcheck source=systemd/install/placing.sh
source "$here/install/placing.sh"
# shellcheck source=systemd/install/machine.sh
source "$here/install/machine.sh"
# shellcheck source=systemd/install/release.sh
source "$here/install/release.sh"
# shellcheck source=systemd/install/units.sh
source "$here/install/units.sh"
# shellcheck source=systemd/install/stations.sh
source "$here/install/stations.sh"
# shellcheck source=systemd/install/broker.sh
source "$here/install/broker.sh"
# shellcheck source=systemd/install/removing.sh
source "$here/install/removing.sh"

usage() {
    cat <<'TEXT'
usage: sudo systemd/install.sh [options]

  --station NAME       make a station: /etc/lineclear/NAME.yaml from an example (kept if it is there), lineclear@NAME and its
                       timers enabled (not started: the config wants your cameras first). Several times for several stations
  --with-mosquitto     a broker for this machine alone, with a password and an access list for each --station
  --gige IFACE         tune the network for GigE Vision cameras on this interface (MTU 9000, socket buffers); opt-in
  --wheelhouse DIR     install from the wheels in DIR alone, without a network (made by `make wheelhouse`)
  --extras LIST        parts to install (default genicam,calibration,web,gpio,opcua,pdf,signing; on an RTX box add tensorrt-rtx)
  --no-lock            do not take the tested versions of systemd/locks, but the newest that fit
  --python PROGRAM     the Python to use (default: JetPack's own, else the newest of 3.13 to 3.10 that is there)
  --pip-args "ARGS"    more arguments for pip, such as --index-url of a mirror
  --restart            restart the stations that run, so that they run the new version (default: they go on with the old one)
  --dry-run            say what would be done, change nothing; no root needed
  --destdir DIR        place everything below DIR, and leave users, services and owners alone: for images and tests
  --uninstall          remove programs and units; configs and state stay
  --uninstall --purge  remove configs and state too: results, evidence and the audit log are gone
  --help

exit status: 0 done (or, with --dry-run, could be done); 1 something is in the way: one line says what and what to do.
TEXT
}

parse() {
    while [ $# -gt 0 ]; do
        case "$1" in
            --station | --gige | --wheelhouse | --extras | --python | --pip-args | --destdir)
                [ $# -ge 2 ] || fail "$1" "needs a value: see --help"
                ;;
        esac
        case "$1" in
            --station)
                check_name "$2"
                stations+=("$2")
                shift
                ;;
            --gige)
                check_interface "$2"
                gige_interfaces+=("$2")
                shift
                ;;
            --wheelhouse) wheelhouse="$2" && shift ;;
            --extras) extras="$2" && shift ;;
            --python) python="$2" && shift ;;
            --pip-args) read -r -a pip_args <<<"$2" && shift ;;
            --destdir) destdir="${2%/}" && shift ;;
            --with-mosquitto) with_mosquitto=1 ;;
            --no-lock) use_lock=0 ;;
            --restart) restart=1 ;;
            --dry-run) dry_run=1 ;;
            --uninstall) action="uninstall" ;;
            --purge) purge=1 ;;
            --help | -h)
                usage
                exit 0
                ;;
            *) fail "$(printf '%q' "$1")" "is no option: see --help" ;;
        esac
        shift
    done
    [[ "$extras" =~ ^[a-z-]+(,[a-z-]+)*$ ]] || fail "--extras $(printf '%q' "$extras")" "write names separated by commas, such as genicam,opcua"
    [ "$purge" -eq 0 ] || [ "$action" = uninstall ] || fail "--purge" "goes with --uninstall"
    [ -z "$destdir" ] || [[ "$destdir" = /* ]] || fail "--destdir $destdir" "write it from the root: /..."
    [ -z "$wheelhouse" ] || [ -d "$wheelhouse" ] || fail "$wheelhouse" "there is no such folder: make it with \`make wheelhouse\`"
    [ -z "$wheelhouse" ] || wheelhouse="$(cd "$wheelhouse" && pwd)"
}

check_name() {
    [[ "$1" =~ ^[a-z][a-z0-9_-]{0,39}$ ]] ||
        fail "--station $(printf '%q' "$1")" "a name is a small letter, then up to 39 small letters, digits, - or _"
}
check_interface() {
    [[ "$1" =~ ^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$ ]] || fail "--gige $(printf '%q' "$1")" "write an interface's name, such as eth1"
}

install_all() {
    choose_python
    check_jetson
    add_jetson_packages
    hint_gpu
    check_offline
    [ "$with_mosquitto" -eq 0 ] || need_mosquitto
    make_users
    make_folders
    install_release
    switch_release
    install_units
    make_stations
    [ "$with_mosquitto" -eq 0 ] || install_broker
    tell_the_machine
    say_what_is_next
}

say_what_is_next() {
    local name
    if [ "$dry_run" -eq 1 ]; then
        say "$changes changes would be made"
        return
    fi
    [ "$changes" -gt 0 ] || say "nothing changed"
    for name in "${stations[@]}"; do
        say "next: edit /etc/lineclear/$name.yaml, then: lineclear doctor /etc/lineclear/$name.yaml; systemctl start lineclear@$name"
        say "the page: systemctl start lineclear-web@$name, then the code for its first admin is in /var/lib/lineclear/$name/page/first-admin-code"
    done
}

# The whole file is read before anything runs: an editor or a git pull may change it meanwhile.
main() {
    parse "$@"
    check_root
    lock_against_others
    if [ "$action" = uninstall ]; then uninstall; else install_all; fi
    exit 0
}
main "$@"
