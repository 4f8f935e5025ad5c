// Command bench makes the data and takes the figures of run.sh.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run dispatches on the first argument. A further benchmark adds its own.
func run(args []string) error {
	commands := map[string]func(args []string) error{
		"points": writePoints, // N POINTS TILES: the files that both sides read
		"index":  benchIndex,  // POINTS TILES: figures of geo.Index as JSON
		"table":  table,       // N FOLDER: the comparison

		"server":     benchServer,     // PROGRAM POINTS TILES: pages, tiles and writes of a running server
		"federation": benchFederation, // activities and deliveries against what RSA alone allows

		"constant": constant, // BYTES: a server to compare it with
	}
	if len(args) == 0 || commands[args[0]] == nil {
		return fmt.Errorf("usage: bench points|index|table|server|federation ...; see run.sh")
	}
	return commands[args[0]](args[1:])
}
