#!/bin/sh
# The Go driver of the agreement test.
# usage: BREGMAN_LIBRARY=FILE bindings/go/agreement.sh CASES
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
go=$("$root/ci/golang.sh")
program=$root/target/golang/agreement
mkdir -p "$root/target/golang"
GOTOOLCHAIN=local GOPROXY=off "$go" build -C "$root/bindings/go" -o "$program" ./internal/agreement
exec "$program" "$1"
