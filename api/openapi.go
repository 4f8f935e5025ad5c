package api

import (
	"github.com/gofiber/fiber/v2"

	"archipel/directory"
	"archipel/frontend"
)

type m = map[string]any

func param(name, in, about string, schema m, more m) m {
	p := m{"name": name, "in": in, "description": about, "schema": schema}
	if in == "path" {
		p["required"] = true
	}
	for k, v := range more {
		p[k] = v
	}
	return p
}

// openAPI is the definition of the API (OpenAPI 3.0.3), which OGC API Features asks for.
func (s *Server) openAPI(c *fiber.Ctx) error {
	text := m{"type": "string"}
	list := m{"type": "array", "items": text}
	comma := m{"style": "form", "explode": true}
	kinds := make([]string, len(directory.Kinds))
	for i, k := range directory.Kinds {
		kinds[i] = string(k)
	}
	ids := make([]string, len(collections))
	for i, col := range collections {
		ids[i] = col.id
	}
	parameters := m{
		"q":        param("q", "query", "Words, each of which must occur in the name, the tags or the town.", m{"type": "string", "maxLength": maxWords}, nil),
		"kind":     param("kind", "query", "Kinds of entries, any of them.", m{"type": "array", "items": m{"type": "string", "enum": kinds}}, comma),
		"category": param("category", "query", "Categories of /api/taxonomy, any of them, with all that is below.", list, comma),
		"tag":      param("tag", "query", "Tags, any of them.", list, comma),
		"near":     param("near", "query", "longitude,latitude in degrees (WGS 84): results come nearest first.", text, m{"example": "4.39,45.44"}),
		"radius":   param("radius", "query", "With near: the distance in metres within which to look.", m{"type": "number", "minimum": 1, "maximum": maxRadius}, nil),
		"bbox": param("bbox", "query", "west,south,east,north in degrees (WGS 84); west may exceed east, across the antimeridian.",
			m{"type": "array", "minItems": 4, "maxItems": 6, "items": m{"type": "number"}}, m{"style": "form", "explode": false}),
		"datetime": param("datetime", "query", "An RFC 3339 time or date, an interval START/END open with .., or now, today, weekend, week, month. Only what takes place then.", text, nil),
		"open_at":  param("open_at", "query", "now, or an RFC 3339 time: only what is certainly open then, by its opening hours.", text, m{"example": "now"}),
		"only":     param("only", "query", "here leaves out the entries of other directories.", m{"type": "string", "enum": []string{frontend.OnlyHere}}, nil),
		"sort":     param("sort", "query", "Order of the results.", m{"type": "string", "enum": []string{"name", "updated", "distance", "start"}}, nil),
		"limit":    param("limit", "query", "Entries per page; more are cut to the maximum.", m{"type": "integer", "minimum": 1, "maximum": maxLimit, "default": defaultLimit}, nil),
		"after":    param("after", "query", "Where the next page begins; follow the link rel=next instead of making it.", text, nil),
		"lang":     param("lang", "query", "Language of labels and messages.", text, nil),
	}
	use := func(names ...string) []m {
		refs := make([]m, len(names))
		for i, n := range names {
			refs[i] = m{"$ref": "#/components/parameters/" + n}
		}
		return refs
	}
	answer := func(about, media, schema string) m {
		return m{"description": about, "content": m{media: m{"schema": m{"$ref": "#/components/schemas/" + schema}}}}
	}
	problem := answer("What is wrong, field by field.", "application/problem+json", "problem")
	ok := func(about, media, schema string, more m) m {
		r := m{"200": answer(about, media, schema), "default": problem}
		for k, v := range more {
			r[k] = v
		}
		return r
	}
	collectionID := param("collectionId", "path", "Collection.", m{"type": "string", "enum": ids}, nil)
	filters := use("q", "kind", "category", "tag", "near", "radius", "bbox", "datetime", "open_at", "only", "sort", "limit", "after", "lang")
	object := m{"type": "object"}
	doc := m{
		"openapi": "3.0.3",
		"info":    m{"title": s.Site().Name, "version": s.Version, "description": "OGC API Features 1.0 of a territorial directory. Coordinates are [longitude, latitude] in WGS 84."},
		"servers": []m{{"url": s.base(c) + "/api"}},
		"paths": m{
			"/":            m{"get": m{"operationId": "getLandingPage", "responses": ok("Landing page.", typeJSON, "any", nil)}},
			"/conformance": m{"get": m{"operationId": "getConformance", "responses": ok("Conformance classes.", typeJSON, "any", nil)}},
			"/taxonomy":    m{"get": m{"operationId": "getTaxonomy", "responses": ok("The categories, with labels, icons, colours and their crosswalk to OpenStreetMap and schema.org.", typeJSON, "any", nil)}},
			"/collections": m{"get": m{"operationId": "getCollections", "responses": ok("Collections.", typeJSON, "any", nil)}},
			"/collections/{collectionId}": m{"parameters": []m{collectionID}, "get": m{"operationId": "describeCollection",
				"responses": ok("One collection.", typeJSON, "any", m{"404": problem})}},
			"/collections/{collectionId}/items": m{"parameters": []m{collectionID}, "get": m{"operationId": "getFeatures", "parameters": filters,
				"responses": ok("Entries.", typeGeoJSON, "featureCollection", m{"400": problem, "404": problem})},
				"post": createOperation(problem)},
			"/collections/{collectionId}/items/{featureId}": m{"parameters": []m{collectionID, param("featureId", "path", "UUID of the entry.", m{"type": "string", "format": "uuid"}, nil)},
				"get":    m{"operationId": "getFeature", "responses": ok("One entry, with its ETag.", typeGeoJSON, "feature", m{"301": m{"description": "The entry was merged into another one: Location is its address."}, "404": problem, "410": problem})},
				"put":    writeOperation("replaceFeature", "Replace an entry; what is left out is emptied. Properties marked readOnly are decided by the server and left aside.", typeGeoJSON, problem),
				"patch":  writeOperation("updateFeature", "Change some properties (JSON Merge Patch, RFC 7396): null takes one away.", "application/merge-patch+json", problem),
				"delete": writeOperation("deleteFeature", "Take an entry away. Its address answers 410 from then on.", "", problem)},
		},
		"components": m{
			"securitySchemes": m{"token": m{"type": "http", "scheme": "bearer", "description": "A personal API token with the scope write."}},
			"parameters":      parameters,
			"schemas": m{
				"any":     object,
				"problem": m{"type": "object", "description": "RFC 9457", "properties": m{"type": text, "title": text, "status": m{"type": "integer"}, "detail": text, "errors": m{"type": "array", "items": m{"type": "object", "properties": m{"field": text, "code": text, "detail": text}}}}},
				"feature": m{"type": "object", "required": []string{"type", "geometry", "properties"}, "properties": m{
					"type": m{"type": "string", "enum": []string{"Feature"}}, "id": m{"type": "string", "format": "uuid"}, "geometry": m{"type": "object", "nullable": true, "description": "Point, MultiPoint or null"},
					"properties": markReadOnly(entrySchema(kinds, text, list, object)),
				}},
				"featureCollection": m{"type": "object", "required": []string{"type", "features"}, "properties": m{
					"type": m{"type": "string", "enum": []string{"FeatureCollection"}}, "features": m{"type": "array", "items": m{"$ref": "#/components/schemas/feature"}},
					"numberMatched": m{"type": "integer"}, "numberReturned": m{"type": "integer"}, "timeStamp": m{"type": "string", "format": "date-time"}, "links": m{"type": "array", "items": object},
				}},
			},
		},
	}
	if err := c.JSON(doc); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, typeOpenAPI)
	return nil
}

