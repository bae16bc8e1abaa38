# Sourced by install.sh: the programs. A release is a virtual environment of its own in /opt/lineclear/releases, complete once
# it holds `.complete`; `current` is a link to the one in force, and each remembers in `.before` which was in force before it.
# shellcheck shell=bash disable=SC2154,SC2034  # destdir, dry_run and the like come from install.sh

readonly KEEP_RELEASES=3
switched=0

lock_file() { printf '%s/locks/%s-py%s.txt' "$here" "$(uname -m)" "$python_version"; }

# A release is named for what it is made of: the same source, extras, Python and wheels give the same folder, and nothing is
# done again.
release_name() {
    local version digest
    version="$(sed -n 's/^version = "\([0-9A-Za-z.+-]*\)"$/\1/p' "$source_dir/pyproject.toml" | head -n 1)"
    [ -n "$version" ] || fail "$source_dir/pyproject.toml" "names no version: is this the whole source?"
    digest="$({
        cd "$source_dir" || exit 1
        find edge export calibration pyproject.toml systemd/locks -type f ! -name '*.pyc' ! -path '*/__pycache__/*' -print0 |
            LC_ALL=C sort -z | xargs -0 sha256sum
        [ -z "$wheelhouse" ] || (cd "$wheelhouse" && find . -name 'lineclear-*.whl' -print0 | xargs -0 -r sha256sum)
        printf '%s %s %s %s\n' "$extras" "$("$python" -V 2>&1)" "$use_lock" "${pip_args[*]-} ${more_packages[*]-}"
    } | sha256sum | cut -c1-10)"
    printf '%s-%s' "$version" "$digest"
}

check_offline() {
    [ -n "$wheelhouse" ] || return 0
    local wheels
    wheels=("$wheelhouse"/lineclear-*.whl)
    [ -f "${wheels[0]}" ] || fail "$wheelhouse" "holds no lineclear wheel: make it again with \`make wheelhouse\`"
    [ "${#wheels[@]}" -eq 1 ] || fail "$wheelhouse" "holds several lineclear wheels: keep the one you want"
}

install_release() {
    release="$(release_name)"
    local folder="/opt/lineclear/releases/$release" from=""
    [ ! -f "$destdir$folder/.complete" ] || return 0
    [ -z "$wheelhouse" ] || from=" from the wheelhouse"
    change "install $folder: lineclear[$extras] with Python $python_version$from" build_release "$destdir$folder"
}

build_release() {
    local venv="$1" options=() quiet=(--quiet --disable-pip-version-check --no-input) from=() pins=() lock wheel
    rm -rf -- "$venv" # what a killed run left
    ! is_jetson || options+=(--system-site-packages)
    "$python" -m venv "${options[@]}" "$venv" || fail "$python" "could not make a virtual environment"
    [ -z "$wheelhouse" ] || from=(--no-index --find-links "$wheelhouse")
    lock="$(lock_file)"
    if [ "$use_lock" -eq 1 ] && [ -f "$lock" ]; then
        pip_install "${quiet[@]}" "${from[@]}" "${pip_args[@]}" --require-hashes -r "$lock"
        # What no lock names (a GPU's packages) comes after it, and moves nothing that the lock has pinned.
        sed -n 's/^\([A-Za-z0-9._-]*==[^ ;\\]*\).*/\1/p' "$lock" >"$venv/.pins"
        pins=(--constraint "$venv/.pins")
    elif [ "$use_lock" -eq 1 ]; then
        say "there is no lock for $(uname -m) with Python $python_version: the newest versions that fit are taken"
    fi
    wheel="$(own_wheel "$venv")" || fail "lineclear's own wheel" "could not be built: see the error above"
    pip_install "${quiet[@]}" "${from[@]}" "${pip_args[@]}" "${pins[@]}" "${wheel}[$extras]" "${more_packages[@]}"
    rm -rf -- "$venv/.wheel"
    starts "$venv" 2>"$venv/.said" || fail "the new release does not start ($(tail -n 1 "$venv/.said"))" "the version in force goes on"
    # Compiled once, by root: the station cannot write here, and would compile at every start.
    "$venv/bin/python" -m compileall -q "$venv/lib" >/dev/null 2>&1 || true
    sync -f "$venv" 2>/dev/null || sync
    touch "$venv/.complete"
}

starts() {
    "$1/bin/lineclear" --version >/dev/null && "$1/bin/lineclear-calibrate" --help >/dev/null && "$1/bin/python" -c 'import edge.app'
}

pip_install() {
    "$venv/bin/python" -m pip install "$@" ||
        fail "pip could not install" "see the error above; offline give --wheelhouse, behind a mirror --pip-args \"--index-url URL\""
}

# The path of our own wheel: the wheelhouse's, else built from this source with the locked build tool.
own_wheel() {
    local built="$1/.wheel" builder="$1/bin/python" isolation=()
    mkdir "$built"
    if [ -n "$wheelhouse" ]; then
        cp "$wheelhouse"/lineclear-*.whl "$built/"
    else
        if [ "$use_lock" -eq 1 ]; then
            # Not into the release: a station needs no build tool.
            "$builder" -m venv "$built/env"
            builder="$built/env/bin/python"
            "$builder" -m pip install "${quiet[@]}" "${pip_args[@]}" --require-hashes -r "$here/locks/build.txt" >&2 || return 1
            isolation=(--no-build-isolation)
        fi
        # From a copy: a build writes into its source folder, which may be a read-only medium or somebody's checkout.
        mkdir "$built/source"
        (cd "$source_dir" && cp -R edge export calibration pyproject.toml README.md "$built/source/") || return 1
        "$builder" -m pip wheel "${quiet[@]}" "${pip_args[@]}" "${isolation[@]}" --no-deps --wheel-dir "$built" "$built/source" >&2 ||
            return 1
    fi
    printf '%s\n' "$built"/lineclear-*.whl
}

# The switch: one rename. What was in force becomes what lineclear-rollback goes back to, with the configs and recipes of now.
switch_release() {
    local old=""
    [ ! -L "$destdir/opt/lineclear/current" ] || old="$(basename "$(readlink "$destdir/opt/lineclear/current")")"
    [ "$old" != "$release" ] || return 0
    change "switch from ${old:-nothing} to $release" switch_now "$old"
    switched=1
    forget_old_releases "$old"
}

switch_now() {
    local root="$destdir/opt/lineclear"
    if [ -n "$1" ]; then
        "$here/lineclear-rollback" --destdir "$destdir" --snapshot "$1"
        printf '%s\n' "$1" >"$root/releases/$release/.before"
    fi
    ln -sfn "releases/$release" "$root/current.new"
    mv -fT "$root/current.new" "$root/current"
    sync -f "$root" 2>/dev/null || sync
}

# Beyond the newest few: never the one in force, the one before it, or one that a process still runs from.
forget_old_releases() {
    local root="$destdir/opt/lineclear" before="$1" name kept=0
    [ -d "$root/releases" ] || return 0
    while IFS= read -r name; do
        if [ "$name" = "$release" ] || [ "$name" = "$before" ]; then continue; fi
        kept=$((kept + 1))
        if [ "$kept" -le $((KEEP_RELEASES - 2)) ] || is_running_from "$root/releases/$name/"; then continue; fi
        remove "/opt/lineclear/releases/$name" "/opt/lineclear/snapshots/$name"
    done < <(find "$root/releases" -mindepth 1 -maxdepth 1 -type d -printf '%T@ %f\n' | sort -rn | cut -d ' ' -f 2)
}
is_running_from() { grep -qsaF -- "$1" /proc/[0-9]*/cmdline; }
