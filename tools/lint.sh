#!/bin/bash
# Checks the laws of docs/ARCHITECTURE.md that a machine can check. One line per finding; exit status 1
# if there is any. Usage: tools/lint.sh [BUILD]
#   BUILD       a finished gcc or clang build without sanitizers (default: build)
#   TIDY=no     leaves clang-tidy out (it is left out with a note where it is not installed)
#   TIDY=only   runs clang-tidy alone
set -u
cd "$(dirname "$0")/.." || exit 2
build=${1:-${BUILD:-build}}
lib=$build/libretrace.a
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

if git rev-parse --git-dir >/dev/null 2>&1; then
    git ls-files -co --exclude-standard | while read -r f; do [ -f "$f" ] && echo "$f"; done >"$tmp/files"
else
    find . -type f -not -path './build*' -not -path './.git/*' | sed 's|^\./||' >"$tmp/files"
fi
grep -E '\.[ch]$' "$tmp/files" >"$tmp/sources"

# --- who may include whom ------------------------------------------------------------------------
# base: what every part may use. mmu/phys.h and disk/blk.h are all that a chip may know of memory and
# disks (DMA, display memory, floppies).
includes() {
    # shellcheck disable=SC2046
    grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' $(cat "$tmp/sources") /dev/null | awk -F: '
        function folder(path,  n, part) {
            n = split(path, part, "/")
            if (n < 2) return "."
            if (part[1] != "machine") return part[1]
            sub(/\.[a-z]+$/, "", part[2])
            return part[2] ~ /^(types|compiler|error|irq|clock|state|device|bus|log|nearest|trace|screen)$/ ? "base" : "board"
        }
        BEGIN {
            may["base"] = "base"
            may["mmu"] = "base mmu"
            may["cpu"] = "base mmu cpu"
            may["disk"] = "base disk"
            may["net"] = "base net"
            may["devices"] = "base devices"
            may["debug"] = "base mmu cpu debug"
            may["board"] = "base mmu cpu disk net devices debug board"
            may["ui"] = may["board"] " ui"
            may["img"] = "base disk img"
            may["switchd"] = "base net switchd"
            may["tests"] = may["board"] " ui img tests"
            may["tools"] = may["board"] " tools"
            may["bench"] = "." # its guests: what lies beside them
        }
        {
            split($3, quoted, "\"")
            from = folder($1); to = folder(quoted[2])
            if (from == "devices" && (quoted[2] == "mmu/phys.h" || quoted[2] == "disk/blk.h")) next
            if (!(from in may) || index(" " may[from] " ", " " to " ") == 0)
                print $1 ":" $2 ": " from " may not include \"" quoted[2] "\""
        }'
}

# --- nothing of the host inside the machine --------------------------------------------------------
# Whatever an object of cpu/, mmu/ or devices/ takes from outside the library must be on this list of
# pure functions: so no clock, no random source, no file, no exit, no libm.
pure='memcpy|memset|memmove|memcmp|strlen|strcmp|strncmp|strchr|strrchr|strstr|strspn|strcspn|strtoul|strtoull'
pure="$pure|malloc|calloc|realloc|free|snprintf|vsnprintf|_?_?setjmp|_setjmp|longjmp|_GLOBAL_OFFSET_TABLE_"
pure="$pure|__(isoc99|isoc23)_strtou?ll?|__(u?div|u?mod|u?divmod|mul|ashl|lshr|ashr|ffs|clz|ctz|popcount|parity|bswap|u?cmp)[a-z]*[sdt]i[0-9]?"
pure="$pure|__stack_chk_fail|__(snprintf|vsnprintf|memcpy|memset|memmove)_chk|__longjmp_chk"