// entrySchema describes the properties of an entry.
func entrySchema(kinds []string, text, list, object m) m {
	stamp := m{"type": "string", "format": "date-time"}
	return m{"type": "object", "required": []string{"kind", "name", "status", "version"}, "properties": m{
		"kind": m{"type": "string", "enum": kinds}, "slug": text, "name": m{"type": "string", "maxLength": directory.MaxName},
		"summary": m{"type": "string", "maxLength": directory.MaxSummary}, "description": m{"type": "string", "description": "Markdown"}, "lang": text,
		"translations": object, "categories": list, "tags": list, "approximate": m{"type": "boolean"}, "area": object, "address": object,
		"contact": object, "links": m{"type": "array", "items": object}, "openingHours": m{"type": "string", "description": "OpenStreetMap opening_hours"},
		"images": m{"type": "array", "items": object}, "accessibility": object, "identifiers": object, "extra": object, "event": object,
		"relations": m{"type": "array", "items": object}, "licence": m{"type": "string", "description": "SPDX identifier"}, "source": object, "origin": m{"type": "string", "description": "Host of the directory that the entry belongs to; absent when it belongs to this one."},
		"licenceUrl":  m{"type": "string", "format": "uri", "readOnly": true, "description": "Where the licence can be read."},
		"attribution": m{"type": "string", "readOnly": true, "description": "What the source asks to be written beside its data."},
		"originName":  m{"type": "string", "readOnly": true, "description": "With origin: what that directory calls itself."},
		"originUrl":   m{"type": "string", "format": "uri", "readOnly": true, "description": "With origin: the entry's page there."},
		"status":      text, "version": m{"type": "integer"}, "created": stamp, "updated": stamp, "checked": stamp,
		"claimed": m{"type": "string", "format": "date-time", "description": "Since when people of the place itself, proved, keep this entry; absent when they do not."},
		"fediverse": m{"type": "object", "description": "An organisation's account in the fediverse, as its team wants it; absent when it has none.", "properties": m{
			"handle": m{"type": "string", "description": "The part before the @"}, "type": m{"type": "string", "enum": directory.ActorTypes}, "since": stamp,
			"off": m{"type": "boolean"}, "discoverable": m{"type": "boolean"}, "indexable": m{"type": "boolean"}, "replies": m{"type": "boolean"}, "joins": m{"type": "boolean"}, "joinsAsk": m{"type": "boolean"},
			"alsoKnownAs": list, "movedTo": text, "movedHome": text,
		}},
	}}
}
