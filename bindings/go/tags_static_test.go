//go:build bregman_static

package bregman

const buildTags = "bregman_static"
