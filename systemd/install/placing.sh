# Sourced by install.sh: how anything is changed. A change is said in the same words whether it is made or would be.
# shellcheck shell=bash disable=SC2154  # destdir, dry_run and the like come from install.sh

say() { printf '%s\n' "lineclear install: $*"; }
fail() {
    printf '%s\n' "lineclear install: $1: $2" >&2
    exit 1
}

# change WHAT COMMAND...: the one way to change anything. WHAT says it; with --dry-run the command is left out.
change() {
    local what="$1"
    shift
    changes=$((changes + 1))
    if [ "$dry_run" -eq 1 ]; then
        printf 'would %s\n' "$what"
    else
        printf '%s\n' "$what"
        "$@"
    fi
}

# True where this run changes the machine itself, not an image below --destdir.
is_on_machine() { [ -z "$destdir" ]; }
has_systemd() { is_on_machine && [ -d /run/systemd/system ]; }

# Owners are those of the machine that runs: below --destdir everything belongs to who calls.
own() { ! is_on_machine || chown -h "$1" "$2"; }

# place MODE OWNER:GROUP FILE TARGET: only where it differs; whole or not at all.
place() {
    local target="$destdir$4"
    if [ -f "$target" ] && [ ! -L "$target" ] && cmp -s "$3" "$target"; then return; fi
    change "write $4" place_now "$1" "$2" "$3" "$target"
}
place_now() {
    mkdir -p "$(dirname "$4")"
    rm -f "$4.lineclear-new"
    install -m "$1" "$3" "$4.lineclear-new"
    own "$2" "$4.lineclear-new"
    mv -fT "$4.lineclear-new" "$4"
}

# link TARGET PATH
link() {
    if [ -L "$destdir$2" ] && [ "$(readlink "$destdir$2")" = "$1" ]; then return; fi
    change "link $2 to $1" link_now "$1" "$destdir$2"
}
link_now() {
    mkdir -p "$(dirname "$2")"
    ln -sfn "$1" "$2.lineclear-new"
    mv -fT "$2.lineclear-new" "$2"
}

# folder MODE OWNER:GROUP PATH: made where it is missing. One that is there is left as it is, but never followed as a link:
# below /var/lib/lineclear the station's user could have put one.
folder() {
    local target="$destdir$3"
    [ ! -L "$target" ] || fail "$3" "is a link: remove it, or move what it points to here"
    [ ! -d "$target" ] || return 0
    change "make $3" folder_now "$1" "$2" "$target"
}
folder_now() {
    mkdir -p "$(dirname "$3")"
    rm -rf "$3.lineclear-new"
    mkdir -m "$1" "$3.lineclear-new"
    own "$2" "$3.lineclear-new"
    mv -fT "$3.lineclear-new" "$3"
}

# remove PATTERN...: paths below the root, as the shell expands them.
remove() {
    local pattern found
    for pattern in "$@"; do
        # shellcheck disable=SC2231  # the pattern is meant to be expanded; destdir, which may hold anything, is quoted
        for found in "$destdir"$pattern; do
            if [ -e "$found" ] || [ -L "$found" ]; then
                change "remove ${found#"$destdir"}" rm -rf -- "$found"
            fi
        done
    done
}
