//go:build !race

package geocode

const racing = false
