package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// build makes every file of dist in memory, by name.
func build(root, nodeModules string) (map[string][]byte, error) {
	files := map[string][]byte{}
	manifest := map[string]string{}
	used := map[string]bool{"lucide-static": true}
	add := func(name string, body []byte) {
		sum := sha256.Sum256(body)
		ext := filepath.Ext(name)
		hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:4]) + ext
		files[hashed], manifest[name] = body, hashed
	}

	for _, entry := range []struct{ from, to string }{
		{"styles/app.css", "app.css"},
		{"styles/map.css", "map.css"},
		{"styles/agenda.css", "agenda.css"},
		{"styles/pages.css", "pages.css"},
		{"island/main.ts", "island.js"},
		{"island/livemap.ts", "livemap.js"},
		{"island/moderate.ts", "moderate.js"},
		{"island/embed.ts", "embed.js"},
		{"styles/posting.css", "posting.css"},
		{"styles/echoes.css", "echoes.css"},
		{"island/posting.ts", "posting.js"},
		{"island/passkey.ts", "passkey.js"},
		{"island/pinmap.ts", "pinmap.js"},
	} {
		body, packages, err := bundle(root, nodeModules, entry.from)
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			used[p] = true
		}
		add(entry.to, body)
	}

	sprite, paths, err := icons(root, nodeModules)
	if err != nil {
		return nil, err
	}
	add("icons.svg", sprite)
	files["icons.json"] = paths

	mark, err := os.ReadFile(filepath.Join(root, "icons", "mark.svg"))
	if err != nil {
		return nil, err
	}
	add("mark.svg", mark)

	licences, err := licences(nodeModules, used)
	if err != nil {
		return nil, err
	}
	add("licences.txt", licences)

	list, err := json.MarshalIndent(manifest, "", "  ")
	if err != nil {
		return nil, err
	}
	files["manifest.json"] = append(list, '\n')
	return files, nil
}

// bundle builds one entry and tells which npm packages went into it.
func bundle(root, nodeModules, entry string) ([]byte, []string, error) {
	result := api.Build(api.BuildOptions{
		AbsWorkingDir:     root,
		EntryPoints:       []string{entry},
		Bundle:            true,
		Write:             false,
		Metafile:          true,
		Format:            api.FormatESModule,
		Target:            api.ES2022,
		MinifyWhitespace:  true,
		MinifyIdentifiers: true,
		MinifySyntax:      true,
		Charset:           api.CharsetUTF8,
		LegalComments:     api.LegalCommentsNone, // they are all in licences.txt
		NodePaths:         []string{nodeModules},
		Outdir:            "out",
		LogLevel:          api.LogLevelSilent,
		// protomaps-leaflet brings ready-made styles and a PMTiles reader, and takes
		// Leaflet from a global: ours has its own style, reads plain tiles and has no globals.
		Alias:  map[string]string{"@protomaps/basemaps": filepath.Join(root, "island/none.ts"), "pmtiles": filepath.Join(root, "island/none.ts")},
		Inject: inject(root, entry),
	})
	if len(result.Errors) > 0 {
		return nil, nil, fmt.Errorf("%s", strings.Join(api.FormatMessages(result.Errors, api.FormatMessagesOptions{}), "\n"))
	}
	var body []byte
	for _, f := range result.OutputFiles {
		if ext := filepath.Ext(f.Path); ext != ".js" && ext != ".css" {
			return nil, nil, fmt.Errorf("%s: unexpected output %s", entry, f.Path)
		}
		body = f.Contents
	}
	var meta struct {
		Inputs map[string]json.RawMessage `json:"inputs"`
	}
	if err := json.Unmarshal([]byte(result.Metafile), &meta); err != nil {
		return nil, nil, err
	}
	var packages []string
	inPackage := regexp.MustCompile(`node_modules/((?:@[^/]+/)?[^/]+)/`)
	for path := range meta.Inputs {
		if m := inPackage.FindStringSubmatch(path); m != nil {
			packages = append(packages, m[1])
		}
	}
	return body, packages, nil
}

func inject(root, entry string) []string {
	if entry == "island/livemap.ts" || entry == "island/pinmap.ts" {
		return []string{filepath.Join(root, "island/leaflet.ts")}
	}
	return nil
}

var (
	comment = regexp.MustCompile(`(?s)<!--.*?-->`)
	svgBody = regexp.MustCompile(`(?s)<svg[^>]*>(.*)</svg>`)
	spaces  = regexp.MustCompile(`\s+`)
)

