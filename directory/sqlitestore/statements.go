package sqlitestore

import (
	"context"
	"database/sql"
	"sync"
)

// statements keeps what is asked again and again compiled: reading SQL costs more than most answers.
type statements struct {
	db  *sql.DB
	mu  sync.RWMutex
	all map[string]*sql.Stmt // closed with db
}

// of returns a statement, compiled when it was asked for before.
func (p *statements) of(ctx context.Context, query string) (*sql.Stmt, error) {
	p.mu.RLock()
	st := p.all[query]
	p.mu.RUnlock()
	if st != nil {
		return st, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if st := p.all[query]; st != nil {
		return st, nil
	}
	st, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if p.all == nil {
		p.all = map[string]*sql.Stmt{}
	}
	p.all[query] = st
	return st, nil
}

func (p *statements) row(ctx context.Context, query string, args ...any) *sql.Row {
	st, err := p.of(ctx, query)
	if err != nil {
		return p.db.QueryRowContext(ctx, query, args...) // and so is its error
	}
	return st.QueryRowContext(ctx, args...)
}

func (p *statements) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := p.of(ctx, query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

// written are the statements of writes that are small and frequent. They are compiled when the file is opened: within a
// transaction there is no other connection on which they could be.
var written = []string{headSQL, logSQL, projectSQL, revisionSQL, putRecordSQL, deleteRecordSQL}

// in returns one of written for a transaction.
func (s *Store) in(ctx context.Context, tx *sql.Tx, query string) *sql.Stmt {
	s.writes.mu.RLock()
	defer s.writes.mu.RUnlock()
	return tx.StmtContext(ctx, s.writes.all[query])
}
