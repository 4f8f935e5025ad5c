package federation

import (
	"context"
	"strings"

	"archipel/federation/fetch"
	"archipel/federation/vocab"
)

// Relay is the name of the instance actor, for rooms that speak in its name: [Service.FetchAs], [Service.PostAs].
const Relay = "relay"

// Object gets an object or an actor from where its id says, asked for by the instance actor. Its id is address, or where
// address leads on the same server; whoever names it has no say in what it is.
func (s *Service) Object(ctx context.Context, address string) (map[string]any, error) {
	return s.fetchDocument(ctx, address, fetch.MaxBody)
}

// ActorOf finds the address of an actor by its handle, "name@server". It may lead to another server: some have their
// accounts under a shorter name.
func (s *Service) ActorOf(ctx context.Context, handle string) (string, error) {
	address, err := s.finger(ctx, handle, relSelf)
	if err == nil && vocab.Host(address) == "" {
		err = errStranger
	}
	return address, err
}

// HandleOf reads "@name@server" as people type it and returns both parts in small letters, the server as domains are
// compared. The error is [ErrHandle].
func HandleOf(typed string) (name, host string, err error) {
	name, host, err = parseHandle(typed)
	return strings.ToLower(name), host, err
}

// Gone reports whether an error says that something is not there any more.
func Gone(err error) bool { return gone(err) }

// PlainText is the words of a stranger's HTML on one line.
func PlainText(foreign string) string { return plain(foreign) }
