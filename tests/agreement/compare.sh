#!/bin/sh
# Runs the drivers of the agreement test on one case file and compares their outputs, byte for byte, with the first one's.
# usage: compare.sh CASES NAME=COMMAND...          (a command is one or more words; CASES is appended)
# A driver that exits 77 cannot run here: it is skipped, or fails if CI is set.
set -u

if [ $# -lt 3 ]; then
    echo "usage: compare.sh CASES NAME=COMMAND NAME=COMMAND..." >&2
    exit 2
fi
cases=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
compared=0
reference=

fail() {
    echo "agreement: $*" >&2
    failed=1
}

# Prints where driver $1 and the reference first differ: the outputs, and the line of the case file.
report() {
    fail "$1 differs from $reference on $(basename "$cases"): $(diff "$work/$reference" "$work/$1" | grep -c '^[<>]') lines"
    diff "$work/$reference" "$work/$1" | grep '^[<>]' | cut -c1-300 | head -6 >&2
    line=$(diff "$work/$reference" "$work/$1" | sed -n 's/^[<>] \([0-9]*\) .*/\1/p' | head -1)
    [ -z "$line" ] || echo "  case line $line: $(sed -n "${line}p" "$cases")" >&2
}

for driver in "$@"; do
    name=${driver%%=*}
    # A command is a list of words.
    ${driver#*=} "$cases" >"$work/$name" 2>"$work/errors"
    status=$?
    if [ $status -eq 77 ] && [ -z "${CI:-}" ]; then
        echo "skipped: the $name driver: $(tail -n 1 "$work/errors")"
    elif [ $status -ne 0 ]; then
        fail "the $name driver failed on $(basename "$cases") with status $status"
        tail -n 20 "$work/errors" >&2
    elif [ -z "$reference" ]; then
        reference=$name
        # Every case file has output.
        [ -s "$work/$name" ] || fail "the $name driver wrote nothing"
    elif cmp -s "$work/$reference" "$work/$name"; then
        compared=$((compared + 1))
    else
        report "$name"
    fi
done

[ $compared -gt 0 ] || fail "nothing was compared"
[ $failed -eq 0 ] || exit 1
echo "agreement: $(basename "$cases"): $(wc -l <"$work/$reference") lines of $((compared + 1)) drivers are equal"
