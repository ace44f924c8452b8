package source

import (
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// Domain is that of the ErrorInfo in the details of a status.
const Domain = "throng"

// codeCount is how many status codes gRPC has.
const codeCount = int(codes.Unauthenticated) + 1

// Codes are the names of gRPC's status codes, by their number.
func Codes() []string {
	names := make([]string, codeCount)
	for i := range names {
		names[i] = codes.Code(i).String()
	}
	return names
}

// codeOf is the status code of a problem, after google.rpc.Code: who repeats an event that
// had an InvalidArgument or a FailedPrecondition gets it again; DeadlineExceeded leaves open
// whether it was stored.
func codeOf(p *Problem) codes.Code {
	switch {
	case p.GetCode() == "store_unanswered":
		return codes.DeadlineExceeded
	case p.GetStatus() == 401:
		return codes.Unauthenticated
	case p.GetStatus() == 403:
		return codes.PermissionDenied
	case p.GetStatus() == 404:
		return codes.NotFound
	case p.GetStatus() == 409:
		return codes.Aborted
	case p.GetStatus() == 422:
		return codes.FailedPrecondition
	case p.GetStatus() == 429:
		return codes.ResourceExhausted
	case p.GetStatus() == 503:
		return codes.Unavailable
	case p.GetStatus() >= 400 && p.GetStatus() < 500:
		return codes.InvalidArgument
	}
	return codes.Internal
}

// statusOf is a problem as the status of a call: with an ErrorInfo, and a RetryInfo where it
// is worth trying again.
func statusOf(p *Problem) error {
	text := p.GetTitle()
	if p.GetDetail() != "" {
		text += ": " + p.GetDetail()
	}
	st := status.New(codeOf(p), text)
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{Reason: p.GetCode(), Domain: Domain,
		Metadata: map[string]string{"status": strconv.Itoa(int(p.GetStatus()))}}}
	if s := p.GetRetryAfterSeconds(); s > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Duration(s) * time.Second)})
	}
	if with, err := st.WithDetails(details...); err == nil {
		st = with
	}
	return st.Err()
}
