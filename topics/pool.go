//go:build linux

package topics

import (
	"reflect"

	"throng/poller"
)

// linked is a table row with a field that is unused while the row is free; the free
// list goes through it.
type linked[T any] interface {
	*T
	link() *uint32
}

// pool is a table of T with numbers 1 to its limit. Freed rows are used again last in,
// first out, so the pages in use stay the ones already touched.
type pool[T any, P linked[T]] struct {
	slab *poller.Slab[T]
	rows []T
	free uint32 // first free row below top
	top  uint32 // rows 1..top have been used at some time
	live uint32 // rows in use
}

func newPool[T any, P linked[T]](max int) (pool[T, P], error) {
	slab, err := poller.NewSlab[T](max + 1) // row 0 is none
	if err != nil {
		return pool[T, P]{}, err
	}
	return pool[T, P]{slab: slab, rows: slab.Rows()}, nil
}

// room is how many more rows can be taken.
func (p *pool[T, P]) room() int { return len(p.rows) - 1 - int(p.live) }

// take gives a free row, with what its last user left in it. There must be room.
func (p *pool[T, P]) take() uint32 {
	p.live++
	id := p.free
	if id == 0 {
		p.top++
		return p.top
	}
	p.free = *P(&p.rows[id]).link()
	return id
}

func (p *pool[T, P]) give(id uint32) {
	p.live--
	*P(&p.rows[id]).link() = p.free
	p.free = id
}

// bytes is how much of the table has ever been written.
func (p *pool[T, P]) bytes() int {
	return rowBytes[T](p.top)
}

func (p *pool[T, P]) close() error {
	p.rows = nil
	return closeSlab(p.slab)
}

func rowBytes[T any](rows uint32) int { return int(rows) * int(reflect.TypeFor[T]().Size()) }

func closeSlab[T any](s *poller.Slab[T]) error {
	if s == nil {
		return nil
	}
	return s.Close()
}
