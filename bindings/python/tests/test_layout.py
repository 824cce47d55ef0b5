"""Constants, layouts and functions, compared with include/bregman.h as a C compiler reads it."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import cffi
import numpy as np
import pytest
from cffi import recompiler
from conftest import ROOT, missing

import bregman
import bregman.llama_cpp
from bregman._library import ffi, lib

HEADER = ROOT / "include/bregman.h"


def declarations() -> str:
    """The headers without the parts that cffi cannot parse: comments, includes, guards and C++."""
    both = HEADER.read_text() + HEADER.with_name("bregman_decisions.h").read_text()
    text = re.sub(r"/\*.*?\*/|//[^\n]*", "", both, flags=re.DOTALL)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.DOTALL)
    # A type that nothing uses: maturin leaves it out, because cbindgen.toml does not name it.
    text = re.sub(r"typedef [^;]*\(\*bregman_get_decisions_fn\)[^;]*;", "", text)
    return re.sub(r"#(ifndef|endif|include|define BREGMAN_(DECISIONS_)?H\b)[^\n]*", "", text)


def structs(of: Any) -> dict[str, Any]:
    """All structs with fields, by name."""
    return {name: of.typeof(name) for name in re.findall(r"typedef struct (\w+) {", HEADER.read_text())}


def constants() -> list[str]:
    return re.findall(r"#define (BREGMAN_\w+) \d+", HEADER.read_text())


def test_the_installed_declarations_are_the_headers(tmp_path: Path) -> None:
    parsed = cffi.FFI()
    parsed.cdef(declarations())
    recompiler.make_py_source(parsed, "ffi", str(tmp_path / "ffi.py"))
    installed = Path(bregman.__file__).with_name("_native") / "ffi.py"
    assert (tmp_path / "ffi.py").read_text() == installed.read_text()
    assert len(structs(parsed)) == len(structs(ffi)) == 11
    assert len(constants()) > 20


def test_constants_and_layouts_equal_a_c_compilers(tmp_path: Path) -> None:
    compiler = shutil.which("cc")
    if compiler is None:
        missing("there is no C compiler")
    expected = {name: getattr(lib, name) for name in constants()}
    for name, struct in structs(ffi).items():
        expected[f"sizeof({name})"] = ffi.sizeof(name)
        expected[f"_Alignof({name})"] = ffi.alignof(name)
        expected |= {f"offsetof({name}, {field})": info.offset for field, info in struct.fields}
        expected |= {f"sizeof((({name} *)0)->{field})": ffi.sizeof(info.type) for field, info in struct.fields}
    prints = "\n".join(f'printf("%lld\\n", (long long)({expression}));' for expression in expected)
    (tmp_path / "a.c").write_text(
        f"#include <stdio.h>\n#include <bregman.h>\nint main(void) {{\n{prints}\nreturn 0;\n}}\n"
    )
    command = [compiler, "-std=c11", "-Wall", "-Werror", f"-I{HEADER.parent}", "a.c", "-o", "a"]
    subprocess.run(command, cwd=tmp_path, check=True)
    printed = subprocess.run([tmp_path / "a"], check=True, capture_output=True, text=True).stdout.split()
    assert dict(zip(expected, map(int, printed))) == expected


@pytest.mark.parametrize(
    ("dtype", "struct"), [(bregman.RESULT, "bregman_result"), (bregman.CANDIDATE, "bregman_candidate")]
)
def test_numpy_dtypes_equal_the_c_structs(dtype: np.dtype[Any], struct: str) -> None:
    assert dtype.itemsize == ffi.sizeof(struct)
    assert dtype.fields is not None
    assert set(dtype.fields) == {name for name, _ in ffi.typeof(struct).fields} - {"reserved"}
    for name, (field, offset, *_) in dtype.fields.items():
        assert offset == ffi.offsetof(struct, name)
        assert field.itemsize == 4


def test_every_constant_has_a_name_in_python() -> None:
    names = {f"BREGMAN_{member.name}": int(member) for member in bregman.Status}
    names |= {f"BREGMAN_KIND_{member.name}": int(member) for member in bregman.Kind}
    names |= {f"BREGMAN_WANT_{member.name}": int(member) for member in bregman.Want if member}
    names |= {f"BREGMAN_RULE_{member.name}": int(member) for member in bregman.Rule}
    names |= {f"BREGMAN_OF_{member.name}": int(member) for member in bregman.Source}
    names |= {f"BREGMAN_LLAMA_{member.name}": int(member) for member in bregman.llama_cpp.OnFailure}
    names["BREGMAN_ABI_VERSION"] = bregman.ABI_VERSION
    # Formats of logits are dtypes here, and accepting and staying are arguments.
    others = {"BREGMAN_F32", "BREGMAN_F16", "BREGMAN_BF16", "BREGMAN_ACCEPT", "BREGMAN_STAY"}
    assert set(constants()) == set(names) | others
    assert all(getattr(lib, name) == value for name, value in names.items())


def test_the_function_table_has_every_function() -> None:
    table = lib.bregman_get_api(bregman.ABI_VERSION)
    assert (table.struct_size, table.abi) == (ffi.sizeof("bregman_api"), bregman.ABI_VERSION)
    names = [name for name, _ in ffi.typeof("bregman_api").fields][2:]
    assert len(names) > 20
    for name in names:
        assert getattr(table, name) == ffi.addressof(lib, f"bregman_{name}")
    assert lib.bregman_get_api(bregman.ABI_VERSION + 1) == ffi.NULL


def test_versions_agree() -> None:
    assert lib.bregman_abi_version() == bregman.ABI_VERSION
    assert bregman.__version__ == bregman.version() == distribution("bregman").version
    assert bregman.simd_level() in {"avx512", "avx2", "neon", "scalar"}


def test_the_wheel_has_its_files_and_no_entry_points() -> None:
    installed = distribution("bregman")
    assert installed.read_text("WHEEL") is not None
    # Package indexes refuse linux_x86_64.
    assert re.search(r"Tag: py3-none-(manylinux_\d+_\d+|macosx|win)", str(installed.read_text("WHEEL")))
    names = {str(file) for file in installed.files or ()}
    assert {"bregman/py.typed", "bregman/_native/ffi.py"} <= names
    assert any(name.endswith((".so", ".dylib", ".dll")) for name in names)
    assert {Path(name).name for name in names} >= {"LICENSE-MIT", "LICENSE-APACHE"}
    # Engines would load an entry point for every model.
    assert not installed.entry_points
