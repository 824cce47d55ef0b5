//go:build cgo && !windows

package bregman

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The first program of the README has at most 15 lines, compiles, and prints the output in the README.
func TestReadmeProgramPrintsItsOutput(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```\n\n```text\n(.*?)```").FindSubmatch(text)
	if blocks == nil {
		t.Fatal("the README has no program with its output")
	}
	program, want := string(blocks[1]), string(blocks[2])
	if lines := strings.Count(program, "\n"); lines > 15 {
		t.Errorf("the program has %d lines", lines)
	}
	module, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	const path = "github.com/bregman-decoding/bregman/bindings/go"
	dir := t.TempDir()
	for name, text := range map[string]string{
		"main.go": program,
		"go.mod":  "module first\n\ngo 1.24\n\nrequire " + path + " v0.0.0\n\nreplace " + path + " => " + module + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	arguments := []string{"run"}
	if buildTags != "" {
		arguments = append(arguments, "-tags", buildTags)
	}
	command := exec.Command("go", append(arguments, ".")...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off")
	if got, err := command.CombinedOutput(); err != nil || string(got) != want {
		t.Errorf("%v: the program printed %q, the README has %q", err, got, want)
	}
}
