package frontend

// Asset is a built file, as /static/{name} serves it.
type Asset struct {
	Name        string // "app.3f2a9c1b.css"
	ContentType string
	Body        []byte
	Gzip        []byte // the same, compressed; nil when that gains nothing
	ETag        string // with its quotes
}

// CacheControl is the header of every asset: its name changes with its content.
const CacheControl = "public, max-age=31536000, immutable"

// StaticAsset returns the asset served as /static/{name}: a built file, or
// theme-RRGGBB.css, the tones derived from an operator's accent.
func StaticAsset(name string) (Asset, bool) { return Asset{}, false }

// AssetURL is the address of a built file by its plain name ("app.css"), hash included.
func AssetURL(name string) string { return "/static/" + name }
