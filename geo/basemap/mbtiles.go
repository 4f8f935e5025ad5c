package basemap

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// mbTiles is an open MBTiles 1.3 file.
type mbTiles struct {
	db   *sql.DB
	stmt *sql.Stmt
	info Info
}

func openMBTiles(path string) (*mbTiles, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dsn := (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: "mode=ro&immutable=1"}).String()
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	m := &mbTiles{db: db}
	if err := m.load(); err != nil {
		db.Close()
		return nil, fmt.Errorf("not a valid MBTiles file: %w", err)
	}
	return m, nil
}

func (m *mbTiles) load() error {
	meta, err := m.metadata()
	if err != nil {
		return err
	}
	types := map[string]string{"pbf": TypeMVT, "mvt": TypeMVT, "png": TypePNG, "jpg": TypeJPEG, "jpeg": TypeJPEG, "webp": TypeWebP}
	contentType, ok := types[strings.ToLower(meta["format"])]
	if !ok {
		return fmt.Errorf("format %q in its metadata is not pbf, png, jpg or webp", meta["format"])
	}
	m.info = Info{ContentType: contentType, Bounds: worldBounds, Name: plainText(meta["name"])}
	if a := plainText(meta["attribution"]); a != "" {
		m.info.Attribution = []string{a}
	}
	if s := meta["bounds"]; s != "" {
		if m.info.Bounds, err = parseBounds(s); err != nil {
			return err
		}
	}
	var low, high sql.NullInt64
	if err := m.db.QueryRow(`SELECT min(zoom_level), max(zoom_level) FROM tiles`).Scan(&low, &high); err != nil {
		return err
	}
	if !low.Valid {
		return errors.New("it has no tiles")
	}
	if low.Int64 < 0 || high.Int64 > MaxZoom {
		return fmt.Errorf("zooms %d to %d", low.Int64, high.Int64)
	}
	m.info.MinZoom, m.info.MaxZoom = int(low.Int64), int(high.Int64)
	m.stmt, err = m.db.Prepare(`SELECT tile_data FROM tiles WHERE zoom_level = ? AND tile_column = ? AND tile_row = ?
		AND length(tile_data) <= ` + strconv.Itoa(maxTile))
	return err
}

func (m *mbTiles) metadata() (map[string]string, error) {
	rows, err := m.db.Query(`SELECT name, value FROM metadata
		WHERE name IN ('format', 'name', 'attribution', 'bounds') AND length(value) < 20000`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	meta := map[string]string{}
	for rows.Next() {
		var name string
		var value sql.NullString
		if err := rows.Scan(&name, &value); err != nil {
			return nil, err
		}
		meta[name] = value.String
	}
	return meta, rows.Err()
}

func parseBounds(s string) (b [4]float64, err error) {
	parts := strings.Split(s, ",")
	if len(parts) != 4 {
		return b, fmt.Errorf("bounds %q are not west,south,east,north", s)
	}
	for i, part := range parts {
		if b[i], err = strconv.ParseFloat(strings.TrimSpace(part), 64); err != nil {
			return b, fmt.Errorf("bounds %q are not west,south,east,north", s)
		}
	}
	if !validBounds(b) {
		return b, fmt.Errorf("bounds %q are not on the map", s)
	}
	return b, nil
}

func (m *mbTiles) Info() Info { return m.info }

func (m *mbTiles) Close() error { return errors.Join(m.stmt.Close(), m.db.Close()) }

func (m *mbTiles) Tile(z, x, y int) (Tile, error) {
	if !onMap(z, x, y) || z < m.info.MinZoom || z > m.info.MaxZoom {
		return Tile{}, ErrNoTile
	}
	var data []byte
	err := m.stmt.QueryRow(z, x, 1<<z-1-y).Scan(&data) // rows count from the south (TMS)
	if errors.Is(err, sql.ErrNoRows) {
		return Tile{}, ErrNoTile
	}
	if err != nil {
		return Tile{}, fmt.Errorf("mbtiles %d/%d/%d: %w", z, x, y, err)
	}
	return newTile(data, m.info.ContentType, encodingOf(data)), nil
}
