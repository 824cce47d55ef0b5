#!/bin/sh
# The Go binding: format, lints, tests (also under the race detector), and each way to link or load the library.
# usage: ci/go.sh
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
target=${CARGO_TARGET_DIR:-$root/target}
go=$(ci/golang.sh)
# Nothing may be fetched: the module requires no others, and the toolchain is this one.
export GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=readonly
export BREGMAN_LIBRARY="$target/release/libbregman.so"

fail() {
    echo "ci/go.sh: $*" >&2
    exit 1
}

cargo build --release --quiet
ci/llama.sh
"$go" version
cd bindings/go

echo "== format and lints"
unformatted=$("$(dirname "$go")/gofmt" -l .)
[ -z "$unformatted" ] || fail "not formatted: $unformatted"
[ "$("$go" list -m all)" = "$("$go" list -m)" ] || fail "the module requires others"
"$go" vet ./...
CGO_ENABLED=0 "$go" vet ./...

echo "== tests"
"$go" test -count=1 ./...
echo "== tests under the race detector"
"$go" test -count=1 -race ./...
echo "== tests without cgo"
CGO_ENABLED=0 "$go" test -count=1 ./...

# As if installed: a directory with the SONAME and a file for pkg-config.
work=$target/golang/linked
mkdir -p "$work"
ln -sf "$BREGMAN_LIBRARY" "$work/libbregman.so.1"
ln -sf "$BREGMAN_LIBRARY" "$work/libbregman.so"
ln -sf "$target/release/libbregman.a" "$work/libbregman.a"
cat >"$work/bregman.pc" <<PC
Name: bregman
Description: Turns rows of LLM logits into tokens
Version: 1.0.0
Libs: -L$work -lbregman
Cflags: -I$root/include
PC
export PKG_CONFIG_PATH="$work"
unset BREGMAN_LIBRARY
echo "== tests, linked"
LD_LIBRARY_PATH="$work" "$go" vet -tags bregman_link ./...
LD_LIBRARY_PATH="$work" "$go" test -count=1 -tags bregman_link ./...
echo "== tests, static"
CGO_LDFLAGS="-L$work" "$go" vet -tags bregman_static ./...
CGO_LDFLAGS="-L$work" "$go" test -count=1 -tags bregman_static ./...

# Three builds of the agreement driver: whether they need the shared library, and their output.
needs() {
    readelf -d "$work/$1" | grep -c 'NEEDED.*libbregman' || :
}
"$go" build -o "$work/loaded" ./internal/agreement
"$go" build -tags bregman_link -o "$work/shared" ./internal/agreement
CGO_LDFLAGS="-L$work" "$go" build -tags bregman_static -o "$work/static" ./internal/agreement
[ "$(needs loaded) $(needs shared) $(needs static)" = "0 1 0" ] ||
    fail "the builds need the library $(needs loaded), $(needs shared) and $(needs static) times, not 0, 1 and 0"
"$root/tests/agreement/compare.sh" "$root/tests/agreement/cases.txt" \
    "loaded=env BREGMAN_LIBRARY=$target/release/libbregman.so $work/loaded" \
    "shared=env LD_LIBRARY_PATH=$work $work/shared" "static=$work/static"

echo "== benchmarks: checked, not measured"
BREGMAN_LIBRARY="$target/release/libbregman.so" "$go" test -run '^$' -bench . -benchtime 20x .

echo "== the program of README.md, in a module of its own with the library of a checkout"
own=$target/golang/own
rm -rf "$own"
mkdir -p "$own"
sed -n '/^```go$/,/^```$/p' README.md | sed '/^```/d' >"$own/main.go"
cd "$own"
"$go" mod init example.com/hello 2>/dev/null
"$go" mod edit -replace "github.com/bregman-decoding/bregman/bindings/go=$root/bindings/go"
"$go" get github.com/bregman-decoding/bregman/bindings/go 2>/dev/null
said=$(BREGMAN_LIBRARY="$target/release/libbregman.so" "$go" run .)
grep -qxF "$said" "$root/bindings/go/README.md" || fail "README.md does not print: $said"
