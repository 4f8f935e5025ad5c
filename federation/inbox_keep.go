package federation

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"archipel/directory"
	"archipel/federation/signature"
	"archipel/federation/vocab"
)

const (
	kindInbox = "ap-inbox" // received and not yet done: lists of what came at the same time, in the order in which they came

	// Of what came together at most so much is kept as one record. One activity alone may be larger.
	maxTogether      = 512
	maxTogetherBytes = 256 << 10
	keepWithin       = 15 * time.Second

	// gathering is how long a write waits for more, when several came while the store was busy.
	gathering = 3 * time.Millisecond
)

// received is an activity whose signature was checked.
type received struct {
	ID    string          `json:"id"`
	Actor string          `json:"actor"`
	At    time.Time       `json:"at"`
	Tries int             `json:"tries,omitzero"`
	Next  time.Time       `json:"next,omitzero"`
	Seen  seenID          `json:"seen,omitzero"` // 0: what [seenFrom] says
	Body  json.RawMessage `json:"body"`
}

// together is what comes in while the store is busy with what came before: one write for all of it.
type together struct {
	items []received
	size  int
	done  chan struct{} // closed when err is final
	err   error
}

// value is the record of all items. Their bodies were parsed before and are taken as they are.
func (b *together) value() []byte {
	out := append(make([]byte, 0, b.size+2), '[')
	for i := range b.items {
		if i > 0 {
			out = append(out, ',')
		}
		out = b.items[i].append(out)
	}
	return append(out, ']')
}

// append writes what [json.Marshal] would write of an activity that just came.
func (r *received) append(out []byte) []byte {
	out = appendText(append(out, `{"id":`...), r.ID)
	out = appendText(append(out, `,"actor":`...), r.Actor)
	out = append(r.At.AppendFormat(append(out, `,"at":"`...), time.RFC3339Nano), '"')
	if r.Seen != 0 {
		out = strconv.AppendUint(append(out, `,"seen":`...), uint64(r.Seen), 10)
	}
	return append(append(append(out, `,"body":`...), r.Body...), '}')
}

// appendText writes a text as JSON. Most need no escape.
func appendText(out []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(text) // a text can always be written
			return append(out, quoted...)
		}
	}
	return append(append(append(out, '"'), text...), '"')
}

// intake makes what came in durable. However many come at once, the store is asked for one write at a time.
type intake struct {
	writing sync.Mutex

	mu   sync.Mutex
	next *together // still open for more; nil when nothing waits
	last int64     // time of the newest record

	came atomic.Int32 // activities since calm looked last
}

// What is done with what came waits a little while much comes in: who sends it waits only until it is kept, and what is kept
// is not lost.
const (
	much    = 50 // activities in a moment
	aMoment = 50 * time.Millisecond
	moments = 10 // that are waited for at most
)

// calm waits until not much comes in, or for some moments.
func (q *intake) calm(ctx context.Context) {
	for n := 0; n < moments && q.came.Swap(0) >= much; n++ {
		select {
		case <-ctx.Done():
			return
		case <-time.After(aMoment):
		}
	}
}

// add makes an activity durable, with others that came at the same time: the first of them writes for all. It does not end
// before that is decided, also when the one who asked is gone, since others wait for the same write.
func (q *intake) add(ctx context.Context, store directory.Store, now func() time.Time, it received) error {
	size := len(it.Body) + len(it.ID) + len(it.Actor) + 200
	q.came.Add(1)
	q.mu.Lock()
	b := q.next
	if b != nil && len(b.items) < maxTogether && b.size+size <= maxTogetherBytes {
		b.items, b.size = append(b.items, it), b.size+size
		q.mu.Unlock()
		<-b.done
		return b.err
	}
	b = &together{items: append(make([]received, 0, 16), it), size: size, done: make(chan struct{})}
	q.next = b // whoever leads the one before it closes it by itself
	q.mu.Unlock()

	q.writing.Lock()
	defer q.writing.Unlock()
	q.mu.Lock()
	if many := len(b.items); many > 1 && many < maxTogether {
		q.mu.Unlock()
		time.Sleep(gathering)
		q.mu.Lock()
	}
	if q.next == b {
		q.next = nil
	}
	q.last = max(now().UnixNano(), q.last+1) // also while the clock is set back
	key := fmt.Sprintf("%020d-%.16s", q.last, hashKey(b.items[0].ID))
	q.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepWithin)
	defer cancel()
	b.err = store.PutRecord(ctx, kindInbox, directory.Record{Key: key, Value: b.value()})
	close(b.done)
	return b.err
}

