#!/bin/bash
# Guest benchmarks: Retrace's fast core, QEMU's TCG, Bochs and the host's own processor on the same kernel,
# initial RAM file systems, FreeDOS and commands, in turn within one run. Usage: run.sh [BUILD] (or make bench).
# Environment:
#   RUNS=5                     repetitions; medians are shown, and (max - min) / median as spread
#   ROWS="boot-linux lua"      only these (default: all)
#   EMULATORS="retrace qemu"   only these, of retrace reference qemu bochs native (default: all but reference)
#   BOCHS_RUNS=1               repetitions of Bochs, where it takes too long (default: RUNS)
#   BOCHS=PATH                 a Bochs of your own, without the debugger (default: the package's)
#   RETRACE_GUESTS             where the guests are (default: build/guests; made where missing)
#   RETRACE_CORPUS             where images/freedos is (default: ../shared/corpus)
# Writes BUILD/bench.csv (medians) and BUILD/bench-runs.csv (every measurement).
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd) || exit 1
guests=${RETRACE_GUESTS:-$here/../build/guests}
corpus=${RETRACE_CORPUS:-$here/../../shared/corpus}
runs=${RUNS:-5}
rows=${ROWS:-}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

die() {
    echo "bench: $*" >&2
    exit 1
}
say() {
    echo "bench: $*" >&2
}
[ -x "$build/retrace" ] && [ -x "$build/bench-driver" ] || die "$build is not built; use make bench"
[ -d "$corpus" ] || corpus=
bash "$here/prepare.sh" "$guests" "$corpus" || die "there are no guests (see above)"
g=$(cd "$guests/bench" && pwd)
kernel=$(cd "$guests" && pwd)/vmlinuz
words='console=ttyS0,115200 debug quiet earlyprintk=serial,ttyS0,115200'

emulators=()
for e in ${EMULATORS:-retrace qemu bochs native}; do
    case $e in
    qemu) command -v qemu-system-i386 >/dev/null || { say "qemu-system-i386 is missing (package qemu-system-x86)"; continue; } ;;
    bochs) [ -f "$g/base.disk" ] || { say "bochs is missing (package bochs)"; continue; } ;;
    native) unshare -m true 2>/dev/null || unshare -rm true 2>/dev/null || { say "no native column: may not make name spaces"; continue; }
        "$g/native/bin/busybox" true 2>/dev/null || { say "no native column: this host does not run i386 programs"; continue; } ;;
    retrace | reference) ;;
    *) die "no emulator \"$e\"" ;;
    esac
    emulators+=("$e")
done

