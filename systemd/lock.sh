#!/usr/bin/env bash
# Makes systemd/locks/ again: for each platform and Python the newest versions that fit pyproject.toml, each with the SHA-256 of
# every file that may be installed. Needs uv (https://docs.astral.sh/uv) and the package index; takes a minute.
#   systemd/lock.sh                all of them
#   systemd/lock.sh aarch64 3.10   one
# Look at the difference before it is committed, and run `systemd/audit.sh`: what stands here is what every station installs.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
source_dir="$(dirname "$here")"
index="${INDEX_URL:-https://pypi.org/simple}"
uv="${UV:-uv}"
extras=(genicam calibration web gpio opcua pdf signing) # as in install.sh

command -v "$uv" >/dev/null || {
    echo "lock: $uv: is not installed: pip install uv, or UV=/path/to/uv systemd/lock.sh" >&2
    exit 1
}

compile() { # OUTPUT ARGUMENTS...
    local output="$1"
    shift
    # Without an upgrade flag uv keeps what the file holds; a lock is made anew.
    "$uv" pip compile --quiet --no-config --generate-hashes --no-header --upgrade --index-url "$index" --output-file "$output.new" "$@"
    mv -f "$output.new" "$output"
    echo "lock: wrote ${output#"$source_dir"/}"
}

lock() { # MACHINE PYTHON
    local platform arguments=() extra
    case "$1" in
        # The oldest C library that is served: Ubuntu 22.04 and JetPack 6 have 2.35, Debian 12 has 2.36.
        x86_64) platform=x86_64-manylinux_2_35 ;;
        aarch64) platform=aarch64-manylinux_2_35 ;;
        *)
            echo "lock: $1: is no platform: x86_64 or aarch64" >&2
            exit 1
            ;;
    esac
    for extra in "${extras[@]}"; do arguments+=(--extra "$extra"); done
    # Wheels alone: a station has no compiler.
    (cd "$source_dir" && compile "$here/locks/$1-py$2.txt" pyproject.toml "${arguments[@]}" \
        --python-version "$2" --python-platform "$platform" --only-binary :all:)
}

mkdir -p "$here/locks"
if [ $# -eq 2 ]; then
    lock "$1" "$2"
elif [ $# -eq 0 ]; then
    for machine in x86_64 aarch64; do
        for version in 3.10 3.11 3.12 3.13; do lock "$machine" "$version"; done
    done
    # What builds our own wheel.
    echo 'setuptools>=68' | compile "$here/locks/build.txt" --python-version 3.10 --universal --only-binary :all: -
else
    echo "usage: systemd/lock.sh [x86_64|aarch64 3.10|3.11|3.12|3.13]" >&2
    exit 1
fi
