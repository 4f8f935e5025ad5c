package api

import (
	"context"
	"time"
)

// TendPicturesAfter is [Server.TendPictures] of a server that looks for the first time so long after its start.
func (s *Server) TendPicturesAfter(ctx context.Context, first time.Duration) {
	s.tendPictures(ctx, first)
}
