# The window on a virtual X display: the picture, keys by scancode, the mouse's grab, resizing, closing.
. "$(dirname "$0")/lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
image=$CORPUS/images/freedos/freedos12-vxt.img
need "$image"
tool Xvfb xdotool import convert mtype socat cc
cc -o x_close "$here/../ui/x_close.c" -lX11 2>/dev/null || { echo "no libX11 to build with" >&2; exit 77; }

display=$((50 + $$ % 900))
Xvfb :$display -noreset -screen 0 1280x1024x24 >/dev/null 2>&1 &
xvfb=$!
pid=
trap 'kill $xvfb $pid 2>/dev/null || :' EXIT
DISPLAY=:$display
export DISPLAY
unset WAYLAND_DISPLAY SDL_VIDEODRIVER
await() { # await SECONDS COMMAND...: until it succeeds
    tries=$(($1 * 5 * SLOW))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || return 1
        sleep 0.2
    done
}
await 10 xdotool getdisplaygeometry || { echo "Xvfb does not start" >&2; exit 77; }

cp "$image" dos.img
"$retrace" -display sdl -name 'Test PC' -m 16 -fda dos.img -trace input -D input.txt -monitor unix:mon.sock,server,nowait </dev/null >out.txt 2>&1 &
pid=$!
await 20 xdotool search --onlyvisible --name 'Test PC' || {
    grep -q 'no SDL2' out.txt && { echo "a build without SDL2" >&2; exit 77; }
    cat out.txt
    die "no window"
}
focused() {
    w=$(xdotool search --onlyvisible --name 'Test PC' | head -n 1)
    xdotool windowfocus "$w"
}
await 20 focused || die "the window does not take the keyboard"
[ "$(xdotool getwindowname "$w")" = 'Test PC' ] || die "the title is $(xdotool getwindowname "$w")"

# Text comes where it was typed: the file in the image proves the whole way.
row() { # row NAME: the picture of the prompt's line has something in it
    import -window "$w" "$1.png" && [ "$(convert "$1.png" -format '%[fx:mean>0.02]' info:)" = 1 ]
}
await 60 row boot || die "a black window"
prompt() { echo screentext | socat - unix-connect:mon.sock | tr -d '\r' | grep -v '^ *$' | tail -n 2 | grep -q '^A:.>'; }
await 60 prompt || die "no prompt: $(echo screentext | socat - unix-connect:mon.sock)"
xdotool type --delay 60 'echo Mixed-Case_{42}>typed.txt'
xdotool key Return
written() { [ "$(mtype -i dos.img ::TYPED.TXT 2>/dev/null | tr -d '\r')" = 'Mixed-Case_{42}' ]; }
sleep 2

# The window has the shape of a 4:3 tube, whatever its own.
geometry() { xdotool getwindowgeometry "$w" | sed -n 's/.*Geometry: //p'; }
[ "$(geometry)" = 720x540 ] || die "text mode in $(geometry)"
box() { # box: the part of the window with text in it, as WIDTHxHEIGHT+X+Y
    import -window "$w" now.png
    convert now.png -threshold 20% -format '%@' info:
}
text_from() { # text_from LEAST MOST: the first column with text in it
    left=$(box | sed 's/.*+\([0-9]*\)+[0-9]*$/\1/')
    [ "$left" -ge "$1" ] && [ "$left" -le "$2" ]
}
xdotool windowsize --sync "$w" 1000 540
await 20 text_from 140 150 || die "a wide window shows text from column $left, not from 140"
xdotool windowsize --sync "$w" 720 700
await 20 text_from 0 10 || die "a high window shows text from column $left"
[ "$(geometry)" = 720x700 ] || die "the window does not keep the user's size but has $(geometry)"

