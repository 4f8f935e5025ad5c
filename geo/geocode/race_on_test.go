//go:build race

package geocode

const racing = true
