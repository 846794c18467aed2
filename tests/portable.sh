#!/bin/sh
# The same machine on other hosts: builds for s390x (big-endian) and aarch64, runs the unit tests under qemu-user, and
# boots FreeDOS by its guest script on each and natively: the state hash in the end must be the same.
# Usage: tests/portable.sh [--install-deps]. Build directories build-s390x and build-aarch64; logs build-ARCH/portable.log.
# UNIT: folders of unit tests; all of them that ask no x86 host run whole, the captured corpora included. The fast core has
# special handlers for two registers (configure --few), so that those and the general ones run and the build is short.
set -u
cd "$(dirname "$0")/.." || exit 2
corpus=${RETRACE_CORPUS:-../shared/corpus}
floppy=$corpus/images/freedos/fd144.img
script=tests/guest/scripts/freedos-fd144-pentium2.rts
unit=${UNIT:-cpu mmu machine devices disk net debug}
options=${1:-}

boot() { # boot BUILD RUNNER...: prints the state hash in the end
    words=$1/portable.rts
    { grep -v '^#' $script; echo 'info hash'; } >"$words"
    at=$1
    shift
    "$@" "$at/retrace" -display none -M pc -cpu pentium2 -m 4 -fda "$floppy" -snapshot -icount shift=2 \
        -rtc base=2026-01-31T12:00:00 -script "$words" | grep icount
}

hash_of() { # hash_of BUILD RUNNER...: into BUILD/portable.hash
    if [ -e "$floppy" ]; then boot "$@"; else echo "no $floppy"; fi >"$1/portable.hash"
}

one() { # one ARCH: build, unit tests, boot
    arch=$1 b=build-$1
    ./configure --build="$b" --cross="$arch-linux-gnu" --few || return 1
    make -s -j2 BUILD="$b" UNIT="$unit" check-unit || return 1
    hash_of "$b" "qemu-$arch-static" -L "/usr/$arch-linux-gnu"
}

# `N tests in M programs`: those of tests/ that were not skipped.
tests_in() { # tests_in BUILD
    sed -n 's/.*\[  PASSED  \] \([0-9]*\) test(s).*/\1/p' "$1"/log/*.log |
        awk '{ n += $1; programs++ } END { print n + 0 " tests in " programs + 0 " programs" }'
}

status=0
{ [ -e build/config.mk ] || ./configure >/dev/null; } && make -s build/retrace || exit 1
mkdir -p build-s390x build-aarch64
# One after the other: apt and dpkg run alone.
[ -z "$options" ] || for arch in s390x aarch64; do
    ./configure --build="build-$arch" --cross="$arch-linux-gnu" --few "$options" >/dev/null || exit 1
done
rm -rf build-s390x/log build-aarch64/log build-s390x/portable.hash build-aarch64/portable.hash
one s390x >build-s390x/portable.log 2>&1 &
big=$!
one aarch64 >build-aarch64/portable.log 2>&1 || status=1
hash_of build env || status=1
wait $big || status=1

echo "x86-64   $(cat build/portable.hash)"
for arch in s390x aarch64; do
    printf '%-8s %s; unit tests: %s\n' $arch "$(cat build-$arch/portable.hash 2>/dev/null)" \
        "$(grep ' failed$' build-$arch/portable.log || tail -n 5 build-$arch/portable.log), $(tests_in build-$arch)"
    cmp -s build/portable.hash build-$arch/portable.hash || status=1
done
[ -e "$floppy" ] || echo "skipped: the boots; there is no $floppy"
[ $status = 0 ] || echo "the hosts differ or a test failed; see build-*/portable.log"
exit $status
