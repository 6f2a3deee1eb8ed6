#!/bin/bash
# trial.sh ROOT.tar FIRST.deb SECOND.deb: installs, upgrades, removes and purges
# the package in a bare system (appliance/image.sh makes one) under chroot, and
# looks at what is there after each. What it needs comes from Debian's mirror.
set -euo pipefail
root=$(mktemp -d)
trap 'umount "$root/proc" 2>/dev/null || true; rm -rf --one-file-system "$root"' EXIT
tar -C "$root" -xf "$1"
mount -t proc proc "$root/proc"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "$2" "$root/first.deb"
cp "$3" "$root/second.deb"
inside() { DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"; }
apt() { inside apt-get -qq -y -o Dpkg::Use-Pty=0 "$@" >"$root/apt.log" 2>&1 || { tail -20 "$root/apt.log"; return 1; }; }
check() { if "${@:2}" >/dev/null; then echo "ok: $1"; else echo "FAULT: $1"; exit 1; fi; }
not() { ! "$@"; }

apt update
apt install /first.deb
check "the program runs" inside livenessd version
check "the shipped configuration is right" inside livenessd config /etc/livenessd/livenessd.toml
check "the daemon's user is there, and may use cameras" inside sh -c 'id -nG livenessd | grep -qw video'
check "the store's folder is the daemon's alone" inside sh -c '[ "$(stat -c %U:%a /var/lib/livenessd)" = livenessd:750 ]'
check "the unit is enabled, kiosk and LAN are not" inside sh -c 'cd /etc/systemd/system && [ -e multi-user.target.wants/livenessd.service ] && ! ls */livenessd-kiosk.service */livenessd.socket 2>/dev/null'
check "the units are understood" inside systemd-analyze verify --man=no livenessd.service livenessd.socket
check "a credential can be made before the first start" inside livenessd key add -for bws3 lobby
check "and belongs to the daemon" inside sh -c '[ "$(stat -c %U /var/lib/livenessd/livenessd.db)" = livenessd ]'

inside sed -i 's/^level = .*/level = "debug"/' /etc/livenessd/livenessd.toml
inside systemctl -q disable livenessd.service
apt install /second.deb
check "an upgrade leaves the operator's configuration" inside grep -q 'level = "debug"' /etc/livenessd/livenessd.toml
check "and the operator's choice not to start it" inside sh -c '! ls /etc/systemd/system/*/livenessd.service 2>/dev/null'
check "and the credentials" inside sh -c 'livenessd key list | grep -q lobby'
inside systemctl -q enable livenessd.service

apt remove livenessd
check "removing takes the program" not inside test -e /usr/bin/livenessd
check "and leaves configuration and results" inside test -e /etc/livenessd/livenessd.toml -a -e /var/lib/livenessd/livenessd.db
apt install /second.deb
check "it can be installed again, and is enabled as before" inside test -e /etc/systemd/system/multi-user.target.wants/livenessd.service
apt purge livenessd
check "purging leaves nothing" inside sh -c '! find / -xdev -name "*livenessd*" -not -path "/proc/*" -not -path "/var/log/*" -not -path "/var/cache/*" -not -path "/var/lib/dpkg/*" -not -path "/var/lib/apt/*" | grep .'
