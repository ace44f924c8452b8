package source

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
)

// Publish implements SourceServer.
func (s *Server) Publish(ctx context.Context, r *PublishRequest) (*PublishResponse, error) {
	var answers [1]*PublishResponse
	s.backend.Publish(ctx, []*PublishRequest{r}, answers[:])
	if p := answers[0].GetProblem(); p != nil {
		return nil, statusOf(p)
	}
	return answers[0], nil
}

// PublishStream implements SourceServer. One goroutine receives, this one takes what has come
// as one batch and answers it; so while a batch is on its way to the log the next one gathers
// (group commit). A client that does not read its answers is not read from.
func (s *Server) PublishStream(stream grpc.BidiStreamingServer[PublishRequest, PublishResponse]) error {
	if err := s.enter(s.publishing, "publish streams"); err != nil {
		return err
	}
	defer func() { <-s.publishing }()
	in := newInbox[*PublishRequest]()
	gone := stream.Context().Done() // also when this function has returned
	s.receivers.Go(func() {
		for {
			r, err := stream.Recv()
			if err != nil {
				in.end(err)
				return
			}
			if !in.push(r, requestBytes(r), gone) {
				in.end(stream.Context().Err())
				return
			}
		}
	})
	var requests []*PublishRequest
	answers := make([]*PublishResponse, 0, 16)
	for {
		var err error
		requests, err = in.take(requests, s.closing.Done())
		switch {
		case err == nil:
		case errors.Is(err, io.EOF):
			return nil
		case err == errLeft:
			return statusOf(s.backend.Leaving())
		default:
			return err
		}
		answers = append(answers[:0], make([]*PublishResponse, len(requests))...)
		s.backend.Publish(stream.Context(), requests, answers)
		for _, a := range answers {
			if err := stream.Send(a); err != nil {
				return err
			}
			s.countAnswer(a)
		}
		clear(answers)
	}
}

func (s *Server) countAnswer(a *PublishResponse) {
	if p := a.GetProblem(); p != nil {
		s.count(codeOf(p))
		return
	}
	s.count(0)
}

// requestBytes is about what a request takes of memory.
func requestBytes(r *PublishRequest) int {
	n := messageBytes + len(r.GetData()) + len(r.GetEvent()) + len(r.GetKey()) + len(r.GetNamespace())
	for _, t := range r.GetTopics() {
		n += topicBytes + len(t)
	}
	return n
}

// What a message takes besides its texts, about.
const (
	messageBytes = 176
	topicBytes   = 24
)

// Subscribe implements SourceServer.
func (s *Server) Subscribe(r *SubscribeRequest, stream grpc.ServerStreamingServer[Event]) error {
	if err := s.enter(s.subscribing, "subscriptions"); err != nil {
		return err
	}
	defer func() { <-s.subscribing }()
	ctx, cancel := s.whileOpen(stream.Context())
	defer cancel()
	var failed error
	problem := s.backend.Subscribe(ctx, r, func(e *Event) error {
		failed = stream.Send(e)
		return failed
	})
	switch {
	case failed != nil:
		return failed
	case problem != nil:
		return statusOf(problem)
	case stream.Context().Err() != nil:
		return stream.Context().Err()
	}
	return statusOf(s.backend.Leaving())
}

// whileOpen is a stream's context that ends with the server too. cancel sees to it that
// nothing is left.
func (s *Server) whileOpen(stream context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(stream)
	stop := context.AfterFunc(s.closing, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}
