package transfer

import (
	"context"
	"io"
	"strings"
	"testing"

	"archipel/directory"
)

// The rates are rows a second, on one processor and a store in a temporary directory.
func BenchmarkImport(b *testing.B) {
	const n = 20_000
	file := bigFile(n, "un")
	for name, o := range map[string]ImportOptions{"created": {Source: "s"}, "dry run": {Source: "s", DryRun: true}} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			for b.Loop() {
				b.StopTimer()
				d := newDirectory(b)
				b.StartTimer()
				mustImport(b, d, file, o)
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
	b.Run("unchanged", func(b *testing.B) {
		d := newDirectory(b)
		mustImport(b, d, file, ImportOptions{Source: "s"})
		for b.Loop() {
			mustImport(b, d, file, ImportOptions{Source: "s"})
		}
		b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
	})
}

func BenchmarkExport(b *testing.B) {
	d := newDirectory(b)
	mustImport(b, d, bigFile(20_000, "un"), ImportOptions{Source: "s"})
	var entries []directory.Entry
	err := d.Scan(context.Background(), func(some []directory.Entry) error {
		entries = append(entries, some...)
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for name, w := range map[string]func(io.Writer, ExportOptions) Writer{"GeoJSON": NewGeoJSON, "JSON-LD": NewJSONLD, "CSV": NewCSV, "Atom": NewAtom} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				write(b, w(io.Discard, ExportOptions{}), entries)
			}
			b.ReportMetric(float64(len(entries)*b.N)/b.Elapsed().Seconds(), "entries/s")
		})
	}
}

func BenchmarkCSVReader(b *testing.B) {
	file := bigFile(20_000, strings.Repeat("texte ", 20))
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		r := newCSVReader(strings.NewReader(file), ',')
		for {
			if _, _, err := r.read(); err == io.EOF {
				break
			}
		}
	}
}
