//go:build cgo && (!windows || bregman_link || bregman_static)

package native

/*
#include "calls.h"
*/
import "C"

import (
	"strings"
	"unsafe"
)

// Stages is the catalogue of stages.
func Stages() []Stage { return catalogue(0) }

// Macros is the catalogue of macros.
func Macros() []Stage { return catalogue(1) }

func catalogue(macros C.int) []Stage {
	stages := make([]Stage, 0, int(C.go_stage_count(macros)))
	for i := range cap(stages) {
		info := C.bregman_stage{struct_size: C.sizeof_bregman_stage}
		if C.go_stage_info(macros, C.size_t(i), &info) != C.BREGMAN_OK {
			break
		}
		stage := Stage{
			Name:    C.GoString(info.name),
			Aliases: list(info.aliases),
			Summary: C.GoString(info.summary),
			Source:  C.GoString(info.source),
			Draws:   info.draws != 0,
			Learns:  info.learns != 0,
		}
		for p := range uintptr(info.parameter_count) {
			// A newer library's parameters may be larger than this header's.
			at := unsafe.Add(unsafe.Pointer(info.parameters), p*uintptr(info.parameter_size))
			stage.Parameters = append(stage.Parameters, parameter((*C.bregman_parameter)(at)))
		}
		stages = append(stages, stage)
	}
	return stages
}

func parameter(p *C.bregman_parameter) Parameter {
	return Parameter{
		Name:        C.GoString(p.name),
		Aliases:     list(p.aliases),
		Summary:     C.GoString(p.summary),
		Default:     C.GoString(p.default_value),
		Choices:     list(p.choices),
		Min:         float64(p.min),
		Max:         float64(p.max),
		Kind:        uint32(p.kind),
		MinExcluded: p.min_excluded != 0,
		Required:    p.required != 0,
		Group:       int(p.group),
	}
}

// list splits a text with commas; "" has no parts.
func list(text *C.char) []string {
	joined := C.GoString(text)
	if joined == "" {
		return nil
	}
	return strings.Split(joined, ",")
}
