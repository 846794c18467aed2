# FORMAT /U under DOS sends FORMAT TRACK for every track of the second drive: the image holds nothing but its filler
# byte. (This FORMAT then fails to write the boot sector to B:, with "unknown unit for driver", on QEMU as well.)
. "$(dirname "$0")/lib.sh"
need "$CORPUS/images/freedos/freedos12-vxt.img"
tool mformat

cp "$CORPUS/images/freedos/freedos12-vxt.img" tools.img
chmod u+w tools.img
mformat -C -f 360 -i b.img ::
run 'wait-screen "type HELP to get support on commands" 90
type "cls\nformat b: /u /v:NEW\n"
wait-screen "Press ENTER" 20
type "\n"
wait-screen "100 percent completed" 120' -m 16 -icount shift=6 -fda tools.img -fdb b.img
[ "$(wc -c <b.img)" = 368640 ] || die "the image has another size now"
[ "$(tr -d '\366' <b.img | wc -c)" = 0 ] || die "some sectors were not formatted"
