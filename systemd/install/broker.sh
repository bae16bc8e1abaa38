# Sourced by install.sh: a broker on this machine for its stations, and an example of a bridge to the plant's broker.
# shellcheck shell=bash disable=SC2154  # destdir, dry_run and the like come from install.sh

readonly BROKER=/etc/mosquitto/lineclear

need_mosquitto() {
    ! command -v mosquitto_passwd >/dev/null 2>&1 || return 0
    is_on_machine || fail "mosquitto_passwd is not on this machine" "apt-get install mosquitto"
    change "install the package mosquitto" mosquitto_now
}
mosquitto_now() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mosquitto >/dev/null 9>&- ||
        fail "mosquitto cannot be installed" "apt-get install mosquitto, then run this again"
}

install_broker() {
    local name before="$changes"
    folder 0750 root:mosquitto "$BROKER"
    place 0644 root:root "$here/mosquitto/bridge.conf.example" "$BROKER/bridge.conf.example"
    for name in "${stations[@]}"; do
        broker_password "$name"
        broker_password "$name.page"
        page_settings "$name"
        broker_access "$name"
    done
    # Without a station yet: two files that Mosquitto does not start without.
    for name in acl passwords; do
        [ "${#stations[@]}" -gt 0 ] || [ -e "$destdir$BROKER/$name" ] || change "write $BROKER/$name" broker_file /dev/null "$destdir$BROKER/$name"
    done
    place 0644 root:root "$here/mosquitto/lineclear.conf" /etc/mosquitto/conf.d/lineclear.conf
    if has_systemd && [ "$changes" -ne "$before" ]; then
        change "restart mosquitto" systemctl restart mosquitto.service
    fi
}

broker_file() { place_now 0640 root:mosquitto "$1" "$2"; }

# The access list of a station: a block of its own between two marks, so that what people add beside it stays. Made for the
# topic that its config names; when somebody changes that, the next run changes the block.
broker_access() {
    local name="$1" file="$destdir$BROKER/acl" topic draft
    draft="$(mktemp)"
    topic="$(station_topic "$name")" ||
        fail "/etc/lineclear/$name.yaml" "has no \`station:\` that can be read: lineclear validate /etc/lineclear/$name.yaml"
    {
        [ ! -f "$file" ] || awk -v mark="station $name" '
            $0 == "# begin " mark { inside = 1 }
            !inside { print }
            $0 == "# end " mark { inside = 0 }
        ' "$file"
        access_block "$name" "$topic"
    } >"$draft"
    if ! cmp -s "$draft" "$file"; then
        change "allow $name what is below $topic in $BROKER/acl" broker_file "$draft" "$file"
    fi
    rm -f "$draft"
}

# What a station and its page must be able to do and nothing else: configs/mosquitto/acl has the same, and the roles of other
# clients.
access_block() {
    local part
    printf '# begin station %s\nuser %s\n' "$1" "$1"
    for part in state view/# clearance/# alarm/# reply/#; do
        printf 'topic write %s/%s\n' "$2" "$part"
    done
    printf 'topic readwrite %s/health\ntopic read %s/cmd/+\nuser %s.page\n' "$2" "$2" "$1"
    for part in state health view/# clearance/# alarm/# reply/page/#; do
        printf 'topic read %s/%s\n' "$2" "$part"
    done
    printf 'topic write %s/cmd/+\n# end station %s\n' "$2" "$1"
}

# As the station reads it. A config that this run writes (or with --dry-run would) names the example's topic.
station_topic() {
    local file="$destdir/etc/lineclear/$1.yaml" interpreter="$destdir/opt/lineclear/current/bin/python" draft=""
    if [ ! -f "$file" ] || [ ! -x "$interpreter" ]; then
        draft="$(mktemp)"
        if [ -f "$file" ]; then cp "$file" "$draft"; else station_config "$1" <"$source_dir/configs/one-gige-camera.yaml" >"$draft"; fi
        awk '
            /^[^ #]/ { inside = ($0 ~ /^station:/) }
            inside && match($0, /^  (root|site|area|line|station): [^ #]+/) { split(substr($0, 3), pair, /[: #]+/); level[pair[1]] = pair[2] }
            END {
                if (!("site" in level && "area" in level && "line" in level && "station" in level)) exit 1
                print ("root" in level ? level["root"] : "lineclear") "/" level["site"] "/" level["area"] "/" level["line"] "/" level["station"]
            }
        ' "$draft" && rm -f "$draft"
        return
    fi
    "$interpreter" -c '
import sys
from pathlib import Path
from edge.config import read_document
from edge.schema import validate
from edge.settings.mqtt import StationAddress
print(validate(StationAddress, read_document(Path(sys.argv[1])).get("station"), sys.argv[1]).topic)
' "$file" 2>/dev/null
}

# How the technician's page comes to the broker: as a user of its own, since the station's may not ask for anything.
page_settings() {
    local name="$1"
    [ -e "$destdir/etc/lineclear/$name.page.yaml" ] ||
        change "write /etc/lineclear/$name.page.yaml" page_settings_now "$name" "$destdir/etc/lineclear/$name.page.yaml"
}
page_settings_now() {
    local draft
    draft="$(mktemp)"
    {
        printf '# The technician'"'"'s page of station %s: docs/page.md has every key. Without more it is for this machine alone.\n' "$1"
        printf 'credentials_file: /etc/lineclear/%s.page.mqtt\n' "$1"
    } >"$draft"
    place_now 0640 root:lineside "$draft" "$2"
    rm -f "$draft"
}

# A password that nobody has to invent. Its plain half is readable by the station alone, the other is a hash; never an
# argument of a program, which every user of the machine could see.
broker_password() {
    local name="$1" file="$destdir/etc/lineclear/$1.mqtt" passwords="$destdir$BROKER/passwords"
    if [ -f "$file" ] && cut -d: -f1 "$passwords" 2>/dev/null | grep -qxF "$name"; then return; fi
    change "make a password for $name in /etc/lineclear/$name.mqtt" broker_password_now "$name" "$file" "$passwords"
}
broker_password_now() (
    umask 0177
    scratch="$(mktemp -d)" # mktemp sets its own mode
    trap 'rm -rf "$scratch"' EXIT
    if [ -f "$2" ]; then
        head -n 1 "$2" >"$scratch/plain"
    else
        printf '%s:%s\n' "$1" "$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')" >"$scratch/plain"
    fi
    cp "$scratch/plain" "$scratch/hashed"
    mosquitto_passwd -U "$scratch/hashed"
    { awk -F: -v user="$1" '$1 != user' "$3" 2>/dev/null || true; } >"$scratch/all"
    cat "$scratch/hashed" >>"$scratch/all"
    # The station's half first: a run that is killed between the two hashes it again.
    [ -f "$2" ] || place_now 0600 lineside:lineside "$scratch/plain" "$2"
    broker_file "$scratch/all" "$3"
)
