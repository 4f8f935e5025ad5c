package vocab

import (
	"maps"
	"time"

	"code.superseriousbusiness.org/activity/streams"
	"code.superseriousbusiness.org/activity/streams/vocab"
)

// Object is an Event or an Article about to be published.
type Object struct {
	ID, Type           string // "Event" or "Article"
	AttributedTo       string
	To, Cc             []string
	Name, Summary      string // plain text
	Content            string // sanitised HTML
	URL                string
	Published, Updated time.Time
	Start, End         time.Time // of an Event, in its own time zone; End may be zero
	Place              *Place
	Tags               []Tag
	Website            string
	Image              *Image
	Extra              map[string]any // terms outside ActivityStreams, and language maps
}

// Place is where an Event is.
type Place struct {
	ID, Name            string
	Address             map[string]any // PostalAddress
	HasPoint            bool
	Latitude, Longitude float64 // degrees, WGS 84
}

// Tag is a hashtag.
type Tag struct{ Name, Href string }

// Image is a picture.
type Image struct{ URL, MediaType, Alt string }

type object interface {
	vocab.Type
	SetActivityStreamsAttributedTo(vocab.ActivityStreamsAttributedToProperty)
	SetActivityStreamsTo(vocab.ActivityStreamsToProperty)
	SetActivityStreamsCc(vocab.ActivityStreamsCcProperty)
	SetActivityStreamsName(vocab.ActivityStreamsNameProperty)
	SetActivityStreamsSummary(vocab.ActivityStreamsSummaryProperty)
	SetActivityStreamsContent(vocab.ActivityStreamsContentProperty)
	SetActivityStreamsMediaType(vocab.ActivityStreamsMediaTypeProperty)
	SetActivityStreamsUrl(vocab.ActivityStreamsUrlProperty)
	SetActivityStreamsPublished(vocab.ActivityStreamsPublishedProperty)
	SetActivityStreamsUpdated(vocab.ActivityStreamsUpdatedProperty)
	SetActivityStreamsStartTime(vocab.ActivityStreamsStartTimeProperty)
	SetActivityStreamsEndTime(vocab.ActivityStreamsEndTimeProperty)
	SetActivityStreamsLocation(vocab.ActivityStreamsLocationProperty)
	GetUnknownProperties() map[string]any
}

// Publish makes the document of an object.
func Publish(o Object) (map[string]any, error) {
	var t object = streams.NewActivityStreamsArticle()
	if o.Type == "Event" {
		t = streams.NewActivityStreamsEvent()
	}
	if err := setID(t, o.ID); err != nil {
		return nil, err
	}
	var err error
	add := adder(&err)
	by, to, cc, page := streams.NewActivityStreamsAttributedToProperty(), streams.NewActivityStreamsToProperty(), streams.NewActivityStreamsCcProperty(), streams.NewActivityStreamsUrlProperty()
	add(by, o.AttributedTo)
	add(to, o.To...)
	add(cc, o.Cc...)
	add(page, o.URL)
	if err != nil {
		return nil, err
	}
	t.SetActivityStreamsAttributedTo(by)
	t.SetActivityStreamsTo(to)
	t.SetActivityStreamsCc(cc)
	t.SetActivityStreamsUrl(page)
	name, summary, content, media := streams.NewActivityStreamsNameProperty(), streams.NewActivityStreamsSummaryProperty(), streams.NewActivityStreamsContentProperty(), streams.NewActivityStreamsMediaTypeProperty()
	name.AppendXMLSchemaString(o.Name)
	summary.AppendXMLSchemaString(o.Summary)
	content.AppendXMLSchemaString(o.Content)
	media.Set("text/html")
	t.SetActivityStreamsName(name)
	t.SetActivityStreamsSummary(summary)
	t.SetActivityStreamsContent(content)
	t.SetActivityStreamsMediaType(media)
	published, updated := streams.NewActivityStreamsPublishedProperty(), streams.NewActivityStreamsUpdatedProperty()
	published.Set(o.Published.UTC())
	updated.Set(o.Updated.UTC())
	t.SetActivityStreamsPublished(published)
	t.SetActivityStreamsUpdated(updated)
	if !o.Start.IsZero() {
		start := streams.NewActivityStreamsStartTimeProperty()
		start.Set(o.Start)
		t.SetActivityStreamsStartTime(start)
	}
	if !o.End.IsZero() {
		end := streams.NewActivityStreamsEndTimeProperty()
		end.Set(o.End)
		t.SetActivityStreamsEndTime(end)
	}
	if o.Place != nil {
		place, err := o.Place.document()
		if err != nil {
			return nil, err
		}
		location := streams.NewActivityStreamsLocationProperty()
		location.AppendActivityStreamsPlace(place)
		t.SetActivityStreamsLocation(location)
	}
	maps.Copy(t.GetUnknownProperties(), o.Extra)
	doc, err := finish(t)
	if err != nil {
		return nil, err
	}
	// These hold several types side by side, of which the library knows some; and it leaves out a language map where
	// the plain text is given.
	doc["tag"], doc["attachment"] = o.tags(), o.attachments()
	for _, k := range []string{"nameMap", "summaryMap", "contentMap"} {
		if v, ok := o.Extra[k]; ok {
			doc[k] = v
		}
	}
	return doc, nil
}

func (o *Object) tags() []any {
	tags := make([]any, len(o.Tags))
	for i, t := range o.Tags {
		tags[i] = map[string]any{"type": "Hashtag", "name": t.Name, "href": t.Href}
	}
	return tags
}

// attachments are in the names by which Mobilizon finds its banner and its web site.
func (o *Object) attachments() []any {
	all := []any{}
	if o.Image != nil {
		all = append(all, map[string]any{"type": "Document", "mediaType": o.Image.MediaType, "url": o.Image.URL, "name": "Banner", "summary": o.Image.Alt})
	}
	if o.Website != "" {
		all = append(all, map[string]any{"type": "Link", "name": "Website", "href": o.Website, "mediaType": "text/html"})
	}
	return all
}

func (p *Place) document() (vocab.ActivityStreamsPlace, error) {
	t := streams.NewActivityStreamsPlace()
	if err := setID(t, p.ID); err != nil {
		return nil, err
	}
	name := streams.NewActivityStreamsNameProperty()
	name.AppendXMLSchemaString(p.Name)
	t.SetActivityStreamsName(name)
	if p.HasPoint {
		lat, lon := streams.NewActivityStreamsLatitudeProperty(), streams.NewActivityStreamsLongitudeProperty()
		lat.Set(p.Latitude)
		lon.Set(p.Longitude)
		t.SetActivityStreamsLatitude(lat)
		t.SetActivityStreamsLongitude(lon)
	}
	if p.Address != nil {
		t.GetUnknownProperties()["address"] = p.Address
	}
	return t, nil
}
