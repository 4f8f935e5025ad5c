package fetch

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
)

// MaxUnpacked is how large a compressed answer may become, in bytes. Packed it is at most [MaxBody] long.
const MaxUnpacked = 4 << 20

// GetPacked is Get for long documents of servers that we have reason to trust with more work: the answer may be compressed
// with gzip.
func (c *Client) GetPacked(ctx context.Context, address string, types []MediaType, sign Sign) (*Answer, error) {
	return c.Get(ctx, address, types, func(r *http.Request, body []byte) error {
		r.Header.Set("Accept-Encoding", "gzip")
		if sign == nil {
			return nil
		}
		return sign(r, body)
	})
}

// unpack reads a compressed body within the limits.
func unpack(packed []byte, where string) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", where, ErrType, err)
	}
	plain, err := io.ReadAll(io.LimitReader(z, MaxUnpacked+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", where, ErrType, err)
	}
	if len(plain) > MaxUnpacked {
		return nil, fmt.Errorf("%s: more than %d bytes when unpacked: %w", where, MaxUnpacked, ErrTooLarge)
	}
	return plain, nil
}

func asksPacked(r *http.Request) bool { return r.Header.Get("Accept-Encoding") == "gzip" }