// icons makes a sprite of the icons that icons.txt names, and the same shapes as JSON for the server's pages.
func icons(root, nodeModules string) (sprite, shapes []byte, err error) {
	list, err := os.ReadFile(filepath.Join(root, "icons.txt"))
	if err != nil {
		return nil, nil, err
	}
	byName := map[string]string{}
	var names []string
	for _, line := range strings.Split(string(list), "\n") {
		name := strings.TrimSpace(line)
		if name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		if _, twice := byName[name]; twice {
			return nil, nil, fmt.Errorf("icons.txt names %q twice", name)
		}
		raw, err := os.ReadFile(filepath.Join(root, "icons", name+".svg"))
		if os.IsNotExist(err) {
			raw, err = os.ReadFile(filepath.Join(nodeModules, "lucide-static", "icons", name+".svg"))
		}
		if err != nil {
			return nil, nil, fmt.Errorf("icon %q: %w", name, err)
		}
		m := svgBody.FindSubmatch(comment.ReplaceAll(raw, nil))
		if m == nil {
			return nil, nil, fmt.Errorf("icon %q is not an SVG", name)
		}
		shape := strings.TrimSpace(spaces.ReplaceAllString(string(m[1]), " "))
		shape = joinPaths(strings.ReplaceAll(strings.ReplaceAll(shape, " />", "/>"), "> <", "><"))
		byName[name] = shape
		names = append(names, name)
	}
	var b bytes.Buffer
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg">`)
	for _, name := range names {
		fmt.Fprintf(&b, `<symbol id="%s" viewBox="0 0 24 24">%s</symbol>`, name, byName[name])
	}
	b.WriteString("</svg>\n")

	var j bytes.Buffer
	enc := json.NewEncoder(&j)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(byName); err != nil {
		return nil, nil, err
	}
	return b.Bytes(), j.Bytes(), nil
}

var (
	lonePath = regexp.MustCompile(`^<path d="([^"]+)"/>`)
	// A path that starts with a small m starts at an absolute point all the same, and what follows that point is relative.
	smallStart = regexp.MustCompile(`^m\s*(-?(?:\d+\.?\d*|\.\d+))[\s,]*(-?(?:\d+\.?\d*|\.\d+))[\s,]*`)
)

// joinPaths makes one path of neighbouring ones: they are drawn in the same colour, and every page carries many.
func joinPaths(shape string) string {
	var out, path strings.Builder
	flush := func() {
		if path.Len() > 0 {
			fmt.Fprintf(&out, `<path d="%s"/>`, path.String())
			path.Reset()
		}
	}
	for shape != "" {
		m := lonePath.FindStringSubmatch(shape)
		if m == nil {
			flush()
			end := strings.Index(shape, ">") + 1
			out.WriteString(shape[:end])
			shape = shape[end:]
			continue
		}
		shape = shape[len(m[0]):]
		d := m[1]
		if start := smallStart.FindStringSubmatch(d); start != nil {
			rest := d[len(start[0]):]
			if rest != "" && strings.ContainsAny(rest[:1], "-.0123456789") {
				rest = "l" + rest
			}
			d = "M" + start[1] + " " + start[2] + rest
		}
		path.WriteString(d)
	}
	flush()
	return out.String()
}

// licences is the text of the licence of every package that visitors receive.
func licences(nodeModules string, used map[string]bool) ([]byte, error) {
	var names []string
	for name := range used {
		names = append(names, name)
	}
	slices.Sort(names)
	var b bytes.Buffer
	for _, name := range names {
		dir := filepath.Join(nodeModules, name)
		raw, err := os.ReadFile(filepath.Join(dir, "package.json"))
		if err != nil {
			return nil, err
		}
		var p struct{ Version, License string }
		if err := json.Unmarshal(raw, &p); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		text := ""
		for _, file := range []string{"LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "license", "LICENSE-MIT"} {
			if t, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
				text = strings.TrimSpace(strings.ReplaceAll(string(t), "\r\n", "\n"))
				break
			}
		}
		fmt.Fprintf(&b, "%s %s (%s)\n\n%s\n\n%s\n\n", name, p.Version, p.License, text, strings.Repeat("-", 72))
	}
	return b.Bytes(), nil
}

func gzipped(b []byte) int {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Len()
}
