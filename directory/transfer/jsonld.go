package transfer

import (
	"bufio"
	"cmp"
	"encoding/json"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"archipel/directory"
)

type jsonLDWriter struct {
	jsonList
	o ExportOptions
}

// NewJSONLD writes entries as one JSON-LD graph in the words of schema.org.
func NewJSONLD(w io.Writer, o ExportOptions) Writer {
	return &jsonLDWriter{jsonList{
		w: bufio.NewWriter(w), name: "@graph", head: map[string]any{"@context": "https://schema.org"}, order: []string{"@context"},
	}, o}
}

func (j *jsonLDWriter) Write(e *directory.Entry) error { return j.item(thing(e, &j.o)) }

// JSONLD returns one entry as a JSON-LD document in the words of schema.org. Angle brackets and ampersands are escaped,
// so that it may stand inside a script element.
func JSONLD(e *directory.Entry, o ExportOptions) ([]byte, error) {
	t := thing(e, &o)
	t["@context"] = "https://schema.org"
	return json.Marshal(t)
}

var plainTypes = map[directory.Kind]string{
	directory.Organisation: "Organization", directory.Place: "Place", directory.Initiative: "Project", directory.Event: "Event",
}

// object is a JSON object from which empty members are left out.
type object map[string]any

func (o object) set(name string, v any) {
	if !isEmpty(v) {
		o[name] = v
	}
}

func thing(e *entry, o *ExportOptions) object {
	t := object{"@type": plainTypes[e.Kind], "name": e.Name}
	if o.Types != nil {
		for _, c := range e.Categories {
			if typ := o.Types.SchemaType(c, e.Kind); typ != "" {
				t["@type"] = typ
				break
			}
		}
	}
	page := o.page(e)
	t["@id"] = "urn:uuid:" + string(e.ID)
	if page != "" {
		t["@id"] = page
	}
	t.set("url", page)
	if page == "" && e.Contact != nil {
		t.set("url", e.Contact.Website)
	}
	text := e.Summary
	if text == "" {
		text = e.Description
	}
	t.set("description", text)
	keywords := append([]string(nil), e.Tags...)
	for _, c := range e.Categories {
		keywords = append(keywords, o.label(c))
	}
	t.set("keywords", strings.Join(keywords, ", "))
	var same []string
	if e.Contact != nil && e.Contact.Website != "" && page != "" {
		same = append(same, e.Contact.Website)
	}
	for _, l := range e.Links {
		switch l.Rel {
		case "twitter", "facebook", "instagram", "linkedin", "youtube", "mastodon", "mobilizon", "openstreetmap", "wikidata", "website":
			same = append(same, l.URL)
		}
	}
	t.set("sameAs", same)
	t.set("identifier", identifiers(e))
	t.set("image", images(e))
	about := webPage(e, o, page)
	if name, there := o.origin(e); name != "" && about != nil {
		publisher := object{"@type": "Organization", "name": name}
		about["sourceOrganization"] = publisher
		about.set("sameAs", there)
	}
	t.set("subjectOf", about)
	if e.Kind == directory.Event {
		event(t, e)
		return t
	}
	if c := e.Contact; c != nil {
		t.set("email", c.Email)
		t.set("telephone", c.Phone)
	}
	postal, where := postalAddress(e), positions(e)
	t.set("address", postal)
	switch {
	case e.Kind == directory.Place && len(where) == 1:
		t["geo"] = where[0]
	case len(where) > 0:
		places := make([]object, len(where))
		for i, g := range where {
			places[i] = object{"@type": "Place", "geo": g}
		}
		t["location"] = places
	}
	if e.Area != nil {
		t.set("areaServed", e.Area.Zones)
	}
	if e.Kind == directory.Place && simpleHours.MatchString(e.OpeningHours) {
		t["openingHours"] = strings.Split(strings.ReplaceAll(e.OpeningHours, "; ", ";"), ";")
	}
	if v := e.Accessibility["wheelchair"]; v != "" && e.Kind == directory.Place {
		t["amenityFeature"] = object{"@type": "LocationFeatureSpecification", "name": "wheelchair", "value": v}
	}
	return t
}

// simpleHours matches the part of OpenStreetMap's syntax that is schema.org's too.
var simpleHours = regexp.MustCompile(`^(Mo|Tu|We|Th|Fr|Sa|Su)([,-](Mo|Tu|We|Th|Fr|Sa|Su))* [0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2}(; ?(Mo|Tu|We|Th|Fr|Sa|Su)([,-](Mo|Tu|We|Th|Fr|Sa|Su))* [0-9]{2}:[0-9]{2}-[0-9]{2}:[0-9]{2})*$`)

func identifiers(e *entry) []object {
	var out []object
	for _, k := range directory.IdentifierKeys {
		if v := e.Identifiers[k]; v != "" {
			out = append(out, object{"@type": "PropertyValue", "propertyID": k, "value": v})
		}
	}
	return out
}

func images(e *entry) []object {
	var out []object
	for _, i := range e.Images {
		img := object{"@type": "ImageObject", "contentUrl": i.URL}
		img.set("caption", i.Alt)
		img.set("license", licence(i.Licence))
		img.set("creditText", i.Credit)
		out = append(out, img)
	}
	return out
}

