package directory

import (
	"context"
	"time"
)

// Op says what a change did.
type Op string

// Operations.
const (
	OpCreate Op = "create"
	OpUpdate Op = "update"
	OpRemove Op = "remove"
	OpRevert Op = "revert"
	OpMerge  Op = "merge"
	OpRedact Op = "redact"
	OpTwin   Op = "twin" // [Private.Twin] changed, and nothing else
	OpTeam   Op = "team" // who keeps the entry changed; of our own entries, nothing else changes Claimed but a merge that brings a team
)

// Change is one write: the whole entry as it stands after it.
type Change struct {
	Seq    Seq       `json:"seq"`
	ID     string    `json:"id"` // random; tells whose write stands after an ambiguous error
	Time   time.Time `json:"time"`
	Author string    `json:"author,omitempty"` // "account:ID", "import", "calendar", "island:HOST", "system"
	Op     Op        `json:"op"`
	Batch  string    `json:"batch,omitempty"` // the import it belongs to
	Note   string    `json:"note,omitempty"`  // why, in the author's words
	Entry  Entry     `json:"-"`               // Entry.Version == Seq; stored with [EncodeStored]

	Redacted bool `json:"redacted,omitempty"` // the content was erased: Entry holds only ID, Kind, Origin, Status and Version
}

// Store persists the log, its projection and the small things beside them. Two stores exist: sqlitestore and
// mongostore; package storetest holds them to every promise made here.
//
// Errors that come from a store that is away wrap [ErrUnavailable], a full disk [ErrFull], damage [ErrCorrupt].
// All methods may be called concurrently, from several processes that share the store.
type Store interface {
	// Head returns the Seq of the newest change, 0 for an empty log.
	Head(ctx context.Context) (Seq, error)

	// Append writes changes as after+1, after+2, ... (changes[i].Seq and changes[i].Entry.Version must say so) and
	// projects their entries. It reports how many of its changes stand, from the first on, and an error wrapping
	// ErrStale unless after was the head and nobody came between. A change counted as standing is durable: it
	// survives the death of the process. The log has no gaps at any moment. A batch may be cut short, so nothing
	// may depend on a batch being atomic.
	Append(ctx context.Context, after Seq, changes []Change) (stands int, err error)

	// Changes returns up to limit changes with Seq > after, ascending.
	Changes(ctx context.Context, after Seq, limit int) ([]Change, error)

	// History returns up to limit changes of one entry with Seq < before (0: from the newest), newest first.
	History(ctx context.Context, id ID, before Seq, limit int) ([]Change, error)

	// Batch returns up to limit changes of an import batch with Seq > after, ascending.
	Batch(ctx context.Context, batch string, after Seq, limit int) ([]Change, error)

	// Redact erases the content of every change of the entry with Seq <= upTo: of its Entry only ID, Kind, Origin, Status
	// and Version stay, Note is emptied, Redacted set. It is idempotent and leaves the projection alone.
	Redact(ctx context.Context, id ID, upTo Seq) (erased int, err error)

	// Entries returns the projection of the given ids (at most 500), in the order of ids, leaving out unknown ones.
	// Every entry is at least as new as the log was when the call began, also after a writer died between writing
	// the log and projecting.
	Entries(ctx context.Context, ids []ID) ([]Entry, error)

	// Scan calls fn with batches of projected entries by ascending ID, starting after the given one, until the end
	// or fn's error. Every entry is at least as new as the log was when Scan began.
	Scan(ctx context.Context, after ID, fn func([]Entry) error) error

	// Cursor returns a follower's durable position, 0 when it never saved one.
	Cursor(ctx context.Context, name string) (Seq, error)
	// SaveCursor makes a follower's position durable. It may go back, to run again.
	SaveCursor(ctx context.Context, name string, at Seq) error
	// MoveCursors makes the positions of several followers durable at once, each only from where it is said to stand. It
	// returns the names of those that stand elsewhere, and have not been moved: another process drives them.
	MoveCursors(ctx context.Context, moves []CursorMove) (stale []string, err error)

	// Setting returns a document that an operator edits while running (and its revision), nil and 0 when absent.
	Setting(ctx context.Context, key string) (value []byte, rev int64, err error)
	// PutSetting writes value (JSON) if the stored revision is rev (0: absent), else an error wrapping ErrStale.
	PutSetting(ctx context.Context, key string, value []byte, rev int64) error
	// Settings returns the keys of all settings, sorted.
	Settings(ctx context.Context) ([]string, error)

	// Records are small documents: accounts, sessions, mails that wait.
	Records

	// Ping reports whether the store answers.
	Ping(ctx context.Context) error
	// Close releases it; calls that follow fail with ErrUnavailable.
	Close() error
}

// CursorMove is a step of a follower. No name may occur twice in one call.
type CursorMove struct {
	Name string
	From Seq // 0 also when it has no position yet
	To   Seq
}

// View is an index in memory, kept up to date by the [Directory] before a write returns.
type View interface {
	// Apply takes the newest state of each entry: insert it, replace it, or drop it when it is no longer public.
	// Calls never overlap. Batches are large while the directory loads and small afterwards. entries and what they
	// hold must not be changed or kept, except immutable strings.
	Apply(entries []Entry)
}

// Follower has an effect outside the process, at its own pace: it consumes the log from a durable cursor.
type Follower interface {
	// Name keys the cursor.
	Name() string
	// Consume takes changes in order; they are shared with other followers and must not be changed. When it returns an
	// error the same changes come again, after a pause, but for those that [Progress] was told of; so every effect must
	// be idempotent.
	Consume(ctx context.Context, changes []Change) error
}

// Shared is a [Follower] whose effect is outside of any node: of several nodes that share a store one at a time drives it,
// from the cursor where the last one was. A Follower that is not Shared, or says no, is driven on every node: it has what
// belongs to the node alone, such as an index on its disk, and keeps its own position.
type Shared interface {
	Follower
	// Shared is asked once.
	Shared() bool
}
