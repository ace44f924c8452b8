//go:build linux

package poller

import (
	"fmt"
	"reflect"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Slab is a table of T outside the garbage collector's heap: address space for
// max elements is reserved at once, memory is taken by the kernel page by page when an
// element is first written, and nothing ever moves. T must hold no pointers.
//
// It is not safe for concurrent use; slices of Rows stay valid until Close.
type Slab[T any] struct {
	mem  []byte
	rows []T
}

// NewSlab reserves max elements, all zero.
func NewSlab[T any](max int) (*Slab[T], error) {
	t := reflect.TypeFor[T]()
	if hasPointers(t) {
		panic("poller: a slab's element must hold no pointers: " + t.String())
	}
	if max <= 0 {
		return nil, fmt.Errorf("poller: slab of %d elements of %s; at least 1 is needed", max, t)
	}
	bytes := max * int(t.Size())
	mem, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE,
		unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("poller: reserving %d bytes of address space for %d elements of %s: %w", bytes, max, t, err)
	}
	return &Slab[T]{mem: mem, rows: unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(mem))), max)}, nil
}

// Rows is the whole table.
func (s *Slab[T]) Rows() []T { return s.rows }

// Close gives the address space back. No slice of Rows may be used afterwards.
func (s *Slab[T]) Close() error {
	mem := s.mem
	s.mem, s.rows = nil, nil
	if mem == nil {
		return nil
	}
	return unix.Munmap(mem)
}

func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return false
	case reflect.Array:
		return hasPointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	default:
		return true
	}
}
