# DOS writes to a linked clone in qcow2 format: the file is in the clone and not in its template; a snapshot
# of the clone brings the time before back.
. "$(dirname "$0")/lib.sh"
need "$CORPUS/images/freedos/fd144.img"
tool mtype
words='wait-screen "A:\>" 60
type "echo retrace was here>note.txt\n"
wait 3
type "type note.txt\n"
wait-screen "retrace was here" 20
wait 3'
img=$BUILD/retrace-img

cp "$CORPUS/images/freedos/fd144.img" base.img
"$img" clone -q --linked base.img disk.qcow2 || die "no clone was made"
"$img" snapshot -c before disk.qcow2 || die "no snapshot was made"
run "$words" -fda disk.qcow2
cmp base.img "$CORPUS/images/freedos/fd144.img" || die "the template changed"
"$img" check -q disk.qcow2 || die "the check finds errors"
"$img" convert disk.qcow2 after.img
mtype -i after.img ::NOTE.TXT | grep -q 'retrace was here' || die "the file is not in the clone"
"$img" snapshot -a before disk.qcow2 || die "cannot go back"
"$img" compare -q disk.qcow2 base.img || die "the snapshot is not what was there before"
