# FreeDOS onto an empty qcow2 disk, inside the guest alone, from the programs on its floppy: FDISK (partition and boot
# program), a reboot, FORMAT, SYS, COPY. The disk then boots by itself with what was copied, and the host finds the same
# files on it.
. "$(dirname "$0")/lib.sh"
need "$CORPUS/images/freedos/freedos12-vxt.img"
tool mtype
img=$BUILD/retrace-img

cp "$CORPUS/images/freedos/freedos12-vxt.img" tools.img
chmod u+w tools.img
"$img" create -q -f qcow2 disk.qcow2 24M
run 'wait-screen "type HELP to get support on commands" 90
type "fdisk /auto\n"
wait 6
type "fdisk /mbr\n"
wait 4
type "cls\nfdisk /info\n"
wait-screen "FAT16             100%" 20
type "fdisk /reboot\n"
wait 8
wait-screen "type HELP to get support on commands" 90
type "cls\nformat c: /v:RETRACE\n"
wait-screen "(YES/NO)?" 30
type "YES\n"
wait-screen "QuickFormat complete" 60
wait-screen "A:\>" 20
type "cls\nsys c:\n"
wait-screen "System transferred" 60
type "cls\nmd c:\\bin\ncopy a:\\freedos\\bin\\mem.exe c:\\bin\n"
wait-screen "=> c:" 30
wait-screen "A:\>" 5
wait 3
type "cls\necho echo booted from C>c:\\autoexec.bat\ndir c:\n"
wait-screen "AUTOEXEC BAT" 30' -m 16 -icount shift=6 -fda tools.img -hda disk.qcow2 -boot a
"$img" check -q disk.qcow2 || die "the check finds errors"

run 'wait-screen "booted from C" 60
type "c:\\bin\\mem\n"
wait-screen "Largest executable program size" 30
type "echo kept>c:\\note.txt\n"
wait 3' -m 16 -icount shift=6 -hda disk.qcow2
"$img" check -q disk.qcow2 || die "the check finds errors after the second run"
"$img" convert -O raw disk.qcow2 disk.img
first=$(od -An -tu4 -j454 -N4 disk.img) # of the first partition
mtype -i disk.img@@$((first * 512)) ::NOTE.TXT | grep -q kept || die "what DOS wrote is not on the disk"
mtype -i disk.img@@$((first * 512)) ::BIN/MEM.EXE >copied
mtype -i tools.img ::FREEDOS/BIN/MEM.EXE | cmp - copied || die "the copy differs"
