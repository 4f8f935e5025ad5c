package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"archipel/directory"
	"archipel/geo"

	"github.com/google/uuid"
	"github.com/paulmach/orb"
)

// figures is what either side measured.
type figures struct {
	Version string          `json:"version"`
	Build   float64         `json:"build"` // seconds, the best of some
	CPU     float64         `json:"cpu"`   // seconds of processor time, the best of some
	Bytes   float64         `json:"bytes"` // that the index keeps alive
	Tiles   map[string]tile `json:"tiles"` // by zoom
}

type tile struct {
	Micros float64 `json:"micros"` // mean processor time of a tile, encoded: what else runs does not count
	Bytes  float64 `json:"bytes"`  // mean size
}

var zooms = []int{0, 6, 12}

// writePoints writes points as people settle: around centres of very different sizes, all over the world but half of
// them in and around France, always the same ones. And tiles, each where a random point is: most where most points are.
func writePoints(args []string) error {
	if len(args) != 3 {
		return fmt.Errorf("points: want N POINTS TILES")
	}
	n, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	r := rand.New(rand.NewPCG(2026, 42))
	type centre struct{ lon, lat, spread float64 }
	centres := make([]centre, 600)
	for i := range centres {
		c := centre{r.Float64()*300 - 130, math.Asin(r.Float64()*1.6-0.7) * 180 / math.Pi, 0.02 + r.ExpFloat64()*0.3}
		if i%2 == 0 {
			c = centre{-4 + r.Float64()*12, 42.5 + r.Float64()*8, 0.01 + r.ExpFloat64()*0.1}
		}
		centres[i] = c
	}
	words := strings.Fields("Atelier Café Jardin Maison Collectif Fabrique Épicerie Recyclerie Ferme Grange Moulin Tiers Lieu Commun Partagé Solidaire Citoyen Vélo Énergie Soleil Loire Forez Pilat Ondaine Gier")
	kinds := []string{"organisation", "place", "initiative", "event"}
	points, err := os.Create(args[1])
	if err != nil {
		return err
	}
	defer points.Close()
	tiles, err := os.Create(args[2])
	if err != nil {
		return err
	}
	defer tiles.Close()
	w := bufio.NewWriter(points)
	for i := range n {
		// The k-th centre is about 1/k as large as the first.
		c := centres[int(math.Pow(float64(len(centres)), r.Float64()))-1]
		lon, lat := c.lon+r.NormFloat64()*c.spread, min(max(c.lat+r.NormFloat64()*c.spread, -85), 85)
		var id uuid.UUID
		for j := range id {
			id[j] = byte(r.Uint32())
		}
		id[6], id[8] = id[6]&0x0f|0x70, id[8]&0x3f|0x80
		name := words[r.IntN(len(words))] + " " + words[r.IntN(len(words))] + " " + words[r.IntN(len(words))]
		fmt.Fprintf(w, "%.6f\t%.6f\t%s\t%s-%d\t%s\t%s\tcategory-%d\n", lon, lat, id, directory.Slugify(name), i, name,
			kinds[r.IntN(len(kinds))], int(40*r.Float64()*r.Float64()))
		if i%(n/200) == 0 {
			for _, z := range zooms {
				x := (lon + 180) / 360
				s := math.Sin(lat * math.Pi / 180)
				y := 0.5 - math.Log((1+s)/(1-s))/(4*math.Pi)
				side := float64(int(1) << z)
				fmt.Fprintf(tiles, "%d\t%d\t%d\n", z, int(x*side), int(y*side))
			}
		}
	}
	return w.Flush()
}

func rows(path string) ([][]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out [][]string
	for line := range strings.Lines(string(b)) {
		out = append(out, strings.Split(strings.TrimSuffix(line, "\n"), "\t"))
	}
	return out, nil
}

func readItems(path string) ([]geo.Item, error) {
	list, err := rows(path)
	if err != nil {
		return nil, err
	}
	items := make([]geo.Item, len(list))
	for i, f := range list {
		lon, err := strconv.ParseFloat(f[0], 64)
		if err != nil {
			return nil, err
		}
		lat, err := strconv.ParseFloat(f[1], 64)
		if err != nil {
			return nil, err
		}
		items[i] = geo.Item{
			Points: []orb.Point{{lon, lat}}, ID: directory.ID(f[2]), Slug: f[3], Name: f[4],
			Kind: directory.Kind(f[5]), Categories: []string{f[6]},
		}
	}
	return items, nil
}

func memory() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

