#!/usr/bin/env bash
# Makes a wheelhouse: a folder with everything that `systemd/install.sh --wheelhouse` needs on a box without a network.
#   systemd/wheelhouse.sh [DIR]                               for this machine, into DIR (default wheelhouse)
#   ARCH=aarch64 PYTHON_VERSION=3.10 systemd/wheelhouse.sh    for a Jetson with JetPack 6, made anywhere
#   MORE="cuda-bindings==12.*" ... adds what no lock names, such as the bindings that a Jetson with CUDA 12 takes
# PYTHON: the Python that makes it. PIP_ARGS: more arguments for pip. Every wheel is held against the lock's SHA-256.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
source_dir="$(dirname "$here")"
python="${PYTHON:-python3}"
arch="${ARCH:-$(uname -m)}"
version="${PYTHON_VERSION:-$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')}"
out="${1:-wheelhouse}"
read -r -a pip_args <<<"${PIP_ARGS-}"
lock="$here/locks/$arch-py$version.txt"

fail() {
    printf 'wheelhouse: %s: %s\n' "$1" "$2" >&2
    exit 1
}
[ -f "$lock" ] || fail "ARCH=$arch PYTHON_VERSION=$version" "has no lock: there are $(cd "$here/locks" && echo ./*-py*.txt)"

new="$out.new"
rm -rf -- "$new" # what a killed run left
mkdir -p "$new"
scratch="$(mktemp -d)"
trap 'rm -rf -- "$scratch" "$new"' EXIT
"$python" -m venv "$scratch/env"
pip=("$scratch/env/bin/python" -m pip --quiet --disable-pip-version-check --no-input)

platforms=()
# Newest C library first: 2.35 is that of Ubuntu 22.04 and JetPack 6, the oldest that is served.
for number in $(seq 35 -1 17); do platforms+=(--platform "manylinux_2_${number}_$arch"); done
platforms+=(--platform "manylinux2014_$arch" --platform "linux_$arch")
"${pip[@]}" download "${pip_args[@]}" --require-hashes --no-deps --only-binary :all: --implementation cp \
    --python-version "$version" "${platforms[@]}" --dest "$new" -r "$lock"

if [ -n "${MORE-}" ]; then
    read -r -a more <<<"$MORE"
    sed -n 's/^\([A-Za-z0-9._-]*==[^ ;\\]*\).*/\1/p' "$lock" >"$scratch/pins"
    "${pip[@]}" download "${pip_args[@]}" --constraint "$scratch/pins" --only-binary :all: --implementation cp \
        --python-version "$version" "${platforms[@]}" --dest "$new" "${more[@]}"
fi

"${pip[@]}" install "${pip_args[@]}" --require-hashes -r "$here/locks/build.txt"
mkdir "$scratch/source"
(cd "$source_dir" && cp -R edge export calibration pyproject.toml README.md "$scratch/source/")
"${pip[@]}" wheel "${pip_args[@]}" --no-build-isolation --no-deps --wheel-dir "$new" "$scratch/source"

(cd "$new" && sha256sum -- *.whl >SHA256SUMS)
rm -rf -- "$out"
mv -T -- "$new" "$out"
printf 'wheelhouse: %s: %s wheels for %s with Python %s, %s\n' "$out" "$(find "$out" -name '*.whl' | wc -l)" "$arch" "$version" \
    "$(du -sh "$out" | cut -f 1)"
