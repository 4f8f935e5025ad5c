package frontend

import (
	"fmt"
	"strings"

	"github.com/a-h/templ"
)

// ImageSource is a picture in one of its sizes.
type ImageSource struct {
	URL   string
	Width int // pixels
}

// imageSources lets a browser take the size that it needs: the column of an entry is as wide as a phone, or 30 rem.
func imageSources(i Image) templ.Attributes {
	if len(i.Sources) < 2 {
		return nil
	}
	list := make([]string, len(i.Sources))
	for n, one := range i.Sources {
		list[n] = fmt.Sprintf("%s %dw", one.URL, one.Width)
	}
	return templ.Attributes{"srcset": strings.Join(list, ", "), "sizes": "(max-width: 40rem) 100vw, 30rem"}
}

// thumbnailSize is the size of a picture on a form: it keeps its place before it is there.
func thumbnailSize(i Image) templ.Attributes {
	a := templ.Attributes{"width": "160"}
	if i.Width > 0 && i.Height > 0 {
		a["height"] = fmt.Sprint(max(1, 160*i.Height/i.Width))
	}
	return a
}
