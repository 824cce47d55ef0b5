//! The table of functions that `bregman_get_api` returns: complete, and every entry in its place.

use crate::toolchain::{compiler, library_dir, run, scratch};
use bregman::ffi::{BREGMAN_ABI_VERSION, bregman_api, bregman_get_api, bregman_get_api_fn};
use std::collections::BTreeSet;
use std::ffi::{CString, c_void};
use std::fmt::Write;
use std::mem::{offset_of, size_of};
use std::os::unix::ffi::OsStrExt;
use std::process::Command;

/// The shared library, loaded into this process.
struct Library(*mut c_void);

impl Library {
    fn open() -> Self {
        let path = library_dir().join("libbregman.so");
        let path = CString::new(path.as_os_str().as_bytes()).expect("no NUL in a path");
        // SAFETY: a path to a library of ours.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        assert!(!handle.is_null(), "{path:?} cannot be loaded");
        Self(handle)
    }

    fn symbol(&self, name: &str) -> *const c_void {
        let name = CString::new(name).expect("no NUL in a name");
        // SAFETY: the library is never unloaded.
        unsafe { libc::dlsym(self.0, name.as_ptr()) }
    }

    fn table(&self) -> *const bregman_api {
        let get_api = self.symbol("bregman_get_api");
        assert!(!get_api.is_null(), "bregman_get_api is not exported");
        // SAFETY: the header declares the symbol with this type.
        let get_api: bregman_get_api_fn = unsafe { std::mem::transmute(get_api) };
        // SAFETY: it takes any number.
        unsafe { get_api(BREGMAN_ABI_VERSION) }
    }
}

/// `bregman_NAME` of every function that the library exports.
fn exported() -> BTreeSet<String> {
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(library_dir().join("libbregman.so")));
    symbols.lines().filter_map(|line| line.split_whitespace().last()).map(str::to_owned).collect()
}

#[test]
fn api_table_lists_every_exported_function() {
    let tables = [crate::header::table(), crate::header::table_of(crate::header::DECISIONS, "bregman_decisions")];
    let table: Vec<String> = tables.iter().flatten().map(|name| format!("bregman_{name}")).collect();
    let mut expected = exported();
    for own in ["bregman_get_api", "bregman_get_decisions"] {
        assert!(expected.remove(own), "{own}, the table's own function, is exported");
    }
    assert!(expected.len() > 20, "too few: {expected:?}");
    assert_eq!(
        table.iter().cloned().collect::<BTreeSet<_>>(),
        expected,
        "the tables on the left, the symbols on the right"
    );
    assert_eq!(table.len(), expected.len(), "a function stands twice, or in both tables");
}

#[test]
fn api_table_entries_point_to_their_functions() {
    let (library, names) = (Library::open(), crate::header::table());
    let table = library.table();
    assert!(!table.is_null());
    // SAFETY: a table begins with its size and version.
    let (size, abi) = unsafe { ((*table).struct_size as usize, (*table).abi) };
    assert_eq!((size, abi), (size_of::<bregman_api>(), BREGMAN_ABI_VERSION));
    let first = offset_of!(bregman_api, abi_version);
    assert_eq!(size, first + names.len() * size_of::<*const c_void>(), "nothing but functions follows the first two");
    for (at, name) in names.iter().enumerate() {
        // SAFETY: inside the table, whose size was just compared.
        let function = unsafe { table.byte_add(first).cast::<*const c_void>().add(at).read() };
        assert_eq!(function, library.symbol(&format!("bregman_{name}")), "bregman_api.{name}");
    }
}

/// The C compiler compares the types where each function is assigned to its field.
#[test]
fn api_table_entries_have_the_c_types_of_their_functions() {
    let dir = scratch("api-types");
    let mut source =
        String::from("#include \"bregman.h\"\nvoid fill(bregman_api *api);\nvoid fill(bregman_api *api)\n{\n");
    for name in crate::header::table() {
        writeln!(source, "    api->{name} = bregman_{name};").expect("a String takes all");
    }
    source +=
        "}\nbregman_get_api_fn get_api(void);\nbregman_get_api_fn get_api(void)\n{\n    return bregman_get_api;\n}\n";
    for (standard, extension) in [("c99", "c"), ("c++11", "cpp")] {
        let file = dir.join(format!("types.{extension}"));
        std::fs::write(&file, &source).expect("the target directory can be written");
        run(compiler(standard).arg("-c").arg(&file).arg("-o").arg(dir.join("types.o")));
    }
}

#[test]
fn get_api_returns_null_for_other_versions() {
    for abi in [0, BREGMAN_ABI_VERSION + 1, u32::MAX] {
        assert!(bregman_get_api(abi).is_null(), "{abi}");
    }
    let table = bregman_get_api(BREGMAN_ABI_VERSION);
    assert!(!table.is_null());
    assert_eq!(table, bregman_get_api(BREGMAN_ABI_VERSION), "the same at every call");
}
