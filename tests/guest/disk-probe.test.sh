# What Linux's disk tools find: hdparm (IDENTIFY, power, write cache, native maximum, sectors read directly) and smartctl;
# fstrim gives an image's space back.
. "$(dirname "$0")/lib.sh"
need "$GUESTS/vmlinuz" "$GUESTS/initrd-modules.gz"
tool mkfs.ext4 e2fsck
sh "$(dirname "$0")/prepare-disktools.sh" "$GUESTS" || exit $?
img=$BUILD/retrace-img

truncate -s 200M disk.img
mkfs.ext4 -q -E lazy_itable_init=0,nodiscard -d "$GUESTS/disktools" disk.img
"$img" convert -O qcow2 disk.img disk.qcow2
ask() { # ask COMMAND TEXT: words for the script: the guest's answer has the text
    printf 'serial "%s\\n"\nwait-serial "%s" 90\nwait-serial "guest# " 20\n' "$1" "$2"
}
run "wait-serial \"GUEST-READY\" 120
wait-serial \"guest# \" 20
$(ask 'sh /disks.sh; sleep 1; mkdir -p /m /lib; mount -t ext4 /dev/sda /m && ln -s /m/lib/ld-linux.so.2 /lib' 'mounted filesystem')
$(ask 'export LD_LIBRARY_PATH=/m/lib PATH=/bin:/m/sbin; smartctl -V | head -n 1' 'smartctl 7')
serial \"hdparm -I /dev/sda\\n\"
wait-serial \"Model Number:       RETRACE HARDDISK\" 60
wait-serial \"Supported: 7 6 5 4\" 10
wait-serial \"LBA48  user addressable sectors:      409600\" 10
wait-serial \"DMA: mdma0 mdma1 \" 10
wait-serial \"SMART feature set\" 10
wait-serial \"Write cache\" 10
wait-serial \"48-bit Address feature set\" 10
wait-serial \"Data Set Management TRIM supported (limit 8 blocks)\" 10
wait-serial \"Checksum: correct\" 10
wait-serial \"guest# \" 20
$(ask 'cat /sys/block/sr0/device/vendor /sys/block/sr0/device/model' 'RETRACE')
$(ask 'hdparm -C /dev/sda' 'active/idle')
$(ask 'hdparm -y /dev/sda; hdparm -C /dev/sda' 'standby')
$(ask 'hdparm -N /dev/sda' '409600/409600, HPA is disabled')
$(ask 'hdparm -W0 /dev/sda; hdparm -W /dev/sda' 'write-caching =  0 (off)')
$(ask 'hdparm -W1 -F /dev/sda; hdparm -W /dev/sda' 'write-caching =  1 (on)')
$(ask 'hdparm --read-sector 2 /dev/sda | head -n 3' 'succeeded')
serial \"smartctl -i -H -A /dev/sda\\n\"
wait-serial \"SMART support is: Enabled\" 60
wait-serial \"test result: PASSED\" 30
wait-serial \"Reallocated_Sector_Ct\" 30
wait-serial \"guest# \" 20
$(ask 'dd if=/dev/urandom of=/m/f bs=1M count=24; sync; rm /m/f; sync' '24+0 records out')
$(ask 'fstrim -v /m' 'bytes')
serial \"umount /m; poweroff -f\\n\"
wait-poweroff 60" -m 128 -kernel "$GUESTS/vmlinuz" -initrd "$GUESTS/initrd-modules.gz" -append console=ttyS0 -hda disk.qcow2
"$img" check -q disk.qcow2 || die "the check finds errors"
used=$("$img" check disk.qcow2 | sed -n 's|^\([0-9]*\)/.* = .* allocated.*|\1|p')
[ "${used:-999}" -lt 300 ] || die "after fstrim $used clusters of 64 KiB are still allocated"
"$img" convert -O raw disk.qcow2 after.img
e2fsck -fn after.img >fsck.txt 2>&1 || { cat fsck.txt; die "the file system is damaged"; }
