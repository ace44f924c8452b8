package source

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Each status of the table of problems has its code: whether to try again is told by it.
func TestProblem_HasItsCode(t *testing.T) {
	for _, c := range []struct {
		status int32
		code   string
		want   codes.Code
	}{
		{400, "bad_topic", codes.InvalidArgument}, {413, "body_too_large", codes.InvalidArgument},
		{401, "x", codes.Unauthenticated}, {403, "origin_forbidden", codes.PermissionDenied}, {404, "not_found", codes.NotFound},
		{409, "conflated", codes.Aborted}, {422, "idempotency_key_reused", codes.FailedPrecondition},
		{429, "queue_full", codes.ResourceExhausted}, {503, "overloaded", codes.Unavailable},
		{503, "store_unanswered", codes.DeadlineExceeded}, {500, "x", codes.Internal}, {0, "", codes.Internal},
	} {
		err := statusOf(&Problem{Code: c.code, Status: c.status, Title: "T", Detail: "d", RetryAfterSeconds: 2})
		st := status.Convert(err)
		if st.Code() != c.want || st.Message() != "T: d" || len(st.Details()) != 2 {
			t.Errorf("%d %s: %v with %d details", c.status, c.code, err, len(st.Details()))
		}
	}
	if n := len(status.Convert(statusOf(&Problem{Status: 400, Title: "T"})).Details()); n != 1 {
		t.Errorf("%d details without a retry", n)
	}
}

func TestCodes_AreAllOfThem(t *testing.T) {
	names := Codes()
	if len(names) != 17 || names[0] != "OK" || names[16] != "Unauthenticated" {
		t.Errorf("%q", names)
	}
}
