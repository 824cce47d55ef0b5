#!/bin/sh
# The agreement test's driver for Python: builds the binding, then runs a case file with the library BREGMAN_LIBRARY.
# usage: bindings/python/agreement.sh CASES
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)

"$root/ci/python.sh" install >&2
exec "$root/target/python/venv/bin/python" "$root/bindings/python/agreement/driver.py" "$@"