// webPage carries licence and source, which schema.org gives to works and not to organisations, places or events.
func webPage(e *entry, o *ExportOptions, page string) object {
	r := object{"@type": "WebPage"}
	r.set("license", licence(e.Licence))
	r.set("inLanguage", e.Lang)
	if s := e.Source; s != nil {
		r.set("creditText", cmp.Or(o.attribution(e), s.Name))
		based := object{"@type": "Dataset", "name": s.Name}
		based.set("url", s.URL)
		based.set("identifier", s.ExternalID)
		r["isBasedOn"] = based
	}
	if !e.Updated.IsZero() {
		r["dateModified"] = e.Updated.UTC().Format(time.RFC3339)
	}
	if !e.Checked.IsZero() {
		r["lastReviewed"] = e.Checked.UTC().Format("2006-01-02")
	}
	r.set("url", page)
	return r
}

// licence is where a licence can be read, else its name.
func licence(spdx string) string {
	if address := directory.LicenceURL(spdx); address != "" {
		return address
	}
	return spdx
}

func postalAddress(e *entry) object {
	a := e.Address
	if a == nil {
		return nil
	}
	o := object{"@type": "PostalAddress"}
	o.set("streetAddress", a.Street)
	o.set("postalCode", a.PostalCode)
	o.set("addressLocality", a.Locality)
	o.set("addressRegion", a.Region)
	o.set("addressCountry", a.Country)
	return o
}

func positions(e *entry) []object {
	var out []object
	for _, p := range e.Sites {
		out = append(out, object{"@type": "GeoCoordinates", "latitude": p[1], "longitude": p[0]})
	}
	return out
}

var eventStates = map[directory.EventState]string{
	"": "EventScheduled", directory.Scheduled: "EventScheduled", directory.Tentative: "EventScheduled", directory.Cancelled: "EventCancelled",
	directory.Postponed: "EventPostponed", directory.Rescheduled: "EventRescheduled", directory.MovedOnline: "EventMovedOnline",
}

// event adds what schema.org asks of an Event: an Event is no CreativeWork, and always has a location.
func event(t object, e *entry) {
	v := e.Event
	if v == nil {
		return
	}
	form := time.RFC3339
	start, end := local(v, v.Start), local(v, v.End)
	if v.AllDay {
		form = "2006-01-02"
		end = end.AddDate(0, 0, -1) // our end is exclusive, schema.org's last day is not
	}
	t["startDate"] = start.Format(form)
	if !v.End.IsZero() {
		t["endDate"] = end.Format(form)
	}
	t["eventStatus"] = "https://schema.org/" + eventStates[v.State]
	var location []object
	postal, where := postalAddress(e), positions(e)
	if postal != nil || len(where) > 0 {
		place := object{"@type": "Place", "name": e.Town()}
		if place["name"] == "" {
			place["name"] = e.Name
		}
		place.set("address", postal)
		if len(where) > 0 {
			place["geo"] = where[0]
		}
		location = append(location, place)
	}
	mode := "Offline"
	if v.AttendanceURL != "" {
		mode = "Mixed"
		if len(location) == 0 || v.State == directory.MovedOnline {
			mode = "Online"
		}
		location = append(location, object{"@type": "VirtualLocation", "url": v.AttendanceURL})
	}
	t["eventAttendanceMode"] = "https://schema.org/" + mode + "EventAttendanceMode"
	t.set("location", location)
	t.set("inLanguage", v.Languages)
	if v.RegisterURL != "" || v.Price != "" {
		offer := object{"@type": "Offer"}
		offer.set("url", v.RegisterURL)
		offer.set("description", v.Price)
		t["offers"] = offer
	}
	if c := e.Contact; c != nil && (c.Name != "" || c.Email != "") {
		org := object{"@type": "Organization", "name": c.Name}
		if c.Name == "" {
			org["name"] = c.Email
		}
		org.set("email", c.Email)
		org.set("telephone", c.Phone)
		t["organizer"] = org
	}
	t.set("eventSchedule", repeats(v))
}

// repeats says an RRULE in schema.org's words, as far as they reach.
func repeats(v *directory.Schedule) object {
	if v.RRule == "" {
		return nil
	}
	parts := map[string]string{}
	for p := range strings.SplitSeq(v.RRule, ";") {
		k, value, _ := strings.Cut(p, "=")
		parts[strings.ToUpper(k)] = value
	}
	unit := map[string]string{"DAILY": "D", "WEEKLY": "W", "MONTHLY": "M", "YEARLY": "Y"}[strings.ToUpper(parts["FREQ"])]
	if unit == "" {
		return nil
	}
	interval := parts["INTERVAL"]
	if interval == "" {
		interval = "1"
	}
	s := object{"@type": "Schedule", "repeatFrequency": "P" + interval + unit, "startDate": local(v, v.Start).Format("2006-01-02")}
	s.set("scheduleTimezone", v.Timezone)
	if !v.AllDay {
		s["startTime"] = local(v, v.Start).Format("15:04:05")
	}
	if n, err := strconv.Atoi(parts["COUNT"]); err == nil {
		s["repeatCount"] = n
	}
	if u := parts["UNTIL"]; len(u) >= 8 {
		s["endDate"] = u[:4] + "-" + u[4:6] + "-" + u[6:8]
	}
	var days []string
	for d := range strings.SplitSeq(parts["BYDAY"], ",") {
		if len(d) >= 2 {
			d = d[len(d)-2:]
		}
		if name := weekdays[strings.ToUpper(d)]; name != "" {
			days = append(days, "https://schema.org/"+name)
		}
	}
	s.set("byDay", days)
	if n, err := strconv.Atoi(parts["BYMONTHDAY"]); err == nil {
		s["byMonthDay"] = n
	}
	var except []string
	for _, t := range v.ExDates {
		except = append(except, local(v, t).Format("2006-01-02"))
	}
	s.set("exceptDate", except)
	return s
}

var weekdays = map[string]string{"MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday", "SA": "Saturday", "SU": "Sunday"}
