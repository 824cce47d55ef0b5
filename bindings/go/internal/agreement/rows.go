package main

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math"
	"os"
	"path/filepath"
	"strconv"

	bregman "github.com/bregman-decoding/bregman/bindings/go"
)

// set is consecutive rows of logits in one format.
type set struct {
	width  int
	format string
	f32    []float32 // if the format is f32
	half   []uint16  // otherwise
}

type mask struct {
	words int
	bits  []uint32
}

func newSet(format string, width int, bytes []byte) *set {
	s := &set{width: width, format: format}
	switch format {
	case "f32":
		for i := 0; i+4 <= len(bytes); i += 4 {
			s.f32 = append(s.f32, fromBits(binary.LittleEndian.Uint32(bytes[i:])))
		}
	case "f16", "bf16":
		for i := 0; i+2 <= len(bytes); i += 2 {
			s.half = append(s.half, binary.LittleEndian.Uint16(bytes[i:]))
		}
	default:
		panic(fmt.Sprintf("%q is no number format", format))
	}
	return s
}

// data runs the commands that make or change rows.
func (d *driver) data(command string, rest []string) {
	var s *set
	switch command {
	case "rows":
		bytes, err := os.ReadFile(filepath.Join(d.dir, rest[4]))
		if err != nil {
			panic(err)
		}
		s = newSet(rest[1], number(rest[2]), bytes)
	case "random":
		s = &set{width: number(rest[1]), format: "f32"}
		for i := range s.width * number(rest[2]) {
			s.f32 = append(s.f32, random(seed(rest[3]), uint64(i)))
		}
	case "same":
		s = newSet(rest[1], number(rest[2]), nil)
		for range s.width * number(rest[3]) {
			if s.format == "f32" {
				s.f32 = append(s.f32, fromBits(hex(rest[4])))
			} else {
				s.half = append(s.half, uint16(hex(rest[4])))
			}
		}
	case "upper":
		from := d.sets[rest[1]]
		s = &set{width: from.width, format: "bf16"}
		for _, v := range from.f32 {
			s.half = append(s.half, uint16(math.Float32bits(v)>>16))
		}
	case "set":
		d.sets[rest[0]].change(number(rest[1]), number(rest[2]), rest[3:])
		return
	}
	d.sets[rest[0]] = s
}

// change overwrites logits of one row.
func (s *set) change(row, index int, words []string) {
	for i, word := range words {
		at := row*s.width + index + i
		if s.format == "f32" {
			s.f32[at] = fromBits(hex(word))
		} else {
			s.half[at] = uint16(hex(word))
		}
	}
}

// row returns the first logits of a row of an f32 set.
func (s *set) row(row, vocab int) []float32 {
	return s.f32[row*s.width:][:vocab]
}

// into sets the rows of a batch, from first on.
func (s *set) into(batch *bregman.Batch, first int) {
	switch start := first * s.width; s.format {
	case "f32":
		batch.F32 = s.f32[start:]
	case "f16":
		batch.F16 = s.half[start:]
	case "bf16":
		batch.BF16 = s.half[start:]
	}
}

func newMask(words, count int, pattern []string) mask {
	m := mask{words: words}
	for i := range words * count {
		m.bits = append(m.bits, hex(pattern[i%len(pattern)]))
	}
	return m
}

// random is the sum of the four 16-bit parts of output i of splitmix64, as a logit from -16 to 16.
func random(seed, i uint64) float32 {
	z := seed + (i+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	z ^= z >> 31
	sum := int(z&0xffff) + int(z>>16&0xffff) + int(z>>32&0xffff) + int(z>>48)
	return float32(sum-131070) / 8192
}

func number(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil {
		panic(err)
	}
	return n
}

func seed(word string) uint64 {
	n, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

func hex(word string) uint32 {
	n, err := strconv.ParseUint(word, 16, 32)
	if err != nil {
		panic(err)
	}
	return uint32(n)
}

func fromBits(b uint32) float32 { return math.Float32frombits(b) }

// bits formats a value for the output.
func bits(v float32) string {
	if v != v {
		return "nan"
	}
	return fmt.Sprintf("%08x", math.Float32bits(v))
}

// summary counts the values that are not -infinity, and hashes all.
func summary(logits []float32) (kept int, hash uint64) {
	h := fnv.New64a()
	for _, v := range logits {
		if !math.IsInf(float64(v), -1) {
			kept++
		}
		var word [4]byte
		binary.LittleEndian.PutUint32(word[:], math.Float32bits(v))
		h.Write(word[:])
	}
	return kept, h.Sum64()
}
