//go:build !race

package bregman

const raceDetector = false
