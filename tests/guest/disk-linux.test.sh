# Linux finds hard disk and CD, mounts ext4 by DMA and by PIO, copies with checksums, and notices that
# the CD was changed.
. "$(dirname "$0")/lib.sh"
need "$GUESTS/vmlinuz" "$GUESTS/initrd-modules.gz" "$CORPUS/images/mikeos/mikeos.iso"
tool mkfs.ext4 debugfs e2fsck
linux="-m 128 -kernel $GUESTS/vmlinuz -initrd $GUESTS/initrd-modules.gz -append console=ttyS0"
size=${DISK_TEST_MIB:-64}

truncate -s 200M disk.img
mkfs.ext4 -q disk.img
head -c 5000000 "$GUESTS/vmlinuz" >data
debugfs -w -R "write data data" disk.img 2>/dev/null
sum() { sha256sum <"$1" | cut -d' ' -f1; }

disk_test() { # disk_test LIBATA-ARGUMENT TRANSFER-MODE
    run "wait-serial \"GUEST-READY\" 120
wait-serial \"guest# \" 20
serial \"sh /disks.sh $1; sleep 1; cat /sys/class/ata_device/dev1.0/xfer_mode\\n\"
wait-serial \"$2\" 60
wait-serial \"guest# \" 60
serial \"mkdir /m && mount -t ext4 /dev/sda /m && sha256sum /m/data\\n\"
wait-serial \"$(sum data)\" 60
wait-serial \"guest# \" 20
serial \"head -c ${size}m /dev/urandom >/m/new; sha256sum </m/new >/m/sum; umount /m; echo copi''ed\\n\"
wait-serial \"copied\" 300
wait-serial \"guest# \" 20
serial \"mount -t ext4 /dev/sda /m; sha256sum </m/new | cmp - /m/sum && echo sa''me\\n\"
wait-serial \"same\" 200
wait-serial \"guest# \" 20
serial \"rm /m/new; umount /m; poweroff -f\\n\"
wait-poweroff 60" $linux -hda disk.img
    e2fsck -fn disk.img >fsck.txt 2>&1 || { cat fsck.txt; die "the file system is damaged"; }
    debugfs -R 'cat sum' disk.img 2>/dev/null | grep -q . || die "what the guest wrote is not in the image"
}
disk_test "" XFER_MW_DMA_2
size=8
disk_test dma=0 XFER_PIO_4

# CDs: read whole, changed for one of another size, taken out.
cp "$CORPUS/images/mikeos/mikeos.iso" one.iso
cp one.iso two.iso
chmod u+w two.iso
truncate -s +1M two.iso
run "wait-serial \"GUEST-READY\" 120
wait-serial \"guest# \" 20
serial \"sh /disks.sh; sleep 1; mkdir /cd; mount -t iso9660 /dev/sr0 /cd && echo moun''ted && umount /cd\\n\"
wait-serial \"mounted\" 60
wait-serial \"guest# \" 60
serial \"dd if=/dev/sr0 bs=2k 2>/dev/null | sha256sum\\n\"
wait-serial \"$(sum one.iso)\" 60
wait-serial \"guest# \" 60
change ide1-cd0 two.iso
serial \"dd if=/dev/sr0 bs=2k 2>/dev/null | sha256sum\\n\"
wait-serial \"$(sum two.iso)\" 60
wait-serial \"guest# \" 20
eject ide1-cd0
serial \"dd if=/dev/sr0 of=/dev/null\\n\"
wait-serial \"o medium found\" 60" $linux -cdrom one.iso