host_calls() {
    nm -A --defined-only "$lib" 2>/dev/null | awk '{ print $NF }' | sort -u >"$tmp/ours"
    find "$build/obj/cpu" "$build/obj/mmu" "$build/obj/devices" -name '*.o' | sort | while read -r o; do
        source=${o#"$build"/obj/}
        [ -f "${source%.o}.c" ] || continue
        nm -u "$o" | awk '{ print $NF }' | sort -u | comm -23 - "$tmp/ours" | grep -vxE "$pure" |
            sed "s|^|${source%.o}.c: calls neither the machine nor a pure function: |"
    done
    grep -E '^(cpu|mmu|devices)/' "$tmp/sources" | xargs awk '
        { line = $0; gsub(/"([^"\\]|\\.)*"/, "\"\"", line); sub(/\/\/.*/, "", line); gsub(/\/\*[^*]*\*\//, "", line) }
        line ~ /^[[:space:]]*(\/\*|\*)/ { next }
        line ~ /long[[:space:]]+double/ { print FILENAME ":" FNR ": long double depends on the host" }
        line ~ /#[[:space:]]*include[[:space:]]*<(math|time|fenv|complex|pthread|unistd|signal|assert)\.h>/ {
            print FILENAME ":" FNR ": a header of the host: " line }'
}

# --- no mutable file-scope variables ---------------------------------------------------------------
mutable_data() {
    objdump -t "$lib" | awk '
        /^[^ ]+: +file format/ { sub(/:.*/, ""); object = $0 }
        NF >= 5 && / O / {
            section = $(NF - 2); name = $NF
            if (section ~ /^(\.data|\.bss|\.tdata|\.tbss|\*COM\*)/ && section !~ /^\.data\.rel\.ro/)
                print object ": " name " is a mutable variable in " section
        }'
}

# --- text ------------------------------------------------------------------------------------------
long_files() {
    while read -r f; do
        lines=$(wc -l <"$f")
        case $f in tests/*) most=1500 ;; *) most=1200 ;; esac # tests are lists of independent cases
        [ "$lines" -gt $most ] && echo "$f: $lines lines; split it (at most $most)"
    done <"$tmp/sources"
}

texts() {
    marker='TO''DO|FIX''ME' places='(^|[^[:alnum:]_.])/(wo''rk|ro''ot|ho''me|tmp/bri''ef)(/|$)'
    grep -vE '^(LICENSE|docs/img/)' "$tmp/files" | xargs grep -nIE "\\b($marker)\\b" | sed 's/^\([^:]*:[0-9]*\):.*/\1: an open end is marked here/'
    grep -vE '^docs/img/' "$tmp/files" | xargs grep -nIE "$places" | sed 's/^\([^:]*:[0-9]*\):.*/\1: a path of a development machine/'
}

# Of the sequences one file: the others are more rows of the same steps.
tidy() {
    if ! command -v clang-tidy >/dev/null 2>&1; then
        echo "lint: clang-tidy is not installed and was left out" >&2
        return
    fi
    flags=$(sed -n 's/^CFLAGS = //p' "$build/config.mk" | tr ' ' '\n' | grep -E '^-(D|I|std)' | tr '\n' ' ')
    # shellcheck disable=SC2086
    grep -E '^(cpu|mmu|devices|machine|disk|net|debug|ui|img|switchd)/.*\.c$' "$tmp/sources" | grep -vE '^(ui/sdl|cpu/fast/sequences_[1-9])\.c$' |
        xargs -P "$(nproc)" -n 4 sh -c '
            flags=$0
            clang-tidy --quiet "$@" -- $flags -I. -I"'"$build"'" -DRETRACE_VERSION='"'\"0\"'"' \
                -DFIRMWARE_DIR='"'\"\"'"' -DROM_DIR='"'\"\"'"' 2>/dev/null' "$flags" |
        grep -E ': (warning|error):' | sed "s|^$PWD/||" | sort -u
}

{
    if [ "${TIDY:-}" != only ]; then
        includes
        if [ -f "$lib" ]; then
            host_calls
            mutable_data
        else
            echo "$lib: not there; build first (make BUILD=$build)"
        fi
        long_files
        texts
    fi
    [ "${TIDY:-}" = no ] || tidy
} >"$tmp/findings"
cat "$tmp/findings"
count=$(wc -l <"$tmp/findings")
echo "lint: $count findings in $(wc -l <"$tmp/sources") source files" >&2
[ "$count" = 0 ]
