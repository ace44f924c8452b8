package server

import (
	"encoding/json"
	"time"

	"throng/httpparse"
)

// problem is one row of the error table: what a refused client is told (RFC 9457).
type problem struct {
	code   string
	status int
	title  string
	retry  time.Duration // Retry-After, 0: none; each answer adds jitter
}

// The table. docs/errors.md is printed from it, with the parser's own codes behind.
var (
	badRequest       = problem{"bad_request", 400, "The request makes no sense", 0}
	badTopic         = problem{"bad_topic", 400, "A topic is not well-formed", 0}
	missingTopic     = problem{"missing_topic", 400, "No topic was given", 0}
	tooManyTopics    = problem{"too_many_topics", 400, "Too many topics", 0}
	badNamespace     = problem{"bad_namespace", 400, "The namespace is not well-formed", 0}
	badEventName     = problem{"bad_event_name", 400, "The event name is not well-formed", 0}
	badData          = problem{"bad_data", 400, "The data is not text", 0}
	badSince         = problem{"bad_since", 400, "The position to start from is not an ID", 0}
	badFormat        = problem{"bad_format", 400, "The stream format is unknown", 0}
	badKey           = problem{"bad_idempotency_key", 400, "The idempotency key is not well-formed", 0}
	badLine          = problem{"bad_line", 400, "A line of the batch is not an event", 0}
	originForbidden  = problem{"origin_forbidden", 403, "This origin may not publish", 0}
	notFound         = problem{"not_found", 404, "There is nothing here", 0}
	methodNotAllowed = problem{"method_not_allowed", 405, "The method is not allowed here", 0}
	requestTimeout   = problem{"request_timeout", 408, "The request did not arrive in time", 0}
	lengthRequired   = problem{"length_required", 411, "The body's length is unknown", 0}
	bodyTooLarge     = problem{"body_too_large", 413, "The body is too large", 0}
	badMediaType     = problem{"unsupported_media_type", 415, "The body's coding is not taken here", 0}
	conflated        = problem{"conflated", 409, "A newer event took its place", 0}
	keyReused        = problem{"idempotency_key_reused", 422, "The key was used for another event", 0}
	manyNamespaces   = problem{"too_many_namespaces", 429, "No more namespaces can be opened", 10 * time.Second}
	queueFull        = problem{"queue_full", 429, "The queue has no room", time.Second}
	addressLimit     = problem{"address_limit", 429, "The client's address holds as many connections as it may", 5 * time.Second}
	namespaceLimit   = problem{"namespace_limit", 429, "The namespace holds as many streams as it may", 5 * time.Second}
	storeFailed      = problem{"store_failed", 503, "The log did not take the event", time.Second}
	storeFull        = problem{"store_full", 503, "The log has no room", 5 * time.Second}
	storeUnavailable = problem{"store_unavailable", 503, "The log can't be reached", time.Second}
	storeSilent      = problem{"store_unanswered", 503, "The log did not answer", time.Second}
	overloaded       = problem{"overloaded", 503, "The node has more to do than it can", time.Second}
	shedEvent        = problem{"shed", 503, "The event was shed", time.Second}
	breakerOpen      = problem{"breaker_open", 503, "A breaker is open", 5 * time.Second}
	draining         = problem{"draining", 503, "The node is about to stop", time.Second}
	connectionLimit  = problem{"connection_limit", 503, "The node holds as many connections as it may", 5 * time.Second}
)

// problems lists the table in the order of the documentation.
var problems = []*problem{
	&badRequest, &badTopic, &missingTopic, &tooManyTopics, &badNamespace, &badEventName, &badData, &badSince,
	&badFormat, &badKey, &badLine, &originForbidden, &notFound, &methodNotAllowed, &requestTimeout, &lengthRequired,
	&bodyTooLarge, &badMediaType, &conflated, &keyReused, &manyNamespaces, &queueFull, &addressLimit, &namespaceLimit,
	&storeFailed, &storeFull, &storeUnavailable, &storeSilent, &overloaded, &shedEvent, &breakerOpen, &draining, &connectionLimit,
}

// refusal is a problem with what was wrong this time.
type refusal struct {
	*problem
	detail string
	allow  string // Allow, with 405
}

func (p *problem) because(detail string) *refusal { return &refusal{problem: p, detail: detail} }

// parserRefusal puts what the parser says into the table's shape.
func parserRefusal(e *httpparse.Error) *refusal {
	return &refusal{problem: &problem{code: e.Code, status: e.Status, title: statusText(e.Status)}, detail: e.Error()}
}

// document is the refusal as application/problem+json. Where there is no header field to say it
// in, it has the seconds until one may try again; 0: it has none.
func (r *refusal) document(retryAfter uint64) []byte {
	b, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
		Detail string `json:"detail,omitempty"`
		Retry  uint64 `json:"retry_after,omitempty"`
	}{"about:blank", r.title, r.status, r.code, r.detail, retryAfter})
	if err != nil {
		panic("server: a problem document is always JSON: " + err.Error())
	}
	return append(b, '\n')
}

// retryAfter is the field's value in seconds: the table's plus up to half of it again
// or 2 s, so that refused clients do not come back together.
func (r *refusal) retryAfter(random uint32) uint64 {
	base := uint64(r.retry / time.Second)
	return base + below(base/2+2, random)
}

// below is the random number as one of 0 … n-1. The number's high bits lead, so that numbers
// that are spread over all of their range are spread over these.
func below(n uint64, random uint32) uint64 { return uint64(random) * n >> 32 }

// retrySeconds is when an event that was refused may be tried again; 0: it may not.
func (s *Server) retrySeconds(r *refusal) uint64 {
	switch {
	case r == publishRate:
		return retryAfterShare(s.publishes.RefusedShare(), s.random())
	case r.retry > 0:
		return r.retryAfter(s.random())
	}
	return 0
}

var statusTexts = map[int]string{
	200: "OK", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
	405: "Method Not Allowed", 408: "Request Timeout", 409: "Conflict", 411: "Length Required", 413: "Content Too Large",
	414: "URI Too Long", 415: "Unsupported Media Type", 417: "Expectation Failed", 422: "Unprocessable Content",
	429: "Too Many Requests", 431: "Request Header Fields Too Large", 500: "Internal Server Error",
	501: "Not Implemented", 503: "Service Unavailable", 505: "HTTP Version Not Supported",
}

func statusText(status int) string {
	if text, ok := statusTexts[status]; ok {
		return text
	}
	return "Error"
}
