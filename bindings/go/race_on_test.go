//go:build race

package bregman

// Under the race detector there are additional allocations, and sync.Pool drops items.
const raceDetector = true
