# A file that DOS writes is in the image afterwards, and with -snapshot it is not.
. "$(dirname "$0")/lib.sh"
need "$CORPUS/images/freedos/fd144.img"
tool mdir mtype
words='wait-screen "A:\>" 60
type "echo retrace was here>note.txt\n"
wait 3
type "type note.txt\n"
wait-screen "retrace was here" 20
wait 3'

cp "$CORPUS/images/freedos/fd144.img" disk.img
chmod u+w disk.img
run "$words" -snapshot -fda disk.img
cmp disk.img "$CORPUS/images/freedos/fd144.img" || die "-snapshot changed the image"
run "$words" -fda disk.img
mtype -i disk.img ::NOTE.TXT | grep -q 'retrace was here' || die "the file is not in the image"

# The same through -drive with readonly=on: DOS reports the protection, the image stays as it is.
cp "$CORPUS/images/freedos/fd144.img" ro.img
run 'wait-screen "A:\>" 60
type "echo x>new.txt\n"
wait-screen "rotect" 30' -drive file=ro.img,if=floppy,index=0,readonly=on
cmp ro.img "$CORPUS/images/freedos/fd144.img" || die "a read-only drive changed the image"
