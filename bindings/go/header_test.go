//go:build cgo

package bregman

import (
	"bytes"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// constants of this module by their names in the header.
var constants = map[string]uint64{
	"BREGMAN_ABI_VERSION":        ABIVersion,
	"BREGMAN_OK":                 uint64(OK),
	"BREGMAN_INVALID_ARGUMENT":   uint64(ErrInvalidArgument),
	"BREGMAN_INVALID_CHAIN":      uint64(ErrInvalidChain),
	"BREGMAN_INVALID_LOGITS":     uint64(ErrInvalidLogits),
	"BREGMAN_EMPTY_SUPPORT":      uint64(ErrEmptySupport),
	"BREGMAN_NO_CONVERGENCE":     uint64(ErrNoConvergence),
	"BREGMAN_BUFFER_TOO_SMALL":   uint64(ErrBufferTooSmall),
	"BREGMAN_UNSUPPORTED":        uint64(ErrUnsupported),
	"BREGMAN_INTERNAL":           uint64(ErrInternal),
	"BREGMAN_INCOMPLETE":         uint64(ErrIncomplete),
	"BREGMAN_WANT_LN_KEPT":       uint64(WantLnKept),
	"BREGMAN_STAY":               uint64(Stay),
	"BREGMAN_RULE_MATCH":         uint64(RuleMatch),
	"BREGMAN_RULE_TOKEN":         uint64(RuleToken),
	"BREGMAN_RULE_BLOCK":         uint64(RuleBlock),
	"BREGMAN_OUT_OF_MEMORY":      uint64(ErrOutOfMemory),
	"BREGMAN_F32":                formatF32,
	"BREGMAN_F16":                formatF16,
	"BREGMAN_BF16":               formatBF16,
	"BREGMAN_WANT_KEPT_MASS":     uint64(WantKeptMass),
	"BREGMAN_WANT_MODEL_LOGPROB": uint64(WantModelLogprob),
	"BREGMAN_WANT_ENTROPY":       uint64(WantEntropy),
	"BREGMAN_ACCEPT":             uint64(AcceptTokens),
	"BREGMAN_KIND_NUMBER":        uint64(Number),
	"BREGMAN_KIND_COUNT":         uint64(Count),
	"BREGMAN_KIND_CHOICE":        uint64(Choice),
	"BREGMAN_KIND_NAME":          uint64(Name),
	"BREGMAN_KIND_TOKENS":        uint64(Tokens),
	"BREGMAN_KIND_SEQUENCES":     uint64(Sequences),
	"BREGMAN_KIND_BIASES":        uint64(Biases),
	"BREGMAN_KIND_KEYS":          uint64(Keys),
	"BREGMAN_OF_MODEL":           uint64(OfModel),
	"BREGMAN_OF_DECODED":         uint64(OfDecoded),
	"BREGMAN_LLAMA_ABORT":        native.LlamaAbort,
	"BREGMAN_LLAMA_FALLBACK":     native.LlamaFallback,
}

const headerPath = "../../include/bregman.h"

func TestConstantsEqualTheHeaders(t *testing.T) {
	text, err := os.ReadFile(headerPath)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string]uint64{}
	for _, m := range regexp.MustCompile(`(?m)^#define (BREGMAN_\w+) (\d+)$`).FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.ParseUint(m[2], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		declared[m[1]] = n
	}
	for name, value := range constants {
		if got, ok := declared[name]; !ok || got != value {
			t.Errorf("%s is %d in the header (%v), %d here", name, got, ok, value)
		}
	}
	for name := range declared {
		if _, ok := constants[name]; !ok {
			t.Errorf("%s has no counterpart in Go", name)
		}
	}
	if native.CABIVersion != ABIVersion {
		t.Errorf("the compiler reads ABI version %d", native.CABIVersion)
	}
}