// The activities that came are remembered: in the store when they are done, and here when they came.
const (
	kindSeen  = "ap-seen"
	seenKept  = 30 * 24 * time.Hour
	seenChunk = 1000    // ids in one record, unless more come at once
	maxSeen   = 400_000 // ids in each of two halves of the memory; some 20 MB when both are full
)

// seenID is an activity: nobody can use up an id of somebody else.
type seenID uint64

// seenOf tells what came before from what did not. Mobilizon says Create, Update and Delete of an object under one id, and so
// does Gancio: of what comes without a proof, which can only come signed by its own server, the same is what has the same
// bytes. What has a proof can be brought by anybody in other bytes: of that the same is what has the same id.
func seenOf(a *vocab.Activity, doc map[string]any, m *signature.Message) seenID {
	if signature.ProofMethod(doc) != "" {
		return seenFrom(a.Actor, a.ID)
	}
	return seenFrom(a.Actor, a.ID, "\n", string(m.Sum()))
}

// seenFrom is the activity that an actor and texts tell from others.
func seenFrom(actor string, texts ...string) seenID {
	b := append(append(make([]byte, 0, 300), actor...), '\n')
	for _, text := range texts {
		b = append(b, text...)
	}
	sum := sha256.Sum256(b)
	return seenID(binary.BigEndian.Uint64(sum[:]))
}

// seen is the activity as it was when it came.
func (r *received) seen() seenID {
	if r.Seen != 0 {
		return r.Seen
	}
	return seenFrom(r.Actor, r.ID) // put on the list by ourselves, or by an older version
}

// seenSet remembers what was seen last. When it is full the older half is forgotten.
type seenSet struct {
	mu         sync.Mutex
	young, old map[seenID]struct{}
}

func newSeenSet() *seenSet { return &seenSet{young: map[seenID]struct{}{}} }

func (s *seenSet) has(id seenID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, young := s.young[id]
	_, old := s.old[id]
	return young || old
}

func (s *seenSet) add(id seenID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.young) >= maxSeen {
		s.young, s.old = map[seenID]struct{}{}, s.young
	}
	s.young[id] = struct{}{}
}

// seenLog is what was done, as the store has it: records of some hundred ids each, that are forgotten after a month.
type seenLog struct {
	*seenSet
	store directory.Store
	chunk []byte // the ids of the newest record, 8 bytes each
	key   string // of the newest record; "" before the first one
	rev   int64
}

// openSeen reads what was done in the last month, as far as it is remembered. The records are in the order of their time.
func openSeen(ctx context.Context, store directory.Store) (*seenLog, error) {
	l := &seenLog{seenSet: newSeenSet(), store: store}
	err := eachRecord(ctx, store, kindSeen, func(r directory.Record) error {
		var chunk []byte
		if json.Unmarshal(r.Value, &chunk) != nil {
			return nil // written by an older version
		}
		for i := 0; i+8 <= len(chunk); i += 8 {
			l.add(seenID(binary.BigEndian.Uint64(chunk[i:])))
		}
		l.chunk, l.key, l.rev = chunk, r.Key, r.Rev
		return nil
	})
	return l, err
}

// done notes what was done.
func (l *seenLog) done(ctx context.Context, ids []seenID, now time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	if l.key == "" || len(l.chunk)+8*len(ids) > 8*seenChunk {
		l.key, l.rev, l.chunk = fmt.Sprintf("%020d-%016x", now.UnixNano(), uint64(ids[0])), 0, nil
	}
	chunk := l.chunk[:len(l.chunk):len(l.chunk)]
	for _, id := range ids {
		chunk = binary.BigEndian.AppendUint64(chunk, uint64(id))
	}
	if err := put(ctx, l.store, kindSeen, l.key, chunk, l.rev, now.Add(seenKept)); err != nil {
		l.key = "" // whatever stands there, the next try makes a record of its own
		return err
	}
	l.chunk, l.rev = chunk, l.rev+1
	for _, id := range ids {
		l.add(id)
	}
	return nil
}
