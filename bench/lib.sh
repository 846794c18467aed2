# Shared by disk.sh and net.sh; sourced with the benchmark's directory in $here and the build's, if one was named, in $1. Sets
# build, guests and tmp (removed at the end) and sees to it that emulators and guest are there.
build=$(cd "${1:-build}" && pwd) || exit 1
guests=${RETRACE_GUESTS:-$here/../build/guests}
tmp=$(mktemp -d)
server='' # a process to be ended with the benchmark
trap '[ -z "$server" ] || kill $server; rm -rf "$tmp"' EXIT
die() {
    echo "bench: $*" >&2
    exit 1
}
[ -x "$build/retrace" ] && [ -x "$build/bench-driver" ] || die "$build is not built; use make bench-disk or bench-net"
command -v qemu-system-i386 >/dev/null || die "qemu-system-i386 is missing (package qemu-system-x86)"
sh "$here/../tests/guest/prepare-linux.sh" "$guests" || die "there is no Linux guest (see above)"
guests=$(cd "$guests" && pwd)

# in_turn RUN PLAN OPTIONS...: the plan here and on QEMU, each with these options; results go to the end of $tmp/all.
in_turn() {
    local e command run=$1 plan=$2
    shift 2
    for e in retrace qemu; do
        command=("$build/retrace" -core fast)
        [ $e = retrace ] || command=(qemu-system-i386 -accel tcg)
        echo "bench: run $run, $e" >&2
        "$build/bench-driver" "$plan" "${command[@]}" "$@" 2>"$tmp/stderr" | sed "s/^/$e /" >>"$tmp/all"
        [ "${PIPESTATUS[0]}" = 0 ] || { cat "$tmp/stderr" >&2; die "$e did not finish the plan"; }
    done
}
rates() { sort -s -k 1,2 "$tmp/all" | awk -f "$here/rates.awk"; }
