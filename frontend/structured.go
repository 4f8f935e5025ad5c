package frontend

import (
	"encoding/json"
	"strings"
	"time"
)

// schemaTypes are the types of schema.org that the kinds stand for.
var schemaTypes = map[string]string{"organisation": "Organization", "place": "Place", "initiative": "Project", "event": "Event"}

// eventStates are schema.org's EventStatusType by our codes.
var eventStates = map[string]string{
	"": "EventScheduled", "cancelled": "EventCancelled", "postponed": "EventPostponed",
	"rescheduled": "EventRescheduled", "movedOnline": "EventMovedOnline",
}

// entryJSONLD is an entry in the words of schema.org (JSON-LD 1.1), for search engines and link previews.
// json.Marshal escapes <, > and &, so that it can stand in a <script> element.
func entryJSONLD(p Page, v EntryView) string {
	kind := v.SchemaType
	if kind == "" {
		kind = schemaTypes[v.Kind]
	}
	doc := map[string]any{
		"@context": "https://schema.org", "@type": kind, "@id": absolute(p, EntryURL(v.Slug)),
		"name": v.Name, "url": absolute(p, EntryURL(v.Slug)),
	}
	put := func(key string, value any) {
		switch x := value.(type) {
		case string:
			if x == "" {
				return
			}
		case []string:
			if len(x) == 0 {
				return
			}
		case nil:
			return
		}
		doc[key] = value
	}
	put("description", v.Summary)
	put("inLanguage", v.Lang)
	put("keywords", strings.Join(v.Tags, ", "))
	put("license", v.Licence.URL)
	if !v.Updated.IsZero() {
		put("dateModified", v.Updated.UTC().Format(time.RFC3339))
	}
	var pictures []string
	for _, i := range v.Images {
		pictures = append(pictures, absolute(p, i.URL))
	}
	put("image", pictures)

	where := map[string]any{"@type": "Place", "name": v.Name}
	if len(v.Address.lines()) > 0 {
		address := map[string]any{"@type": "PostalAddress"}
		for key, value := range map[string]string{
			"streetAddress": v.Address.Street, "postalCode": v.Address.PostalCode, "addressLocality": v.Address.Town,
			"addressRegion": v.Address.Region, "addressCountry": v.Address.Country,
		} {
			if value != "" {
				address[key] = value
			}
		}
		where["address"] = address
	}
	if v.Position != nil {
		where["geo"] = map[string]any{"@type": "GeoCoordinates", "latitude": v.Position.Lat, "longitude": v.Position.Lon}
	}

	if v.Event != nil {
		put("startDate", eventTime(v.Event.Start, v.Event.AllDay))
		put("endDate", eventTime(v.Event.End, v.Event.AllDay))
		if s, ok := eventStates[v.Event.Status]; ok {
			put("eventStatus", "https://schema.org/"+s)
		}
		mode := "OfflineEventAttendanceMode"
		switch {
		case v.Event.OnlineURL != "" && v.Position != nil:
			mode = "MixedEventAttendanceMode"
		case v.Event.OnlineURL != "":
			mode = "OnlineEventAttendanceMode"
		}
		put("eventAttendanceMode", "https://schema.org/"+mode)
		var location []any
		if len(where) > 2 {
			location = append(location, where)
		}
		if v.Event.OnlineURL != "" {
			location = append(location, map[string]any{"@type": "VirtualLocation", "url": v.Event.OnlineURL})
		}
		if len(location) > 0 {
			doc["location"] = location
		}
	} else {
		for _, key := range []string{"address", "geo"} {
			if value, ok := where[key]; ok {
				if key == "geo" && (kind == "Organization" || kind == "NGO" || kind == "Project") {
					doc["location"] = map[string]any{"@type": "Place", "geo": value} // those types have no geo of their own
					continue
				}
				doc[key] = value
			}
		}
		put("telephone", first(v.Contact.Phones))
		put("email", first(v.Contact.Emails))
		if v.Hours != nil {
			put("openingHours", v.Hours.Raw)
		}
	}
	put("sameAs", v.Contact.Websites)
	b, err := json.Marshal(doc)
	if err != nil {
		return "{}" // maps of strings and numbers always encode, unless a coordinate is NaN
	}
	return string(b)
}

func eventTime(t time.Time, allDay bool) string {
	switch {
	case t.IsZero():
		return ""
	case allDay:
		return t.Format(time.DateOnly)
	}
	return t.Format(time.RFC3339)
}

// siteJSONLD is the directory itself, with its search.
func siteJSONLD(p Page) string {
	b, err := json.Marshal(map[string]any{
		"@context": "https://schema.org", "@type": "WebSite", "name": p.Site.Name, "url": p.Site.PublicURL + "/",
		"potentialAction": map[string]any{
			"@type": "SearchAction", "target": p.Site.PublicURL + "/?q={q}", "query-input": "required name=q",
		},
	})
	if err != nil {
		return "{}"
	}
	return string(b)
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
