package frontend

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"path"
	"strings"
	"sync"
)

//go:embed dist
var dist embed.FS

// CacheControl is the header of every asset: its name changes with its content.
const CacheControl = "public, max-age=31536000, immutable"

// Asset is a built file, as /static/{name} serves it.
type Asset struct {
	Name        string // "app.3f2a9c1b.css"
	ContentType string
	Body        []byte
	Gzip        []byte // the same, compressed; nil when that gains nothing
	ETag        string // with its quotes
}

type built struct {
	assets map[string]Asset  // by hashed name
	names  map[string]string // hashed names by plain name
	shapes map[string]string // inner SVG of the icons by name
}

// loadBuilt reads the embedded files once. They are part of the program, so a
// mistake in them is a mistake of the build and no condition to handle.
var loadBuilt = sync.OnceValue(func() built {
	b := built{assets: map[string]Asset{}, names: map[string]string{}, shapes: map[string]string{}}
	mustRead("dist/manifest.json", &b.names)
	mustRead("dist/icons.json", &b.shapes)
	for _, name := range b.names {
		body, err := dist.ReadFile("dist/" + name)
		if err != nil {
			panic(err)
		}
		b.assets[name] = newAsset(name, body)
	}
	return b
})

func mustRead(name string, into any) {
	raw, err := dist.ReadFile(name)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		panic(name + ": " + err.Error())
	}
}

func newAsset(name string, body []byte) Asset {
	a := Asset{Name: name, Body: body, ContentType: contentTypes[path.Ext(name)], ETag: `"` + name + `"`}
	if len(body) >= 1400 { // below one packet there is nothing to win
		var out bytes.Buffer
		w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is valid
		_, _ = w.Write(body)                                    // a bytes.Buffer takes everything
		_ = w.Close()
		if out.Len() < len(body) {
			a.Gzip = out.Bytes()
		}
	}
	return a
}

var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
	".txt": "text/plain; charset=utf-8",
}

// StaticAsset returns the asset served as /static/{name}: a built file, or
// theme-RRGGBB.css, the tones derived from an operator's accent.
func StaticAsset(name string) (Asset, bool) {
	if a, ok := loadBuilt().assets[name]; ok {
		return a, true
	}
	if hex, ok := strings.CutPrefix(name, "theme-"); ok {
		if hex, ok = strings.CutSuffix(hex, ".css"); ok {
			if c, ok := parseColour("#" + hex); ok {
				return newAsset(name, []byte(themeCSS(c))), true
			}
		}
	}
	return Asset{}, false
}

// AssetURL is the address of a built file by its plain name ("app.css"), hash included.
func AssetURL(name string) string {
	if hashed, ok := loadBuilt().names[name]; ok {
		return "/static/" + hashed
	}
	return "/static/" + name
}

// Icons lists the names a taxonomy may use.
func Icons() []string {
	shapes := loadBuilt().shapes
	names := make([]string, 0, len(shapes))
	for name := range shapes {
		names = append(names, name)
	}
	return names
}
