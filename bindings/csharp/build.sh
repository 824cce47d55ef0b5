#!/bin/sh
# Compiles the binding, its tests, the agreement driver and the benchmark with Mono's compiler, for Mono (netstandard2.0) or
# for CoreCLR (.NET Core 3.0 and later), into target/csharp/RUNTIME.
# usage: bindings/csharp/build.sh mono|coreclr
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/bindings/csharp
runtime=${1:-}
out=$root/target/csharp/$runtime
framework=$root/target/dotnetcore/shared/Microsoft.NETCore.App/3.1.23

fail() {
    echo "bindings/csharp/build.sh: $*" >&2
    exit 1
}

# The arguments of the compiler that depend on the runtime: the class library.
case $runtime in
    mono)
        references=-r:System.Core.dll
        ;;
    coreclr)
        "$here/dotnetcore.sh"
        references="-d:NETCOREAPP -d:NETCOREAPP3_0_OR_GREATER -nostdlib -noconfig -nowarn:1702 -lib:$framework"
        references="$references -r:System.Private.CoreLib.dll -r:netstandard.dll"
        for path in "$framework"/System.*.dll; do
            case $path in
                # Not to be compiled against: the runtime's insides, and another system's.
                */System.Private.* | */System.Runtime.WindowsRuntime*) ;;
                *) references="$references -r:$(basename "$path")" ;;
            esac
        done
        ;;
    *) fail "usage: bindings/csharp/build.sh mono|coreclr" ;;
esac
command -v mcs >/dev/null || fail "mcs is missing (ci/setup.sh installs what is needed)"

# compile FILE ARGUMENT...: compiles FILE unless it is newer than every source.
compile() {
    target=$out/$1
    shift
    if [ -f "$target" ] && [ -z "$(find "$here" "$0" -newer "$target" \( -name '*.cs' -o -name '*.sh' \))" ]; then
        return
    fi
    # $references is a list of words, and so are the sources: no path of the project has a space in it.
    mcs -langversion:latest -unsafe -optimize+ -warn:4 -warnaserror $references "-out:$target" "$@"
}

program() {
    name=$1
    shift
    compile "$name.exe" "-r:$out/Bregman.dll" $(find "$@" -name '*.cs' | sort)
    cat >"$out/$name.runtimeconfig.json" <<JSON
{ "runtimeOptions": { "framework": { "name": "Microsoft.NETCore.App", "version": "3.1.23" },
  "configProperties": { "System.Globalization.Invariant": true } } }
JSON
}

mkdir -p "$out"
exec 9>"$out.lock"
flock 9
# With -doc a public member without documentation is a warning, and therefore an error.
compile Bregman.dll -target:library "-doc:$out/Bregman.xml" $(find "$here/src/Bregman" -name '*.cs' | sort)
program tests "$here/tests" "$here/src/Bregman.LLamaSharp"
program agreement "$here/agreement"
program overhead "$here/bench"
program loading "$here/loading"

# The first program of the README, unchanged.
awk '/^```csharp$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' "$here/README.md" >"$out/readme.txt"
if ! cmp -s "$out/readme.txt" "$out/readme/Program.cs"; then
    mkdir -p "$out/readme"
    rm -f "$out/readme.exe"
    cp "$out/readme.txt" "$out/readme/Program.cs"
fi
program readme "$out/readme"
