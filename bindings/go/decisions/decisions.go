// Package decisions decides among finished candidates, experts or answers instead of tokens: the law and the divergence
// of best-of-n, soft values, the gates of mixtures of experts, which candidate to judge next, abstention, calibration and
// distortion. The page docs/decisions.md of the sources says which is for what, and what a chain over a row of rewards or
// router logits does already.
//
//	best, err := decisions.BestOfN(p, rewards, 8)
//	next, err := decisions.NextArm(decisions.ArmOptions{Rule: decisions.T3C, Rewards: decisions.Bernoulli, Beta: 0.5},
//		means, pulls, seed, position)
//
// Numbers have the same bits on every machine and in every language. The native library is loaded as by package bregman,
// and errors are of its types: an argument out of its range is bregman.ErrInvalidArgument, and a library that is older
// than this package bregman.ErrUnsupported. Functions are safe for concurrent use, keep no slice and return new ones.
package decisions

import (
	"fmt"

	bregman "github.com/bregman-decoding/bregman/bindings/go"
	"github.com/bregman-decoding/bregman/bindings/go/internal/native"
)

// load loads the library and checks that it has these functions.
func load() error {
	if err := bregman.Load(""); err != nil {
		return err
	}
	if !native.HasDecisions() {
		return &bregman.Error{Status: bregman.ErrUnsupported, Message: "the library is older than this package"}
	}
	return nil
}

// outcome is the error of a call, or nil.
func outcome(status uint32, message string) error {
	if status == 0 {
		return nil
	}
	return &bregman.Error{Status: bregman.Status(status), Message: message}
}

func invalid(format string, arguments ...any) error {
	return &bregman.Error{Status: bregman.ErrInvalidArgument, Message: fmt.Sprintf(format, arguments...)}
}

// sameLength checks two slices.
func sameLength(name string, n int, other string, m int) error {
	if n != m {
		return invalid("%s has %d elements, %s has %d", name, n, other, m)
	}
	return nil
}

// rowsOf is the number of rows of a slice.
func rowsOf(name string, n int, columnsName string, columns int) (int, error) {
	if columns < 1 {
		return 0, invalid("%s is %d: must be at least 1", columnsName, columns)
	}
	if n%columns != 0 {
		return 0, invalid("%s has %d elements, no multiple of %s, which is %d", name, n, columnsName, columns)
	}
	return n / columns, nil
}

// notNegative checks a number of things.
func notNegative(n int, name string) error {
	if n < 0 {
		return invalid("%s is %d: must not be negative", name, n)
	}
	return nil
}
