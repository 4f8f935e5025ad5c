package geo

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"archipel/directory/hours"
)

// hoursKey is what entries that share opening hours have in common.
type hoursKey struct {
	text     string
	holidays hours.Holidays
}

// hourly numbers the opening hours of entries from 1; 0 stands for those without any that are understood. Like names it only
// grows.
type hourly struct {
	list []*hours.Hours
	ids  map[hoursKey]uint32 // the writer's
	last *atomic.Pointer[openSet]
}

func newHourly() hourly {
	return hourly{list: []*hours.Hours{nil}, ids: map[hoursKey]uint32{}, last: &atomic.Pointer[openSet]{}}
}

func (n *hourly) id(it *Item) uint32 {
	if it.Hours == "" {
		return 0
	}
	key := hoursKey{it.Hours, it.Holidays}
	i, ok := n.ids[key]
	if !ok {
		if h, err := hours.Parse(it.Hours); err == nil {
			i = uint32(len(n.list))
			n.list = append(n.list, h.With(it.Holidays))
		}
		key.text = strings.Clone(key.text) // it may be part of something large
		n.ids[key] = i
	}
	return i
}

// openSet says which hours are open at a moment.
type openSet struct {
	at   time.Time
	zone string
	open bitset
	n    int // of the first n hours
}

// at returns the hours that are open at t. Each is asked once a minute, however many entries share it and whoever asks.
func (n *hourly) at(t time.Time) bitset {
	zone := t.Location().String()
	last := n.last.Load()
	if last != nil && last.at.Equal(t) && last.zone == zone && last.n >= len(n.list) {
		return last.open
	}
	set := &openSet{t, zone, newBitset(len(n.list)), len(n.list)}
	for i, h := range n.list {
		if i == 0 {
			continue
		}
		if state, _ := h.At(t); state == hours.Open {
			set.open.set(uint32(i))
		}
	}
	n.last.Store(set)
	return set.open
}

// sumHolidays tells holidays apart in the sum of a row.
func sumHolidays(h hours.Holidays) uint64 {
	if h == nil {
		return 0
	}
	return sumString(1, fmt.Sprintf("%T %v", h, h))
}
