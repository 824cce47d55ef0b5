//go:build race

package bregman

// The race detector allocates, and sync.Pool drops things under it.
const raceDetector = true
