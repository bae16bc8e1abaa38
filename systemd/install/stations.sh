# Sourced by install.sh: each --station gets a config that is valid as it stands, its folders and its units.
# shellcheck shell=bash disable=SC2154  # destdir, dry_run and the like come from install.sh

make_stations() {
    local name
    for name in "${stations[@]}"; do
        station_folder "$name"
        if [ ! -e "$destdir/etc/lineclear/$name.yaml" ]; then
            change "write /etc/lineclear/$name.yaml" write_config "$name" "$destdir/etc/lineclear/$name.yaml"
        fi
        enable lineclear@.service "lineclear@$name.service" multi-user.target
        enable lineclear-web@.service "lineclear-web@$name.service" multi-user.target
        enable lineclear-drift@.timer "lineclear-drift@$name.timer" timers.target
        enable lineclear-archive-verify@.timer "lineclear-archive-verify@$name.timer" timers.target
    done
}

# The station's own, and so made whole in one step: root never works in a folder that the station's user can change.
station_folder() {
    local path="/var/lib/lineclear/$1"
    [ ! -L "$destdir$path" ] || fail "$path" "is a link: remove it, or move what it points to here"
    [ -d "$destdir$path" ] || change "make $path" station_folder_now "$destdir$path"
}
station_folder_now() {
    rm -rf "$1.lineclear-new"
    mkdir -p "$1.lineclear-new/recipes"
    chmod 0770 "$1.lineclear-new" "$1.lineclear-new/recipes"
    own lineside:lineside "$1.lineclear-new"
    own lineside:lineside "$1.lineclear-new/recipes"
    mv -fT "$1.lineclear-new" "$1"
}

# From the commented example. Its comments and everything that is not named here stay.
write_config() {
    local name="$1" target="$2" draft
    draft="$(mktemp)"
    station_config "$name" <"$source_dir/configs/one-gige-camera.yaml" >"$draft"
    place_now 0640 root:lineside "$draft" "$target"
    rm -f "$draft"
}

station_config() {
    awk -v name="$1" -v broker="$with_mosquitto" '
        /^  station: / { sub(/station: [^ ]*/, "station: " name) }
        /^state_dir: / { $0 = "state_dir: /var/lib/lineclear/" name }
        /^    recipe: recipes\// { sub(/recipe: recipes\/[^ ]*/, "recipe: /var/lib/lineclear/" name "/recipes/feeder") }
        /in the topic tree: lineclear/ { sub(/feeder-box$/, name) }
        broker == 1 && /^  host: / { $0 = "  host: 127.0.0.1                 # the broker of this box" }
        broker == 1 && /^  tls: / { next }
        broker == 1 && /credentials_file: / { $0 = "  credentials_file: /etc/lineclear/" name ".mqtt" }
        { print }
    '
}