func benchIndex(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("index: want POINTS TILES")
	}
	before := memory()
	items, err := readItems(args[0])
	if err != nil {
		return err
	}
	out := figures{Tiles: map[string]tile{}, Build: math.Inf(1), CPU: math.Inf(1)}
	var index *geo.Index
	for range 5 {
		index = nil
		runtime.GC()
		start, cpu := time.Now(), processor()
		index = geo.NewIndex()
		if err := index.Put(items...); err != nil {
			return err
		}
		out.Build = min(out.Build, time.Since(start).Seconds())
		out.CPU = min(out.CPU, (processor() - cpu).Seconds())
	}
	n := len(items)
	items = nil
	out.Bytes = memory() - before
	if index.Len() != n {
		return fmt.Errorf("the index holds %d of %d", index.Len(), n)
	}
	list, err := rows(args[1])
	if err != nil {
		return err
	}
	for _, z := range zooms {
		var tiles [][3]int
		for _, f := range list {
			if f[0] == strconv.Itoa(z) {
				x, _ := strconv.Atoi(f[1])
				y, _ := strconv.Atoi(f[2])
				tiles = append(tiles, [3]int{z, x, y})
			}
		}
		bytes := 0
		pass := func() error {
			bytes = 0
			for _, t := range tiles {
				b, err := index.Tile(t[0], t[1], t[2], geo.Filter{})
				if err != nil {
					return err
				}
				bytes += len(b)
			}
			return nil
		}
		for warm := time.Now(); time.Since(warm) < 500*time.Millisecond; {
			if err := pass(); err != nil {
				return err
			}
		}
		rounds := 0
		start, cpu := time.Now(), processor()
		for time.Since(start) < 2*time.Second {
			if err := pass(); err != nil {
				return err
			}
			rounds++
		}
		out.Tiles[strconv.Itoa(z)] = tile{
			Micros: float64((processor() - cpu).Microseconds()) / float64(rounds*len(tiles)),
			Bytes:  float64(bytes) / float64(len(tiles)),
		}
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// What is promised, against supercluster.
const (
	fasterBuild = 20
	lessMemory  = 4
	fasterTile  = 5
)

// table prints the comparison of the files that run.sh has left in a folder.
func table(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("table: want N FOLDER")
	}
	read := func(name string) (f figures, err error) {
		b, err := os.ReadFile(filepath.Join(args[1], name))
		if err == nil {
			err = json.Unmarshal(b, &f)
		}
		return f, err
	}
	var all [5]figures
	for i, name := range []string{"ours.json", "ours-bare.json", "theirs-full.json", "theirs-bare.json", "theirs-spaced.json"} {
		f, err := read(name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all[i] = f
	}
	ours, oursBare, full, bare, spaced := all[0], all[1], all[2], all[3], all[4]
	fmt.Printf("\n| %s points | Archipel | supercluster %s | times better | promised |\n|---|---:|---:|---:|---:|\n", args[0], full.Version)
	kept := true
	row := func(what, unit string, a, b, want float64) {
		promise := ""
		if want > 0 {
			promise = fmt.Sprintf("%.0f", want)
			if b/a < want {
				promise += ", missed"
				kept = false
			}
		}
		fmt.Printf("| %s | %.4g %s | %.4g %s | %.1f | %s |\n", what, a, unit, b, unit, b/a, promise)
	}
	row("clusters: build, processor time", "s", oursBare.CPU, bare.CPU, fasterBuild)
	row("clusters: memory", "MB", oursBare.Bytes/1e6, bare.Bytes/1e6, lessMemory)
	for _, z := range zooms {
		k := strconv.Itoa(z)
		row("tile at zoom "+k, "us", ours.Tiles[k].Micros, full.Tiles[k].Micros, fasterTile)
		row("its size", "bytes", ours.Tiles[k].Bytes, full.Tiles[k].Bytes, 0)
		row("tile at zoom "+k+", clusters as far apart", "us", ours.Tiles[k].Micros, spaced.Tiles[k].Micros, 0)
		row("its size", "bytes", ours.Tiles[k].Bytes, spaced.Tiles[k].Bytes, 0)
	}
	row("with names, slugs and ids, ours searchable: build", "s", ours.Build, full.Build, 0)
	row("its processor time", "s", ours.CPU, full.CPU, 0)
	row("its memory", "MB", ours.Bytes/1e6, full.Bytes/1e6, 0)
	if !kept {
		return fmt.Errorf("a promise is not kept at %s points", args[0])
	}
	return nil
}

// processor returns the processor time that this process has taken.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