# Keys that PC keyboards send with a prefix; each goes down and up once (USB HID usages).
events() { sed -n 's/.*input: kind 0 a=\([0-9]*\) b=\([01]\).*/\1:\2/p' input.txt | tr '\n' ' '; }
gave() { # gave "EVENTS": just these since `before`
    now=$(events)
    [ "${now#"$before"}" = "$1 " ]
}
keys() { # keys "X NAMES" "EXPECTED EVENTS"
    before=$(events)
    for k in $1; do xdotool key "$k"; done
    await 20 gave "$2" || die "keys $1 gave ${now#"$before"}, not $2"
}
keys 'Up End Insert KP_Enter F12' '82:1 82:0 77:1 77:0 73:1 73:0 88:1 88:0 69:1 69:0'
keys 'shift+a' '225:1 4:1 225:0 4:0'
# A key that is held when the window loses the keyboard is released in the guest.
before=$(events)
"$retrace" -display sdl -name Other -S </dev/null >/dev/null 2>&1 &
other=$!
await 20 xdotool search --onlyvisible --name Other || die "no second window"
o=$(xdotool search --onlyvisible --name Other | head -n 1)
[ "$(xdotool getwindowname "$o")" = 'Other [paused]' ] || die "-S: the title is $(xdotool getwindowname "$o")"
xdotool windowfocus "$w"
sleep 0.5
xdotool keydown b
await 20 gave '5:1' || die "keydown b gave ${now#"$before"}"
xdotool windowfocus "$o"
await 20 gave '5:1 5:0' || die "losing the keyboard gave ${now#"$before"}"
xdotool keyup b
./x_close "$o"
wait $other || die "closing the paused window: exit status $?"
xdotool windowfocus "$w"
sleep 0.5

# The mouse: a click catches it, Ctrl-Alt-G lets it go, and the guest's keys are up afterwards.
moves() { grep -c 'input: kind 1 ' input.txt || :; }
xdotool mousemove --window "$w" 300 300
sleep 0.5
[ "$(moves)" = 0 ] || die "a mouse that was not caught moved the guest's"
xdotool click 1
titled() { xdotool getwindowname "$w" | grep -q "$1"; }
await 20 titled 'Ctrl-Alt-G' || die "the title does not say how to release the mouse"
xdotool mousemove_relative -- 30 -20
await 20 grep -q 'input: kind 1 a=0 b=0 x=30 y=-20 z=0' input.txt || { grep 'kind 1' input.txt; die "no movement of 30, -20"; }
xdotool mousedown 3 mouseup 3 click 5
await 20 grep -q 'input: kind 1 a=2 b=0 x=0 y=0 z=0' input.txt || die "no right button"
await 20 grep -q 'input: kind 1 a=0 b=0 x=0 y=0 z=1' input.txt || die "no wheel"
xdotool key ctrl+alt+g
await 20 titled '^Test PC$' || die "Ctrl-Alt-G does not release the mouse"
count=$(moves)
xdotool mousemove_relative 5 5
sleep 0.5
[ "$(moves)" = "$count" ] || die "a released mouse moved the guest's"
all_up() { events | tr ' ' '\n' | awk -F: 'NF == 2 { down[$1] = $2 } END { for (k in down) if (down[k]) exit 1 }'; }
await 20 all_up || die "a key is stuck: $(events)"

# Idle at the prompt: under 3% of a host core (10% here, for busy hosts and unoptimized builds).
if [ "$SLOW" = 1 ]; then
    sleep 3
    ticks() { awk '{ print $14 + $15 }' /proc/$pid/stat; }
    a=$(ticks)
    sleep 5
    b=$(ticks)
    percent=$(((b - a) * 100 / ($(getconf CLK_TCK) * 5)))
    echo "idle at the prompt: $percent% of a core"
    [ $percent -le 10 ] || die "an idle guest takes $percent% of a core"
fi

# The close button: exit status 0, and what the guest wrote is in the image.
./x_close "$w"
wait $pid || { cat out.txt; die "closing the window: exit status $?"; }
pid=
written || { mdir -i dos.img ::; die "the typed file is not in the image"; }
exit 0
