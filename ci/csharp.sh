#!/bin/sh
# The C# binding: builds it and runs its tests on Mono and on CoreCLR. Fetches missing tools into target/.
# usage: ci/csharp.sh [bench]        (bench: the time of a call from C, on Mono and on CoreCLR)
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
binding=bindings/csharp
out=target/csharp

fail() {
    echo "ci/csharp.sh: $*" >&2
    exit 1
}

step() {
    echo "== C#: $*"
}

# expect WHAT GOT
expect() {
    [ "$1" = "$2" ] || fail "expected \`$1\`, got \`$2\`"
}

# Runs the program that prints which library it found, in the directory that app() made.
loading() {
    case $1 in
        mono) mono "$work/app/loading.exe" ;;
        coreclr) target/dotnetcore/dotnet "$work/app/loading.exe" ;;
    esac
}

# app RUNTIME: makes the directory of the program, without a native library.
app() {
    rm -rf "$work/app"
    mkdir -p "$work/app"
    cp "$out/$1/loading.exe" "$out/$1/loading.runtimeconfig.json" "$out/$1/Bregman.dll" "$work/app"
}

# Where the native library is found, and the errors if it is missing or another.
test_loading() {
    app "$1"
    expect DllNotFoundException "$(loading "$1")"
    cp "$library" "$work/app/libbregman.so"
    expect "token 1" "$(loading "$1")"
    cp "$work/libother.so" "$work/app/libbregman.so"
    expect "BregmanException: Unsupported" "$(loading "$1")"
    [ "$1" = coreclr ] || return 0
    expect "token 1" "$(BREGMAN_LIBRARY=$library loading "$1")"
    expect DllNotFoundException "$(BREGMAN_LIBRARY=$work/nothing.so loading "$1")"
    app "$1"
    mkdir -p "$work/app/runtimes/linux-x64/native"
    cp "$library" "$work/app/runtimes/linux-x64/native/"
    expect "token 1" "$(loading "$1")"
    app "$1"
    mkdir -p "$work/system"
    cp "$library" "$work/system/libbregman.so.1"
    expect "token 1" "$(LD_LIBRARY_PATH=$work/system loading "$1")"
}

# All tests of one runtime.
test_runtime() {
    step "tests on $1"
    "$binding/run.sh" "$1" tests
    step "SIMD levels on $1"
    for level in scalar no-such-level; do
        BREGMAN_SIMD=$level "$binding/run.sh" "$1" tests LibraryTests.SimdLevel
    done
    BREGMAN_SIMD=scalar "$binding/run.sh" "$1" tests GoldenTests
    step "the README's first program on $1"
    expect "$(awk '/^```text$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' $binding/README.md)" \
        "$("$binding/run.sh" "$1" readme)"
    step "where the library is found on $1"
    test_loading "$1"
}

# The project files, which need an SDK to build: checks that they are XML and agree with the sources.
test_projects() {
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
    python3 - "$binding" "$version" <<'PYTHON'
import pathlib, sys, xml.etree.ElementTree as xml
binding, version = pathlib.Path(sys.argv[1]), sys.argv[2]
shared = xml.parse(binding / "Directory.Build.props").getroot()
def check(found, expected, what):
    if found != expected:
        sys.exit(f"{what} is {found!r}, not {expected!r}")
check(shared.findtext(".//Version"), version, "the packages' version")
check(shared.findtext(".//LangVersion"), "7.3", "the language's version")
projects = sorted(binding.glob("src/*/*.csproj"))
check([p.stem for p in projects], ["Bregman", "Bregman.LLamaSharp", "Bregman.Native"], "the list of projects")
for project in projects:
    root = xml.parse(project).getroot()
    check(root.findtext(".//PackageId"), project.stem, f"{project}: the package")
    for include in root.iterfind(".//*[@Include]"):
        path = include.get("Include")
        if path.startswith("..") and "$" not in path and not (project.parent / path.replace("\\", "/")).exists():
            sys.exit(f"{project}: there is no {path}")
PYTHON
}

cargo build --quiet --release
library=$root/target/release/libbregman.so
runtimes="mono coreclr"
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    [ -z "${CI:-}" ] || fail "no CoreCLR for $(uname -s) on $(uname -m)"
    echo "skipped: CoreCLR, whose package is for x86-64 Linux only"
    runtimes=mono
fi
for tool in mono mcs cc python3 pip3 flock; do
    command -v "$tool" >/dev/null || {
        ci/setup.sh
        break
    }
done
for runtime in $runtimes; do
    step "build for $runtime"
    "$binding/build.sh" "$runtime"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

case ${1:-test} in
    bench)
        cc -O2 -Iinclude "$binding/bench/overhead.c" -o "$work/overhead" "$library"
        ln -s "$library" "$work/libbregman.so.1"
        echo "from C:"
        LD_LIBRARY_PATH=$work "$work/overhead"
        for runtime in $runtimes; do
            echo "on $runtime:"
            "$binding/run.sh" "$runtime" overhead
        done
        ;;
    test)
        cc -Iinclude -Itests/c "$binding/tests/layout.c" tests/c/layout.c -o "$work/layout"
        "$work/layout" >"$work/layout.txt"
        export BREGMAN_TEST_ROOT="$root" BREGMAN_TEST_LAYOUT="$work/layout.txt"
        # A library with another version of the ABI.
        echo 'unsigned bregman_abi_version(void) { return 99; }' >"$work/other.c"
        cc -shared -fPIC "$work/other.c" -o "$work/libother.so"
        step "project files"
        test_projects
        for runtime in $runtimes; do
            test_runtime "$runtime"
        done
        echo "C#: all good on $runtimes"
        ;;
    *) fail "usage: ci/csharp.sh [bench]" ;;
esac
