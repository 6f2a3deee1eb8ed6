#!/bin/bash
# image.sh DIR PACKAGE...: what the guest boots, made in DIR from Debian's
# packages alone: its kernel unpacked (vmlinux), an initramfs (initrd) and a bare
# system with the given packages (root.img); bare.tar is the same without them.
# Needs root, about two minutes, and the network; later runs find it all there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$1
shift
key=$(cat "$here/image.sh" <(printf '%s\n' "$@") | sha256sum)
mkdir -p "$dir"
cd "$dir"
exec 9>lock
flock 9
if [ "$(cat key 2>/dev/null)" = "$key" ]; then exit 0; fi
[ "$(id -u)" = 0 ] || { echo "image.sh: making the guest's image needs root: sudo make test-appliance, once" >&2; exit 1; }
echo "Making the guest's image in $dir"
rm -rf key build
mkdir build
sources=/etc/apt/sources.list.d/debian.sources
[ -e $sources ] || sources=/etc/apt/sources.list

# The kernel that Debian ships, unpacked, never installed here. Uncompressed it
# boots four seconds sooner under emulation.
package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image-/{print $2; exit}')
(cd build && apt-get -qq download "$package" 2>/dev/null && dpkg-deb -x "$package"_*.deb kernel)
python3 - build/kernel/boot/vmlinuz-* vmlinux <<'P'
import lzma, struct, sys
image = open(sys.argv[1], 'rb').read()
base = ((image[0x1f1] or 4) + 1) * 512  # setup sectors: the x86 boot protocol
offset, length = struct.unpack('<II', image[0x248:0x250])
open(sys.argv[2], 'wb').write(lzma.LZMADecompressor().decompress(image[base + offset:base + offset + length]))
P
release=$(ls build/kernel/lib/modules)
depmod -b build/kernel "$release"

modules() { # DEST MODULE...: these and what they need
	local dest=$1 from="$PWD/build/kernel/"
	shift
	mkdir -p "$dest/lib/modules/$release"
	for m in "$@"; do modprobe -d build/kernel -S "$release" --show-depends "$m"; done | awk '/^insmod/{print $2}' | sort -u |
		while read -r f; do f=${f#"$from"}; f=${f#build/kernel/}; install -D -m 644 "build/kernel/$f" "$dest/$f"; done
	cp build/kernel/lib/modules/"$release"/modules.{order,builtin,builtin.modinfo} "$dest/lib/modules/$release/"
	depmod -b "$dest" "$release"
}

# Busybox does not know that ext4 wants crc32c.
mkdir -p build/initrd/{bin,proc,sys,dev,mnt}
cp /bin/busybox build/initrd/bin/
for a in $(/bin/busybox --list); do [ "$a" = busybox ] || ln -s busybox "build/initrd/bin/$a"; done
modules build/initrd virtio_pci virtio_blk ext4 crc32c_generic crc32c-intel
cat >build/initrd/init <<'I'
#!/bin/sh
mount -t devtmpfs d /dev; mount -t proc p /proc; mount -t sysfs s /sys
for m in virtio_pci virtio_blk crc32c_generic crc32c_intel ext4; do modprobe $m 2>/dev/null; done
i=0; while [ ! -b /dev/vda ] && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
mount -t ext4 /dev/vda /mnt || poweroff -f
cmp -s /guest /mnt/usr/local/bin/guest || { cp /guest /mnt/usr/local/bin/guest.new; sync; mv /mnt/usr/local/bin/guest.new /mnt/usr/local/bin/guest; }
umount /sys; umount /proc; mount -o move /dev /mnt/dev; exec switch_root /mnt /sbin/init
I
chmod 755 build/initrd/init
(cd build/initrd && find . | cpio -o -H newc --quiet) >initrd

# The bare system, and the same with the packages.
options=(-q --variant=minbase --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/locale/*'
	--include=systemd,systemd-sysv,systemd-timesyncd,dbus,udev,kmod,procps,iproute2)
mmdebstrap "${options[@]}" bookworm bare.tar "$sources"
mmdebstrap "${options[@]}" "--include=$(IFS=,; echo "$*")" bookworm build/root "$sources"

root=build/root
echo kiosk >$root/etc/hostname
printf '127.0.0.1 localhost kiosk\n' >$root/etc/hosts
: >$root/etc/machine-id
printf '/dev/vda / ext4 rw,relatime,errors=remount-ro 0 1\n' >$root/etc/fstab
units=$root/etc/systemd/system
mkdir -p $units/serial-getty@ttyS0.service.d $root/etc/systemd/{network,journald.conf.d} $root/etc/modprobe.d $root/etc/modules-load.d
printf '[Match]\nType=ether\n[Network]\nDHCP=ipv4\n' >$root/etc/systemd/network/80-dhcp.network
printf '[Journal]\nStorage=persistent\n' >$root/etc/systemd/journald.conf.d/persistent.conf
printf 'options vivid n_devs=1 node_types=0x1 num_inputs=1 input_types=0x0 vid_cap_nr=0\n' >$root/etc/modprobe.d/camera.conf
printf '[Unit]\nDescription=Agent of the test\n[Service]\nExecStart=/usr/local/bin/guest agent /dev/virtio-ports/agent.0\nRestart=always\nOOMScoreAdjust=-1000\n' >$units/agent.service
printf '[Unit]\nDescription=Ready marker\nAfter=multi-user.target agent.service\n[Service]\nType=oneshot\nExecStart=/bin/sh -c "echo GUEST-READY > /dev/ttyS0"\n' >$units/ready.service
mkdir -p $units/multi-user.target.wants
ln -sf /lib/systemd/system/systemd-networkd.service $units/multi-user.target.wants/
for u in agent ready; do ln -sf /etc/systemd/system/$u.service $units/multi-user.target.wants/; done
for u in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer getty@tty1.service; do ln -sf /dev/null $units/$u; done
rm -rf $root/lib/modules/*
modules $root vivid vhci-hcd uvcvideo virtio_blk virtio_pci virtio_net virtio_console virtio-rng ext4 i6300esb loop autofs4 efi-pstore configfs
rm -f root.img
truncate -s 2G root.img
mke2fs -q -t ext4 -L root -m 0 -d $root root.img
rm -rf build
echo "$key" >key
