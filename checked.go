package main

import (
	"log/slog"

	"archipel/api"
	"archipel/directory"
	"archipel/directory/links"
)

// openLinks makes what looks whether the links of entries still answer. address is where people reach this server: those who are
// asked can see who asks. The made-up links of a demonstration are left alone.
func openLinks(c config, d *directory.Directory, site func() api.Site, address string, log *slog.Logger) *links.Service {
	if c["public-url"] != "" {
		address = c["public-url"]
	}
	return links.New(links.Options{
		Directory: d, Log: log, UserAgent: "Archipel/" + version() + " (+" + address + "; looks whether links answer)",
		On: func() bool { return site().CheckLinks && !site().Demo },
	})
}
