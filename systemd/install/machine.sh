# Sourced by install.sh: what machine is this, who may do this, and which Python.
# shellcheck shell=bash disable=SC2154,SC2034  # destdir, dry_run and the like come from install.sh

is_jetson() { [ -f "$destdir/etc/nv_tegra_release" ]; }

check_root() {
    [ "$dry_run" -eq 1 ] || [ -n "$destdir" ] || [ "$(id -u)" -eq 0 ] || fail "not root" "run it with sudo, or with --dry-run"
}

# Two at once would each remove what the other is making. The lock is gone with the process, however it ends.
lock_against_others() {
    [ "$dry_run" -eq 0 ] || return 0
    mkdir -p "$destdir/run"
    exec 9>"$destdir/run/lineclear-install.lock"
    flock -n 9 || fail "another installation or rollback is running" "wait until it is done"
    [ ! -e "$destdir/opt/lineclear/rollback" ] ||
        fail "a rollback was interrupted" "finish it first: lineclear-rollback"
}

choose_python() {
    local candidate version candidates=() without_venv=""
    if [ -n "$python" ]; then
        candidates=("$python")
    elif is_jetson; then
        candidates=(/usr/bin/python3) # JetPack's tensorrt belongs to the system's Python and to no other
    else
        candidates=(python3.13 python3.12 python3.11 python3.10 python3)
    fi
    for candidate in "${candidates[@]}"; do
        command -v "$candidate" >/dev/null 2>&1 || continue
        version="$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" || continue
        case "$version" in 3.10 | 3.11 | 3.12 | 3.13) ;; *) continue ;; esac
        if ! "$candidate" -c 'import venv, ensurepip' >/dev/null 2>&1; then
            without_venv="${without_venv:-python$version-venv}"
            continue
        fi
        python="$(command -v "$candidate")"
        python_version="$version"
        return
    done
    [ -z "$without_venv" ] || fail "Python has no venv here" "apt-get install $without_venv"
    fail "no Python 3.10 to 3.13 (looked for: ${candidates[*]})" "apt-get install python3 python3-venv, or give --python"
}

check_jetson() {
    is_jetson || return 0
    "$python" -c 'import tensorrt' >/dev/null 2>&1 ||
        fail "this is a Jetson, but $python has no tensorrt" "apt-get install nvidia-jetpack (the engine needs it), or give --python"
}

# JetPack brings TensorRT but no way to the GPU's memory from Python: NVIDIA's bindings, of the CUDA that is on the board.
add_jetson_packages() {
    is_jetson || return 0
    local file="$destdir/usr/local/cuda/version.json" major=""
    [ ! -f "$file" ] || major="$(sed -n '/"cuda" *:/,/}/s/.*"version" *: *"\([0-9]*\)\..*/\1/p' "$file" | head -n 1)"
    if [ -n "$major" ]; then
        more_packages+=("cuda-bindings==$major.*")
    else
        say "no CUDA is found in /usr/local/cuda: the engine will need pycuda or cuda-bindings of the board's CUDA version"
    fi
}

# A GPU that nobody asked to use is worth a line: the config decides which engine runs, but its package must be there.
hint_gpu() {
    [ -f /proc/driver/nvidia/version ] && ! is_jetson && [[ "$extras" != *tensorrt* ]] || return 0
    say "an NVIDIA GPU is here: to use it add --extras $extras,tensorrt-rtx (RTX) or $extras,tensorrt"
}

make_users() {
    is_on_machine || return 0
    local group
    for group in lineside video render plugdev; do
        getent group "$group" >/dev/null || change "make group $group" groupadd --system "$group"
    done
    getent passwd lineside >/dev/null ||
        change "make user lineside" useradd --system --gid lineside --home-dir /var/lib/lineclear --no-create-home \
            --shell /usr/sbin/nologin lineside
}

make_folders() {
    folder 0755 root:root /opt/lineclear
    folder 0755 root:root /opt/lineclear/releases
    # Technicians are in the group lineside: they read configs and results. Nobody else reads anything. Both folders belong to
    # root, so that the station's user cannot put something else in the place of a station's folder.
    folder 0750 root:lineside /etc/lineclear
    folder 0750 root:lineside /var/lib/lineclear
}

# What systemd and udev read only when they are told.
tell_the_machine() {
    has_systemd || return 0
    [ "$changes" -gt 0 ] || return 0
    change "reload systemd" systemctl daemon-reload
    change "reload udev's rules" udevadm control --reload
    local interface running=()
    for interface in "${gige_interfaces[@]}"; do
        change "start lineclear-gige@$interface" systemctl restart "lineclear-gige@$interface.service"
    done
    [ "$switched" -eq 1 ] || return 0
    mapfile -t running < <(systemctl list-units --state=active --plain --no-legend 'lineclear@*.service' | awk '{print $1}')
    for interface in "${running[@]}"; do
        if [ "$restart" -eq 1 ]; then
            change "restart $interface" systemctl restart "$interface"
        else
            say "$interface goes on with the version before until: systemctl restart $interface"
        fi
    done
}
