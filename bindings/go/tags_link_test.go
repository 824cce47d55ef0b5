//go:build bregman_link && !bregman_static

package bregman

const buildTags = "bregman_link"