func TestVendoredHeadersAreCurrent(t *testing.T) {
	for _, name := range []string{"bregman.h", "bregman_decisions.h"} {
		want, err := os.ReadFile("../../include/" + name)
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile("internal/native/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("internal/native/%s is not include/%s: run `go generate ./internal/native`", name, name)
		}
	}
}

func TestStructLayoutsEqualTheHeaders(t *testing.T) {
	same(t, reflect.TypeFor[Result](), reflect.TypeFor[native.CResult]())
	same(t, reflect.TypeFor[Candidate](), reflect.TypeFor[native.CCandidate]())
}

// same compares size, and every field's name, offset and kind.
func same(t *testing.T, got, want reflect.Type) {
	t.Helper()
	if got.Size() != want.Size() || got.Align() != want.Align() || got.NumField() != want.NumField() {
		t.Fatalf("%v has %d bytes, alignment %d and %d fields; C's %v %d, %d and %d", got, got.Size(), got.Align(),
			got.NumField(), want, want.Size(), want.Align(), want.NumField())
	}
	for i := range got.NumField() {
		g, w := got.Field(i), want.Field(i)
		name := strings.ReplaceAll(w.Name, "_", "")
		if !strings.EqualFold(g.Name, name) || g.Offset != w.Offset || g.Type.Kind() != w.Type.Kind() {
			t.Errorf("field %d of %v is %s at %d (%v); C has %s at %d (%v)", i, got, g.Name, g.Offset, g.Type.Kind(),
				w.Name, w.Offset, w.Type.Kind())
		}
	}
}

// Structs that Go declares differently have a counterpart of every field in the header.
func TestStructsHaveTheHeadersFields(t *testing.T) {
	for _, c := range []struct {
		got, want reflect.Type
		// differs has the fields that Go names differently, or does not have ("").
		differs map[string]string
	}{
		{reflect.TypeFor[Answers](), reflect.TypeFor[native.CAnswers](), map[string]string{"struct_size": ""}},
		{reflect.TypeFor[Batch](), reflect.TypeFor[native.CBatch](), map[string]string{
			"struct_size": "", "dtype": "", "logits": "F32", "rows": "", "row_stride": "Stride",
		}},
		{reflect.TypeFor[Stage](), reflect.TypeFor[native.CStage](), map[string]string{
			"struct_size": "", "reserved": "", "parameter_count": "", "parameter_size": "",
		}},
		{reflect.TypeFor[Parameter](), reflect.TypeFor[native.CParameter](), map[string]string{"default_value": "Default"}},
	} {
		for i := range c.want.NumField() {
			field := c.want.Field(i).Name
			name, ok := c.differs[field]
			if !ok {
				name = strings.ReplaceAll(field, "_", "")
			}
			_, found := c.got.FieldByNameFunc(func(of string) bool { return strings.EqualFold(of, name) })
			if name != "" && !found {
				t.Errorf("%v has no counterpart of %s", c.got, field)
			}
		}
	}
}

// Every function of the library is called, except those that this module leaves out.
func TestEveryFunctionOfTheLibraryIsCalled(t *testing.T) {
	text, err := os.ReadFile("internal/native/calls.h")
	if err != nil {
		t.Fatal(err)
	}
	table := reflect.TypeFor[native.CAPI]()
	for i := range table.NumField() {
		name := table.Field(i).Name
		switch name {
		case "struct_size", "abi", "sampler_new_with_generators":
			continue
		}
		if !strings.Contains(string(text), "bregman_go->"+name+"(") {
			t.Errorf("bregman_%s is not called", name)
		}
	}
}

// The texts of statuses are also in this module, for errors without a library.
func TestStatusTextsEqualTheLibrarys(t *testing.T) {
	for status := OK; status <= ErrOutOfMemory+1; status++ {
		want := "bregman: " + libraryStatusText(t, status)
		if got := status.Error(); !strings.HasPrefix(got, want) {
			t.Errorf("status %d is %q here, %q there", uint32(status), got, want)
		}
	}
}
