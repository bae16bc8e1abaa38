# Sourced by install.sh: --uninstall, and with --purge nothing is left.
# shellcheck shell=bash disable=SC2154  # destdir, dry_run and the like come from install.sh

uninstall() {
    local unit units=() had_broker=0
    if has_systemd; then
        mapfile -t units < <(systemctl list-units --all --plain --no-legend 'lineclear*' | awk '{print $1}')
        for unit in "${units[@]}"; do
            change "stop $unit" systemctl stop "$unit"
        done
    fi
    [ ! -e "$destdir/etc/mosquitto/conf.d/lineclear.conf" ] || had_broker=1
    # Links before what they point to: killed half-way, nothing dangles that the next boot would try to start.
    remove '/etc/systemd/system/*.wants/lineclear*' '/etc/systemd/system/lineclear*.service' '/etc/systemd/system/lineclear*.timer' \
        /etc/tmpfiles.d/lineclear.conf /etc/udev/rules.d/70-lineclear-usb3vision.rules /etc/sysctl.d/60-lineclear-gige.conf \
        /etc/systemd/journald.conf.d/lineclear.conf /usr/local/bin/lineclear '/usr/local/bin/lineclear-*' \
        /usr/local/sbin/lineclear-rollback /etc/mosquitto/conf.d/lineclear.conf /opt/lineclear
    if [ "$purge" -eq 1 ]; then
        # Drop-ins are somebody's work, as configs are.
        remove '/etc/systemd/system/lineclear*.d' /etc/lineclear /etc/mosquitto/lineclear /var/lib/lineclear /var/cache/lineclear
        if is_on_machine && getent passwd lineside >/dev/null; then change "remove user lineside" userdel lineside; fi
        if is_on_machine && getent group lineside >/dev/null; then change "remove group lineside" groupdel lineside; fi
    else
        say "kept: /etc/lineclear and /var/lib/lineclear (configs, results, evidence, audit log); --purge removes them"
    fi
    if has_systemd && [ "$changes" -gt 0 ]; then
        change "reload systemd" systemctl daemon-reload
        [ "$had_broker" -eq 0 ] || change "restart mosquitto" systemctl try-restart mosquitto.service
    fi
    if [ "$dry_run" -eq 1 ]; then
        say "$changes changes would be made"
    elif [ "$changes" -eq 0 ]; then
        say "nothing changed"
    fi
}
