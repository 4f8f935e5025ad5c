package api

// createOperation describes how an entry is added (OGC API Features, Part 4).
func createOperation(problem m) m {
	return m{
		"operationId": "createFeature", "security": []m{{"token": []string{}}},
		"description": "Add an entry. It waits for moderation unless its author is trusted: the property status tells. Properties marked readOnly are decided by the server and left aside; an unknown property is refused by name.",
		"requestBody": m{"required": true, "content": m{typeGeoJSON: m{"schema": m{"$ref": "#/components/schemas/feature"}}}},
		"responses": m{
			"201": m{"description": "The entry as it stands, with its ETag.", "headers": m{
				"Location": m{"description": "Where it is.", "schema": m{"type": "string", "format": "uri"}}, "ETag": m{"schema": m{"type": "string"}}},
				"content": m{typeGeoJSON: m{"schema": m{"$ref": "#/components/schemas/feature"}}}},
			"400": problem, "401": problem, "403": problem, "404": problem, "415": problem, "429": problem, "default": problem,
		},
	}
}

// writeOperation describes a change of an entry, which names the version that its writer read.
func writeOperation(id, about, media string, problem m) m {
	op := m{
		"operationId": id, "description": about, "security": []m{{"token": []string{}}},
		"parameters": []m{param("If-Match", "header", "The ETag that was read: another version is not overwritten.", m{"type": "string", "example": `"v42"`}, m{"required": true})},
	}
	done := m{"200": m{"description": "The entry as it stands, with its ETag.", "content": m{typeGeoJSON: m{"schema": m{"$ref": "#/components/schemas/feature"}}}}}
	if media == "" {
		done = m{"204": m{"description": "It is taken away."}}
	} else {
		schema := m{"$ref": "#/components/schemas/feature"}
		if media != typeGeoJSON {
			schema = m{"type": "object"}
		}
		op["requestBody"] = m{"required": true, "content": m{media: m{"schema": schema}}}
		done["400"], done["415"] = problem, problem
		done["202"] = m{"description": "The change waits until moderators have looked at it, where the directory does so before changes are public.", "content": m{typeJSON: m{"schema": m{"type": "object", "properties": m{"proposal": m{"type": "string", "format": "uuid"}, "title": m{"type": "string"}}}}}}
	}
	done["412"] = m{"description": "Another version stands."}
	done["428"] = m{"description": "If-Match is missing."}
	for _, code := range []string{"401", "403", "404", "410", "429", "default"} {
		done[code] = problem
	}
	op["responses"] = done
	return op
}

// decidedByServer are the properties that no writer sets.
var decidedByServer = []string{"slug", "aliases", "source", "origin", "status", "mergedInto", "version", "created", "updated", "checked", "claimed", "fediverse"}

// markReadOnly marks them in the schema of an entry.
func markReadOnly(schema m) m {
	properties, ok := schema["properties"].(m)
	if !ok {
		return schema
	}
	for _, name := range decidedByServer {
		if p, ok := properties[name].(m); ok {
			marked := m{"readOnly": true}
			for k, v := range p {
				marked[k] = v
			}
			properties[name] = marked
		}
	}
	schema["required"] = []string{"kind", "name"}
	return schema
}
