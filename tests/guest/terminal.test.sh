# Without a display: one sentence, the text screen in the terminal, keys from it; -nographic; plain text in a pipe.
. "$(dirname "$0")/lib.sh"
need "$BUILD/roms/tour.img"
tool tmux
unset DISPLAY WAYLAND_DISPLAY SDL_VIDEODRIVER
TERM=xterm
export TERM

server=1
t() { tmux -u -L retrace-test-$$-$server -f /dev/null "$@"; }
trap 't kill-server 2>/dev/null || :' EXIT
open_terminal() { # open_terminal COLUMNS ROWS COMMAND: says how it ended in rc.txt
    rm -f rc.txt
    t kill-server 2>/dev/null || :
    server=$((server + 1)) # the old one may take a moment to end
    t new-session -d -x "$1" -y "$2" "$3; echo \$? >rc.txt; sleep 1000"
}
screen() { t capture-pane -p; }
await_text() { # await_text TEXT: in the terminal
    tries=0
    until screen | grep -q -- "$1"; do
        tries=$((tries + 1))
        [ $tries -lt $((200 * SLOW)) ] || { screen; die "\"$1\" never came to the terminal"; }
        sleep 0.2
    done
}
ended() { # ended STATUS: the command ends, with this exit status
    tries=0
    until [ -s rc.txt ]; do tries=$((tries + 1)); [ $tries -lt 100 ] || { screen; die "it does not end"; }; sleep 0.1; done
    [ "$(cat rc.txt)" = "$1" ] || { screen; die "exit status $(cat rc.txt)"; }
}

# The tour in a terminal with room: the menu, its highlight moved by a cursor key, a lesson, and back.
open_terminal 100 40 "'$retrace' -fda '$BUILD/roms/tour.img' -snapshot 2>err.txt"
await_text 'Choose a lesson'
await_text 'Ctrl-A x leaves'
[ "$(grep -c . err.txt)" = 1 ] || { cat err.txt; die "not one sentence"; }
grep -q 'no display.*text screen in this terminal' err.txt || { cat err.txt; die "not that sentence"; }
highlighted() { t capture-pane -p -e | grep "$(printf '\033\\[[0-9;]*46m')" | grep -q "$1"; }
tries=0
until highlighted 'Hello from real mode'; do tries=$((tries + 1)); [ $tries -lt 50 ] || die "no highlight on the first lesson"; sleep 0.1; done
t send-keys Down
tries=0
until highlighted 'A picture'; do tries=$((tries + 1)); [ $tries -lt 50 ] || die "cursor down does not move the highlight"; sleep 0.1; done
t send-keys Up Enter
await_text 'INT 10h'
t send-keys Escape
await_text 'Choose a lesson'
t send-keys C-a x
ended 0
screen | grep -q 'Choose a lesson' || { screen; die "the last screen is not left on the terminal"; }

# A small terminal shows the part with the cursor; Ctrl-C goes to the guest.
image=$CORPUS/images/freedos/fd144.img
if [ -e "$image" ] && command -v mtype >/dev/null 2>&1; then
    cp "$image" dos.img
    open_terminal 80 12 "'$retrace' -display text -fda dos.img"
    await_text '^A:.>$'
    t send-keys -l 'echo a-B_c{1}>t.txt'
    t send-keys Enter
    sleep 2
    t send-keys C-c
    t send-keys -l 'type t.tx9'
    t send-keys BSpace
    t send-keys -l 't'
    t send-keys Enter
    await_text '^a-B_c{1}$'
    t send-keys C-a x
    ended 0
    [ "$(mtype -i dos.img ::T.TXT | tr -d '\r')" = 'a-B_c{1}' ] || die "the typed file is not in the image"
fi

# -nographic: serial port and monitor share the terminal.
open_terminal 80 24 "'$retrace' -nographic -fda '$BUILD/roms/tour.img' -snapshot"
sleep 1
t send-keys C-a c
await_text 'for more information'
t send-keys -l 'info statsu'
t send-keys BSpace BSpace
t send-keys -l 'us'
t send-keys Enter
await_text 'VM status: running'
t send-keys Up Up Enter
sleep 0.5
[ "$(screen | grep -c 'VM status: running')" = 2 ] || { screen; die "cursor up does not bring back the line"; }
t send-keys C-a h
await_text 'from the serial port to the monitor'
t send-keys C-a x
ended 0

# In a pipe: plain text, once it is still; ended by a signal.
"$retrace" -fda "$BUILD/roms/tour.img" -snapshot </dev/null >pipe.txt 2>err.txt &
pid=$!
tries=0
until grep -q 'Choose a lesson' pipe.txt; do tries=$((tries + 1)); [ $tries -lt $((300 * SLOW)) ] || die "nothing in the pipe"; sleep 0.1; done
kill -INT $pid
wait $pid || die "SIGINT: exit status $?"
grep -q "$(printf '\033')" pipe.txt && die "control sequences in a pipe"

# A script that a signal ends says so.
printf 'wait 100000\n' >wait.rts
"$retrace" -display none -fda "$BUILD/roms/tour.img" -snapshot -icount shift=0 -script wait.rts </dev/null >out.txt 2>err.txt &
pid=$!
sleep 1
kill -TERM $pid
wait $pid && die "an interrupted script succeeded"
grep -q 'wait.rts:1: interrupted' err.txt || { cat err.txt; die "not why the script ended"; }
# Text screen and stdio cannot both have the terminal.
"$retrace" -display text -serial stdio </dev/null >out.txt 2>err.txt && die "two owners of the terminal"
[ "$(grep -c . err.txt)" = 1 ] || { cat err.txt; die "not one sentence"; }
exit 0
