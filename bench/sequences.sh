#!/bin/bash
# Chooses the sequences of the fast core anew: records what programs execute and writes cpu/fast/sequences.def.
# Usage: sequences.sh [BUILD] (or make sequences). Environment:
#   SEQUENCES=12000            how many
#   PROGRAMS="boot lua"        only these (default: all)
#   WITHOUT="compile"          programs that are measured, but not chosen for
#   STRETCHES=N                how many stretches of each are recorded at most (default: as in the table below)
#   RECORD=no                  takes the records that there are in BUILD/sequences.d
#   OUT=FILE                   where to (default: cpu/fast/sequences.def; /dev/null: just the table)
#   RETRACE_GUESTS             where the guests are (default: build/guests; made where missing)
# Prints the dispatches an instruction that each program takes with the sequences of BUILD, and with the new ones.
set -u
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:-build}" && pwd) || exit 1
guests=${RETRACE_GUESTS:-$here/../build/guests}
out=${OUT:-$here/../cpu/fast/sequences.def}
records=$build/sequences.d
die() {
    echo "sequences: $*" >&2
    exit 1
}
[ -x "$build/sequences" ] || die "$build/sequences is not built; use make sequences"
bash "$here/prepare.sh" "$guests" || die "there are no guests (see above)"
guests=$(cd "$guests" && pwd)
mkdir -p "$records"

# Name, weight, stretches, millions of instructions from one to the next, command. The weight says how many of all
# instructions are thought to be such ones; the stretches of a program are spread over its run, or over so
# much of it that it does nothing new.
table() {
    cat <<'END'
boot      7.5  65  100
compile   20   110 50   cc1 -quiet -fpreprocessed -O1 -w /data/big.c -o /tmp/big.s
compile2  3    45  200  cc1 -quiet -fpreprocessed -O2 -w /data/big.c -o /tmp/big.s
fork      8    40  50   n=0; while [ $n -lt 500000 ]; do /bin/busybox true; n=$((n+1)); done
sh        2.25 20  50   i=0; while [ $i -lt 3000000 ]; do i=$((i+1)); case $i in 3000000) echo loop=$i;; esac; done
lua       2.25 40  50   lua /data/mix.lua 400
7z        3    45  40   head -c 1048576 /bin/cc1 >/tmp/code; 7zr a -mmt1 -mx5 /tmp/code.7z /tmp/code >/tmp/log && 7zr t -mmt1 /tmp/code.7z
awk       1.5  20  50   awk 'BEGIN{for(i=0;i<1000000;i++)s+=i%7*0.5;printf "awk=%.1f\n",s}'
md5       1    10  50   md5sum /bin/cc1 /bin/cc1 /bin/cc1 /bin/cc1 /bin/cc1 /bin/cc1
sha256    1    10  100  sha256sum /bin/cc1 /bin/cc1 /bin/cc1 /bin/cc1
sha512    0.7  10  100  openssl dgst -sha512 /bin/cc1 /bin/cc1 /bin/cc1
aes       0.7  10  100  openssl enc -aes-128-cbc -pass pass:p -S 00 -pbkdf2 -in /bin/cc1 -out /dev/null
prime     0.7  10  100  openssl prime -hex $(printf '7%0319d' 0 | tr 0 F)
bzip2     0.7  20  100  head -c 4000000 /bin/cc1 >/tmp/c; bzip2 -k /tmp/c; bzip2 -dc /tmp/c.bz2 >/tmp/d
xz        0.7  20  100  head -c 1000000 /bin/cc1 >/tmp/c; xz -k /tmp/c; while :; do xz -dc /tmp/c.xz >/tmp/d; done
sqlite    1    30  50   sqlite3 :memory: "create table t(a integer primary key, b text, c real); with recursive n(x) as (select 1 union all select x+1 from n where x<20000) insert into t select x, printf('%06d-%s', x*7919%20000, hex(x)), x/7.0 from n; create index i on t(b); select count(*), sum(c), max(b) from t where b like '%7%'; select a%13, count(*), avg(c) from t group by 1 order by 2; select count(*) from t u, t v where u.b=v.b and v.a%3=0; update t set c=c*2 where a in (select a from t where b>'01'); delete from t where a%2; vacuum;"
gzip      1.5  45  40   dd if=/dev/zero of=/tmp/z bs=1M count=8; cat /data/text /data/text /bin/7zr /tmp/z >/tmp/t; gzip -c /tmp/t >/tmp/t.gz; gunzip -c /tmp/t.gz >/tmp/u; cmp /tmp/t /tmp/u
gunzip    1    20  50   cat /bin/7zr /data/text >/tmp/t; gzip -1 -c /tmp/t >/tmp/t.gz; while :; do gunzip -c /tmp/t.gz >/tmp/u; done
files     2.5  40  50   while :; do find / -xdev -type f | sort | head -200 | sed s/a/b/g | grep -c bin; ls -lR /bin /etc /data; ps; tar cf /tmp/x.tar /bin/busybox /data/mix.lua; od -x /data/mix.lua | tail -3; done
mem       0.3  10  50   bench-mem
remap     0.5  20  50   bench-remap 30
END
}
length=500000 # instructions of a stretch

record_program() { # record_program NAME STRETCHES MILLIONS COMMAND
    local initrd=$guests/bench/programs.cpio memory=512
    if [ "$1" = boot ]; then
        initrd=$guests/initrd.gz memory=128
    fi
    echo "sequences: recording $1" >&2
    "$build/sequences" record "$guests/vmlinuz" "$initrd" $memory "${STRETCHES:-$2}" "${3}000000" $length "$records/$1.new" ${4:+"$4"} &&
        mv "$records/$1.new" "$records/$1"
}

arguments=()
while read -r name weight stretches millions command; do
    [[ -z ${PROGRAMS:-} || " $PROGRAMS " == *" $name "* ]] || continue
    if [ "${RECORD:-}" != no ] || [ ! -f "$records/$name" ]; then
        record_program "$name" "$stretches" "$millions" "$command" || die "$name could not be recorded"
    fi
    [[ " ${WITHOUT:-} " != *" $name "* ]] || weight=0
    arguments+=("$records/$name=$weight")
done < <(table)
[ ${#arguments[@]} -gt 0 ] || die "no such program; there are: $(table | awk '{ printf " %s", $1 }')"

"$build/sequences" choose "${SEQUENCES:-12000}" "$records/sequences.def" "${arguments[@]}" || die "nothing was chosen"
cat "$records/sequences.def" >"$out" || die "$out cannot be written"
