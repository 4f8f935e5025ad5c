package islands

import (
	"encoding/json"

	"archipel/directory"
)

// ParseArea reads the outline of a territory from GeoJSON: a Polygon or a MultiPolygon, a feature of it, or a collection of
// one such feature. Whether it is a good outline is for [Scope.Validate] to say; the error is a [directory.Invalid] about
// "geometry".
func ParseArea(b []byte) (*directory.Shape, error) {
	unread := directory.Invalid{{Field: "geometry", Code: directory.CodeInvalid, Params: map[string]any{"value": cut(string(b), 80)}}}
	for range 3 {
		var doc struct {
			Type     string            `json:"type"`
			Geometry json.RawMessage   `json:"geometry"`
			Features []json.RawMessage `json:"features"`
		}
		if err := json.Unmarshal(b, &doc); err != nil {
			return nil, unread
		}
		switch {
		case doc.Type == "Feature":
			b = doc.Geometry
		case doc.Type == "FeatureCollection" && len(doc.Features) == 1:
			b = doc.Features[0]
		case doc.Type == "Polygon", doc.Type == "MultiPolygon":
			shape := &directory.Shape{}
			if err := shape.UnmarshalJSON(b); err != nil {
				return nil, unread
			}
			return shape, nil
		default:
			return nil, directory.Invalid{{Field: "geometry", Code: directory.CodeUnknown, Params: map[string]any{"value": cut(doc.Type, 80)}}}
		}
	}
	return nil, unread
}
