#!/usr/bin/env bash
# Asks a vulnerability database about every package that a station installs: each lock, with pip-audit. Needs a network.
#   systemd/audit.sh [-s pypi|osv]      more arguments go to pip-audit
# exit status: 0 nothing known; 1 something is, or the database does not know a package or could not be asked (it says which)
set -uo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
audit="${PIP_AUDIT:-pip-audit}"
command -v "$audit" >/dev/null || {
    echo "audit: $audit: is not installed: pip install pip-audit, or PIP_AUDIT=/path/to/pip-audit systemd/audit.sh" >&2
    exit 1
}
status=0
for lock in "$here"/locks/*.txt; do
    echo "audit: ${lock##*/}"
    # The lock names every package by version and hash: nothing is resolved, nothing is installed.
    "$audit" --requirement "$lock" --require-hashes --disable-pip --strict --progress-spinner off "$@" || status=1
done
exit "$status"
