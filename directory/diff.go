package directory

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// FieldChange is the difference in one field, in words that people can read.
type FieldChange struct {
	Field  string // path in the public form: "name", "contact.phone", "links", "geometry"
	Before string // empty when the field was absent
	After  string // empty when the field is gone
}

// Diff lists the fields of the public form in which two states of an entry differ, sorted by field. What the directory
// keeps by itself (version, times of writing) is left out.
func Diff(before, after *Entry) []FieldChange {
	a, b := flatten(before), flatten(after)
	var changes []FieldChange
	for field, old := range a {
		if b[field] != old {
			changes = append(changes, FieldChange{field, old, b[field]})
		}
	}
	for field, now := range b {
		if _, was := a[field]; !was {
			changes = append(changes, FieldChange{field, "", now})
		}
	}
	slices.SortFunc(changes, func(x, y FieldChange) int { return strings.Compare(x.Field, y.Field) })
	return changes
}

func flatten(e *Entry) map[string]string {
	flat := map[string]string{}
	if e == nil {
		return flat
	}
	b, err := json.Marshal(e)
	if err != nil {
		return flat
	}
	var f struct {
		Properties map[string]any `json:"properties"`
	}
	if json.Unmarshal(b, &f) != nil {
		return flat
	}
	for _, own := range []string{"version", "created", "updated"} {
		delete(f.Properties, own)
	}
	flattenInto(flat, "", f.Properties)
	points := make([]string, len(e.Sites))
	for i, p := range e.Sites {
		points[i] = fmt.Sprintf("%g, %g", p[1], p[0]) // people say latitude first
	}
	if len(points) > 0 {
		flat["geometry"] = strings.Join(points, "\n")
	}
	return flat
}

func flattenInto(flat map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, child := range v {
			p := k
			if path != "" {
				p = path + "." + k
			}
			if path == "area" && k == "geometry" {
				b, _ := json.Marshal(child)
				flat[p] = string(b)
				continue
			}
			flattenInto(flat, p, child)
		}
	case []any:
		lines := make([]string, len(v))
		for i, item := range v {
			lines[i] = oneLine(item)
		}
		flat[path] = strings.Join(lines, "\n")
	case nil:
	default:
		flat[path] = fmt.Sprint(v)
	}
}

// oneLine writes an element of a list: a text as it is, an object as its values by key.
func oneLine(v any) string {
	m, ok := v.(map[string]any)
	if !ok {
		return fmt.Sprint(v)
	}
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = fmt.Sprintf("%s: %v", k, m[k])
	}
	return strings.Join(parts, ", ")
}
