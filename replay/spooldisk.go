package replay

import (
	"encoding/binary"
	"errors"
	"io"

	"throng/replay/seglog"
)

// recount finds out what waits, from the disk.
func (s *Spool) recount() error {
	head, last := max(s.log.First(), s.lastMark()+1), s.log.Last()
	if head > last+1 {
		// A power cut spared the marks and not the events: the numbers come again.
		head = last + 1
		if err := errors.Join(s.marks.Append([][]byte{binary.AppendUvarint(nil, last)}), s.marks.Sync()); err != nil {
			return err
		}
	}
	s.sent.reset(head)
	return s.read(head, func(number uint64, b []byte) bool {
		ns, err := spooledNamespace(b)
		if err != nil {
			s.drop(number, err)
			return true
		}
		s.waiting[ns]++
		s.count++
		s.bytes += int64(len(b))
		return true
	})
}

// lastMark is the number up to which all was sent, as far as the disk knows.
func (s *Spool) lastMark() uint64 {
	last := s.marks.Last()
	if last < s.marks.First() {
		return 0
	}
	r, err := s.marks.Reader(last)
	if err != nil {
		return 0
	}
	defer r.Close()
	_, b, err := r.Next()
	if err != nil {
		return 0 // then some is sent again, under its key
	}
	n, _ := binary.Uvarint(b)
	return n
}

// read calls f for what is on disk from a number on. What can't be read is dropped.
func (s *Spool) read(from uint64, f func(number uint64, b []byte) bool) error {
	r, err := s.log.Reader(from)
	if err != nil {
		return err
	}
	defer func() { r.Close() }()
	for {
		number, b, err := r.Next()
		if c, ok := errors.AsType[*seglog.CorruptError](err); ok {
			for n := c.Number; n < c.Resume; n++ {
				s.drop(n, err)
			}
			r.Close()
			if r, err = s.log.Reader(c.Resume); err != nil {
				return err
			}
			continue
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if !f(number, b) {
			return nil
		}
	}
}

// drop gives up an event that can't ever be sent.
func (s *Spool) drop(number uint64, err error) {
	s.opts.Log.Error("a spooled event is dropped", "number", number, "error", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.sent.has(number) {
		s.sent.add(number)
		s.dropped++
	}
}

// mark puts on disk how far everything was sent, and gives back the room. It is called by
// the sender.
func (s *Spool) mark() {
	s.mu.Lock()
	head := s.sent.head
	s.mu.Unlock()
	if head == 0 || head-1 == s.lastMark() {
		return
	}
	err := s.marks.Append([][]byte{binary.AppendUvarint(nil, head-1)})
	if err == nil {
		err = s.marks.TruncateBefore(s.marks.Last())
	}
	if err == nil && head > s.log.Last() {
		err = s.log.Rotate() // all of it may go
	}
	if err == nil {
		err = s.log.TruncateBefore(head)
	}
	if err != nil {
		s.opts.Log.Error("spool", "error", err)
	}
}