plans=(dos topbench linux programs simd memory trace)
has_row() { # has_row PLAN: it has a row that is wanted
    local row
    [ -z "$rows" ] && return 0
    for row in $rows; do
        grep -q "^row \(.* \)\?$row\( \|$\)" "$here/$1.plan" && return 0
    done
    return 1
}
for row in $rows; do
    grep -hq "^row \(.* \)\?$row\( \|$\)" "$here"/*.plan || die "no row \"$row\"; there are: $(sed -n 's/^row \([^ ]*\)$/\1/p' "$here"/*.plan | tr '\n' ' ')"
done

# What one plan wants of the machine: initial RAM file system, MiB, CPU as Retrace, QEMU and Bochs call it.
machine() {
    initrd=base.gz memory=512 cpu=(pentium2 pentium2 p2_klamath)
    case $1 in
    programs) initrd=programs.cpio ;;
    simd) cpu=(pentium4 pentium3,+sse2 p4_willamette) ;;
    memory) memory=64 ;;
    esac
}
bochs_config() { # bochs_config PLAN
    cat <<END
display_library: rfb, options="timeout=0"
config_interface: textconfig
romimage: file="$g/bios.bin"
vgaromimage: file="/usr/share/seabios/vgabios-isavga.bin"
cpu: model=${cpu[2]}, count=1, ips=100000000
memory: guest=$memory, host=$memory
com1: enabled=1, mode=term, dev=/dev/stdin
clock: sync=none
speaker: enabled=0
sound: driver=dummy
log: $tmp/bochs.log
panic: action=fatal
END
    if [ "$1" = topbench ]; then
        printf 'ata0-master: type=disk, path="%s", mode=volatile\nboot: disk\n' "$g/fdhd.img"
    elif [ "$1" = dos ]; then
        printf 'floppya: 1_44="%s", status=inserted, write_protected=1\nboot: floppy\n' "$g/dos.img"
    else
        printf 'ata0-master: type=disk, path="%s", mode=volatile\nboot: disk\n' "$g/${initrd%%.*}.disk"
    fi
}

measure() { # measure EMULATOR PLAN: lines of bench-driver
    local socket=$tmp/monitor plan=$here/$2.plan common
    local drive=("$build/bench-driver" -r "$rows")
    machine "$2"
    rm -f "$socket"
    common=(-m "$memory" -net none -display none -serial stdio)
    case $2 in
    dos) common+=(-drive "file=$g/dos.img,if=floppy,format=raw" -snapshot) ;;
    topbench) common+=(-drive "file=$g/fdhd.img,if=ide,format=raw" -snapshot) ;;
    *) common+=(-kernel "$kernel" -initrd "$g/$initrd" -append "$words") ;;
    esac
    case $1 in
    qemu)
        "${drive[@]}" "$plan" qemu-system-i386 -accel tcg -M pc -cpu "${cpu[1]}" -monitor none "${common[@]}"
        ;;
    retrace | reference)
        "${drive[@]}" -m "$socket" "$plan" "$build/retrace" -core "${1/retrace/fast}" -M pc -cpu "${cpu[0]}" \
            -monitor "unix:$socket,server,nowait" "${common[@]}"
        ;;
    bochs)
        bochs_config "$2" >"$tmp/bochsrc"
        echo c >"$tmp/bochs.rc"
        rc=()
        [ -n "${BOCHS:-}" ] || rc=(-rc bochs.rc) # packages are built with the debugger, which asks what to do
        (cd "$tmp" && "${drive[@]}" -p "$plan" /bin/sh -c 'exec "$@" >/dev/null 2>&1' sh "${BOCHS:-bochs-bin}" -q -f bochsrc "${rc[@]}")
        ;;
    native)
        [ "$(id -u)" = 0 ] && space=-m || space=-rm
        PATH=/bin PS1='guest# ' HOME=/ "${drive[@]}" -p "$plan" /usr/bin/unshare $space /bin/sh -c \
            "/bin/mount --bind /dev '$g/native/dev' && /bin/mount -t tmpfs none '$g/native/tmp' && exec /usr/sbin/chroot '$g/native' /bin/sh -i"
        ;;
    esac 2>"$tmp/stderr" || {
        cat "$tmp/stderr" >&2
        say "$1 did not finish $2.plan"
        return 1
    }
}

# Rows that make no sense: the host's processor boots nothing, Bochs's clock does not wait while a guest is idle,
# and only Retrace has a monitor that sets breakpoints.
sense() { # sense EMULATOR PLAN
    case $1-$2 in
    native-dos | native-topbench | native-memory | native-trace | qemu-trace | bochs-trace) return 1 ;;
    *-dos) [ -f "$g/dos.img" ] ;;
    *-topbench) [ -f "$g/fdhd.img" ] ;;
    *) return 0 ;;
    esac
}
all_rows=$rows
rows_of() { # rows_of EMULATOR: what it can be asked for
    local all=${all_rows:-$(sed -n 's/^row \([^ ]*\)$/\1/p' "$here"/*.plan | tr '\n' ' ')} row
    rows=
    for row in $all; do
        case $1-$row in
        native-boot-linux | native-idle* | bochs-idle* | bochs-*-x10) ;;
        *) rows+=" $row" ;;
        esac
    done
    rows=${rows# }
}

failed=
header=row,emulator,run,seconds,cpu_seconds,instructions,peak_kib,host_instructions,host_branch_misses
echo $header >"$build/bench-runs.csv"
for ((run = 1; run <= runs; run++)); do
    for plan in "${plans[@]}"; do
        for emulator in "${emulators[@]}"; do
            rows_of "$emulator"
            sense "$emulator" "$plan" && [ -n "$rows" ] && has_row "$plan" || continue
            [ "$emulator" = bochs ] && [ "$run" -gt "${BOCHS_RUNS:-$runs}" ] && continue
            say "run $run of $runs, $plan, $emulator"
            measure "$emulator" "$plan" >"$tmp/lines" || failed=yes
            awk -F'\t' -v e="$emulator" -v run="$run" '{ printf "%s,%s,%d", $1, e, run; for (i = 2; i <= NF; i++) printf ",%s", $i == "-" ? "" : $i; print "" }' \
                "$tmp/lines" >>"$build/bench-runs.csv"
        done
    done
done
awk -f "$here/medians.awk" "$build/bench-runs.csv" >"$build/bench.csv"
awk -f "$here/table.awk" "$build/bench.csv"
[ -n "$(awk -F, 'NR > 1 && $8' "$build/bench-runs.csv")" ] || say "this host does not count instructions and branch misses (see perf list)"
[ -z "$failed" ]
