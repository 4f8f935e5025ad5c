package transfer

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

	"archipel/directory"
)

// Mapping says how the columns and values of a file become entries, where the names of the columns do not say it.
// The zero value leaves everything to recognition. The package documentation describes its file.
type Mapping struct {
	Source    string   `toml:"source"`
	SourceURL string   `toml:"source_url"`
	Licence   string   `toml:"licence"`
	Lang      string   `toml:"lang"`
	Kind      string   `toml:"kind"`
	Timezone  string   `toml:"timezone"`  // of dates without an offset; IANA name
	Separator string   `toml:"separator"` // one of , ; | and tab
	Encoding  string   `toml:"encoding"`  // utf-8, utf-16 or windows-1252
	ID        []string `toml:"id"`        // columns that together identify a record at its source
	Only      bool     `toml:"only"`      // use the columns named here and no others

	Columns    map[string]string   `toml:"columns"`    // name of a column -> field
	Categories map[string][]string `toml:"categories"` // value -> ids of categories, or none to ignore the value
	Defaults   map[string]string   `toml:"defaults"`   // field -> value where the row has none

	categories map[string][]string // by folded value
}

// ReadMapping reads a mapping file (TOML) and checks every name in it.
func ReadMapping(r io.Reader) (*Mapping, error) {
	m := &Mapping{}
	meta, err := toml.NewDecoder(io.LimitReader(r, 4<<20)).Decode(m)
	if err != nil {
		return nil, fmt.Errorf("mapping: %w", err)
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("mapping: unknown setting %q", unknown[0].String())
	}
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("mapping: %w", err)
	}
	return m, nil
}

func (m *Mapping) check() error {
	if m.Separator != "" && m.Separator != "tab" && (len(m.Separator) != 1 || !slices.Contains(separators, m.Separator[0])) {
		return fmt.Errorf("separator %q: want a comma, a semicolon, a bar or a tab", m.Separator)
	}
	if m.Kind != "" && !slices.Contains(directory.Kinds, directory.Kind(m.Kind)) {
		return fmt.Errorf("kind %q: want one of %v", m.Kind, directory.Kinds)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Columns)) {
		if t := target(m.Columns[name]); !t.valid() {
			return fmt.Errorf("columns: %q is to fill %q, which is no field; fields are %s", name, t, fieldNames())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.Defaults)) {
		if t := target(name); !t.valid() || t == notUsed {
			return fmt.Errorf("defaults: %q is no field; fields are %s", name, fieldNames())
		}
	}
	m.categories = make(map[string][]string, len(m.Categories))
	for value, ids := range m.Categories {
		m.categories[directory.Fold(value)] = ids
	}
	return nil
}

// comma returns the separator, or 0 to detect it.
func (m *Mapping) comma() byte {
	switch m.Separator {
	case "":
		return 0
	case "tab":
		return '\t'
	}
	return m.Separator[0]
}

func fieldNames() string {
	names := make([]string, 0, len(words))
	for t := range words {
		if !strings.Contains(string(t), ".") {
			names = append(names, string(t))
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ") + ", link.*, identifier.*, accessibility.*, extra.*"
}
