# Sourced by install.sh: units, rules and the commands on the path.
# shellcheck shell=bash disable=SC2154  # destdir, dry_run and the like come from install.sh

install_units() {
    local file program interface
    for file in "$here"/*.service "$here"/*.timer; do
        place 0644 root:root "$file" "/etc/systemd/system/$(basename "$file")"
    done
    place 0644 root:root "$here/lineclear.tmpfiles" /etc/tmpfiles.d/lineclear.conf
    place 0644 root:root "$here/70-lineclear-usb3vision.rules" /etc/udev/rules.d/70-lineclear-usb3vision.rules
    place 0644 root:root "$here/journald-lineclear.conf" /etc/systemd/journald.conf.d/lineclear.conf
    for file in "$here"/examples/*; do
        place 0644 root:root "$file" "/opt/lineclear/examples/$(basename "$file")"
    done
    place 0755 root:root "$here/lineclear-rollback" /opt/lineclear/lineclear-rollback
    link /opt/lineclear/lineclear-rollback /usr/local/sbin/lineclear-rollback
    # Links to the programs alone: a Python that is called through another folder does not find its environment.
    for program in lineclear lineclear-calibrate lineclear-export; do
        link "../current/bin/$program" "/opt/lineclear/bin/$program"
        link "/opt/lineclear/bin/$program" "/usr/local/bin/$program"
    done
    [ "${#gige_interfaces[@]}" -eq 0 ] || place 0644 root:root "$here/60-lineclear-gige.conf" /etc/sysctl.d/60-lineclear-gige.conf
    for interface in "${gige_interfaces[@]}"; do
        enable lineclear-gige@.service "lineclear-gige@$interface.service" multi-user.target
    done
}

# enable UNIT-FILE INSTANCE TARGET: what `systemctl enable` does, in an image and a chroot too.
enable() { link "/etc/systemd/system/$1" "/etc/systemd/system/$3.wants/$2"; }
