//go:build cgo && !windows && !bregman_link && !bregman_static

package bregman

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A process loads one library, so each of these cases runs this test's program in a new process.
const inChild = "BREGMAN_GO_TEST_LOAD"

// TestLoadInChild loads from a path, and prints the kind of error.
func TestLoadInChild(t *testing.T) {
	if os.Getenv(inChild) == "" {
		t.Skip("for TestLibraryIsFoundInEachPlace")
	}
	os.Setenv("BREGMAN_LIBRARY", os.Getenv(inChild+"_LIBRARY"))
	err := Load(os.Getenv(inChild + "_PATH"))
	_, newErr := New("draw", 1)
	for name, kind := range map[string]error{"none": ErrNoLibrary, "wrong": ErrWrongLibrary, "no cgo": ErrNoCgo} {
		if errors.Is(err, kind) {
			fmt.Printf("said: %s: %v\n", name, err)
			// A call that failed may be repeated.
			if errors.Is(Load(os.Getenv(inChild+"_GOOD")), kind) {
				t.Errorf("the second path fails as the first did")
			}
			return
		}
	}
	if err != nil || newErr != nil {
		t.Fatal(err, newErr)
	}
	fmt.Println("said: loaded")
}

// child runs the test's program with a path for Load and a value of BREGMAN_LIBRARY.
func child(t *testing.T, program, path, library string) string {
	t.Helper()
	command := exec.Command(program, "-test.run=^TestLoadInChild$", "-test.v")
	command.Env = append(os.Environ(), inChild+"=1", inChild+"_PATH="+path, inChild+"_LIBRARY="+library,
		inChild+"_GOOD="+os.Getenv("BREGMAN_LIBRARY"))
	out, err := command.CombinedOutput()
	_, said, found := strings.Cut(string(out), "said: ")
	if err != nil || !found {
		t.Fatalf("%v: %s", err, out)
	}
	said, _, _ = strings.Cut(said, "\n")
	return said
}

// imitation compiles a shared library from C.
func imitation(t *testing.T, name, text string) string {
	t.Helper()
	source, library := filepath.Join(t.TempDir(), name+".c"), filepath.Join(t.TempDir(), name+".so")
	if err := os.WriteFile(source, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "cc"
	}
	if out, err := exec.Command(compiler, "-shared", "-fPIC", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return library
}

func TestLibraryIsFoundInEachPlace(t *testing.T) {
	good := os.Getenv("BREGMAN_LIBRARY")
	if good == "" {
		t.Fatal("no library was built: cargo build --release")
	}
	this, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	other := imitation(t, "other", "void *bregman_get_api(unsigned abi) { (void)abi; return 0; }")
	older := imitation(t, "older", "static unsigned table[2] = {8, 1};"+
		"void *bregman_get_api(unsigned abi) { (void)abi; return table; }")
	for name, c := range map[string]struct{ path, library, want string }{
		"by Load":                     {good, "/nowhere.so", "loaded"},
		"by the environment":          {"", good, "loaded"},
		"nowhere":                     {"/nowhere.so", good, "none: bregman: the native library could not be loaded: /nowhere.so"},
		"nowhere, by the environment": {"", "/nowhere.so", "none: "},
		"in no place":                 {"", "", "none: bregman: the native library could not be loaded: set BREGMAN_LIBRARY"},
		"another library":             {"libc.so.6", "", "wrong: "},
		"another version":             {other, "", "wrong: " + ErrWrongLibrary.Error() + ": " + other + ": it does not have version 1 of the ABI"},
		"an older library":            {older, "", "wrong: " + ErrWrongLibrary.Error() + ": " + older + ": it is older"},
	} {
		if said := child(t, this, c.path, c.library); !strings.HasPrefix(said, c.want) {
			t.Errorf("%s: %s, expected %s", name, said, c.want)
		}
	}
	// Beside the program: a copy of it, with the library under its SONAME.
	dir := t.TempDir()
	copyFile(t, this, filepath.Join(dir, "program"))
	copyFile(t, good, filepath.Join(dir, fmt.Sprintf("libbregman.so.%d", ABIVersion)))
	if said := child(t, filepath.Join(dir, "program"), "", ""); said != "loaded" {
		t.Errorf("beside the program: %s", said)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
