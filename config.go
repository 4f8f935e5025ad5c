package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"archipel/directory"
	"archipel/directory/mongostore"
	"archipel/directory/sqlitestore"
	"archipel/directory/taxonomy"
)

// option is one setting that is decided before the program starts. This table is the only place that knows them.
type option struct {
	name, env, value, about string
}

var options = []option{
	{"listen", "ARCHIPEL_LISTEN", "127.0.0.1:8080", "address and port to listen on"},
	{"public-url", "ARCHIPEL_PUBLIC_URL", "", "how visitors reach the directory, like https://annuaire.example.org"},
	{"data", "ARCHIPEL_DATA", "./data", "folder of the embedded database, index, pictures and caches"},
	{"mongo", "MONGODB_URI", "", "MongoDB to store entries in, instead of the embedded database"},
	{"meili", "MEILISEARCH_URL", "", "Meilisearch to search with, instead of the embedded engine"},
	{"meili-key", "MEILISEARCH_KEY", "", "API key of Meilisearch"},
	{"nominatim", "NOMINATIM_URL", "", "Nominatim to find addresses with (photon+https://... or addok+https://... for those); without it, towns only"},
	{"basemap", "ARCHIPEL_BASEMAP", "", "PMTiles or MBTiles file with the streets of the region"},
	{"taxonomy", "ARCHIPEL_TAXONOMY", "", "YAML file with the categories, instead of the built-in ones"},
	{"media", "ARCHIPEL_MEDIA", "", "S3-compatible bucket to keep pictures in, like s3://KEY:SECRET@host/bucket?region=fr-par; without it, the folder media of -data"},
	{"smtp", "ARCHIPEL_SMTP", "", "mail server, like smtp://user:password@host:587; without it mails are written to the folder mails of -data"},
	{"mail-from", "ARCHIPEL_MAIL_FROM", "", "address that mails come from, like \"Archipel <bonjour@example.org>\""},
	{"trusted-proxies", "ARCHIPEL_TRUSTED_PROXIES", "", "addresses or ranges of reverse proxies whose X-Forwarded-For is believed, separated by commas"},
	{"federation", "ARCHIPEL_FEDERATION", "", "on or off: taking part in the fediverse; without it, on when -public-url is https"},
	{"log", "ARCHIPEL_LOG", "info", "debug, info, warn or error"},
	{"log-format", "ARCHIPEL_LOG_FORMAT", "text", "text or json"},
	{"config", "ARCHIPEL_CONFIG", "", "file of KEY=VALUE lines, with the names of the environment variables"},
}

// config is the options as they were given.
type config map[string]string

// flags gives a command its flag set, with the options that every command has.
func flags(name string, env *environment) *flag.FlagSet {
	set := flag.NewFlagSet("archipel "+name, flag.ContinueOnError)
	set.SetOutput(env.stderr)
	for _, o := range options {
		about := o.about + " (" + o.env + ")"
		if o.value != "" {
			about += ", default " + o.value
		}
		set.String(o.name, "", about)
	}
	return set
}

// parse reads a command's arguments, flags before and after the others, and settles every option.
func parse(set *flag.FlagSet, env *environment, args []string) (config, []string, error) {
	var rest []string
	for {
		if err := set.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, nil, err
			}
			return nil, nil, fmt.Errorf("%w: %w", err, errUsage)
		}
		if set.NArg() == 0 {
			break
		}
		rest, args = append(rest, set.Arg(0)), set.Args()[1:]
	}
	given := map[string]bool{}
	set.Visit(func(f *flag.Flag) { given[f.Name] = true })
	c := config{}
	file := map[string]string{}
	for pass := range 2 {
		for _, o := range options {
			value := o.value
			if v, ok := file[o.env]; ok {
				value = v
			}
			if v := env.getenv(o.env); v != "" {
				value = v
			}
			if given[o.name] {
				value = set.Lookup(o.name).Value.String()
			}
			c[o.name] = value
		}
		if pass == 0 && c["config"] != "" {
			var err error
			if file, err = readConfig(c["config"]); err != nil {
				return nil, nil, err
			}
		}
	}
	return c, rest, c.check()
}

func (c config) check() error {
	if c["data"] == "" {
		return errors.New("-data is empty: name a folder")
	}
	if s := c["public-url"]; s != "" {
		u, err := url.Parse(s)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return fmt.Errorf("-public-url %q: want scheme and host, like https://annuaire.example.org", s)
		}
		c["public-url"] = u.Scheme + "://" + strings.ToLower(u.Host)
	}
	return nil
}

// readConfig reads KEY=VALUE lines; # begins a comment line, and quotes around a value are dropped.
func readConfig(path string) (map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("-config: %w", err)
	}
	defer f.Close()
	known := map[string]bool{}
	for _, o := range options {
		known[o.env] = true
	}
	values := map[string]string{}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(lines.Text()), "export "))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !ok || !known[key] {
			return nil, fmt.Errorf("%s:%d: %q is no option", path, n, key)
		}
		if len(value) >= 2 && (value[0] == '"' || value[0] == '\'') && value[len(value)-1] == value[0] {
			value = value[1 : len(value)-1]
		}
		values[key] = value
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return values, nil
}

func (c config) logger(env *environment) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c["log"])); err != nil {
		return nil, fmt.Errorf("-log %q: want debug, info, warn or error", c["log"])
	}
	o := &slog.HandlerOptions{Level: level}
	switch c["log-format"] {
	case "text":
		return slog.New(slog.NewTextHandler(env.stderr, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(env.stderr, o)), nil
	}
	return nil, fmt.Errorf("-log-format %q: want text or json", c["log-format"])
}

// store opens the store that the options name.
func (c config) store(ctx context.Context) (directory.Store, error) {
	if uri := c["mongo"]; uri != "" {
		return mongostore.Open(ctx, uri)
	}
	return sqlitestore.Open(ctx, c["data"])
}

// words loads the taxonomy: the operator's file, or the built-in one.
func (c config) words() (*taxonomy.Taxonomy, error) {
	if path := c["taxonomy"]; path != "" {
		t, err := taxonomy.Load(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("-taxonomy: %w", err)
		}
		return t, err
	}
	return taxonomy.Default(), nil
}

// rules are what this instance asks of an entry.
func rules(t *taxonomy.Taxonomy) func() directory.Rules {
	r := directory.Rules{Category: t.Valid, Current: t.Current}
	return func() directory.Rules { return r }
}
