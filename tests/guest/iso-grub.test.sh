# A CD that grub-mkrescue and xorriso made boots with "-boot d": the firmware starts GRUB from it (El Torito), GRUB shows
# its menu and starts Debian's kernel, which finds the CD that it came from.
. "$(dirname "$0")/lib.sh"
need "$GUESTS/vmlinuz" "$GUESTS/initrd-modules.gz"
tool grub-mkrescue xorriso mformat
need /usr/lib/grub/i386-pc/moddep.lst

mkdir -p tree/boot/grub
cp "$GUESTS/vmlinuz" tree/boot/vmlinuz
cp "$GUESTS/initrd-modules.gz" tree/boot/initrd.gz
echo 'from the CD' >tree/note.txt
cat >tree/boot/grub/grub.cfg <<'END'
set timeout=2
menuentry "Debian from this CD" {
    linux /boot/vmlinuz console=ttyS0
    initrd /boot/initrd.gz
}
END
grub-mkrescue -d /usr/lib/grub/i386-pc -o grub.iso tree >mkrescue.log 2>&1 || { cat mkrescue.log; die "grub-mkrescue failed"; }

run 'wait-screen "Debian from this CD" 120
wait-serial "GUEST-READY" 200
wait-serial "guest# " 20
serial "sh /disks.sh; sleep 1; mkdir /cd; mount -t iso9660 /dev/sr0 /cd && cat /cd/note.txt\n"
wait-serial "from the CD" 60
serial "sha256sum /cd/boot/vmlinuz\n"
wait-serial "'"$(sha256sum <"$GUESTS/vmlinuz" | cut -d' ' -f1)"'" 60
wait-serial "guest# " 20
serial "umount /cd; poweroff -f\n"
wait-poweroff 60' -m 128 -cdrom grub.iso -boot d
