package obs

import "slices"

// The types of the text format.
const (
	typeCounter   = "counter"
	typeGauge     = "gauge"
	typeHistogram = "histogram"
	typeSummary   = "summary"
)

// A Family is all the series of one name.
type Family struct {
	Name  string
	Type  string // counter, gauge, histogram or summary
	Label string // the labels that tell its series apart, in words; "" when there is only one
	Help  string // one sentence, without a line break or a backslash
}

// Names of the server's own families, used once in families and once in Table.
const (
	nameConnections       = "throng_connections"
	nameConnectionsOpened = "throng_connections_opened_total"
	nameConnectionsClosed = "throng_connections_closed_total"
	nameShed              = "throng_shed_total"
	nameHTTPResponses     = "throng_http_responses_total"
	nameEventsPublished   = "throng_events_published_total"
	namePublishRefused    = "throng_publish_refused_total"
	nameAppendDuration    = "throng_append_duration_seconds"
	nameEventsDelivered   = "throng_events_delivered_total"
	nameBytesWritten      = "throng_bytes_written_total"
	nameDeliveryLag       = "throng_delivery_lag_seconds"
	nameBroadcastDuration = "throng_broadcast_duration_seconds"
	nameLoopTurn          = "throng_loop_turn_seconds"
	nameRingFill          = "throng_ring_fill_ratio"
	nameRingLag           = "throng_ring_lag_seconds"
	nameRingFull          = "throng_ring_full_total"
	nameSlowConsumers     = "throng_slow_consumers"
	namePinnedFrames      = "throng_pinned_frames"
	nameHeartbeats        = "throng_heartbeats_total"
	nameReplayEvents      = "throng_replay_events_total"
	nameReplayGaps        = "throng_replay_gaps_total"
	nameNamespaces        = "throng_namespaces"
	nameRetainedEvents    = "throng_retained_events"
	nameRetainedBytes     = "throng_retained_bytes"
	nameStoreUp           = "throng_store_up"
	nameStoreReads        = "throng_store_read_events_total"
	nameStorePages        = "throng_store_page_reads_total"
	nameScans             = "throng_scans_total"
	nameScansWaiting      = "throng_scan_streams"
	nameTails             = "throng_tail_namespaces"
	nameTailEvents        = "throng_tail_events_total"
	nameTailSkipped       = "throng_tail_skipped_total"
	nameTailRewrites      = "throng_tail_rewrites_total"
	nameSpooledEvents     = "throng_spooled_events"
	nameSpooledBytes      = "throng_spooled_bytes"
	nameSpoolTaken        = "throng_spool_taken_total"
	nameSpoolSent         = "throng_spool_sent_total"
	nameSpoolDropped      = "throng_spool_dropped_total"
	nameBreakerState      = "throng_breaker_state"
	nameTransitions       = "throng_breaker_transitions_total"
	namePressure          = "throng_pressure_ratio"
	nameHeard             = "throng_connections_heard_ratio"
	nameLimitStreams      = "throng_limit_streams"
	nameLimitPublishes    = "throng_limit_publishes"
	nameUpstreamEvents    = "throng_upstream_events_total"
	nameUpstreamRetries   = "throng_upstream_reconnects_total"
	nameUpstreamGaps      = "throng_upstream_gaps_total"
	nameGRPCResponses     = "throng_grpc_responses_total"
)

// families are the server's own, in the order in which documentation tells them.
var families = []Family{
	{nameConnections, typeGauge, "kind", "Open connections: streams (sse), long polls (poll), WebSockets (ws), and those in the request phase (request)."},
	{nameConnectionsOpened, typeCounter, "", "Connections accepted."},
	{nameConnectionsClosed, typeCounter, "reason", "Connections closed, by the server's reason."},
	{nameShed, typeCounter, "reason", "Connections and requests turned away to protect the others."},
	{nameHTTPResponses, typeCounter, "code", "Answers on the public port by status code; codes that are not expected count as other."},
	{nameEventsPublished, typeCounter, "ns", "Events stored in the log; one that was spooled counts when Redis has it; namespaces beyond the first ones count as other."},
	{namePublishRefused, typeCounter, "code", "Events refused, by the code of the problem; of a batch each line."},
	{nameAppendDuration, typeHistogram, "", "Time that one batch took to be stored in the log."},
	{nameEventsDelivered, typeCounter, "", "Events handed to sockets, once for each receiver."},
	{nameBytesWritten, typeCounter, "", "Bytes handed to the sockets of streams."},
	{nameDeliveryLag, typeHistogram, "", "Time from storing an event to handing it to a socket, once for each receiver."},
	{nameBroadcastDuration, typeHistogram, "", "Time that a loop took to hand one event to all of its receivers."},
	{nameLoopTurn, typeHistogram, "", "Time of one turn of a loop that had work; nothing else happens there meanwhile."},
	{nameRingFill, typeGauge, "loop", "Part of the broadcast ring that the loop has not read yet, 0 to 1."},
	{nameRingLag, typeGauge, "loop", "Age of the oldest event in the broadcast ring that the loop has not read yet."},
	{nameRingFull, typeCounter, "", "Times that a batch had to wait for room in the broadcast ring."},
	{nameSlowConsumers, typeGauge, "", "Streams that lag behind the newest event because their socket is full."},
	{namePinnedFrames, typeGauge, "", "Half-sent frames that are kept for full sockets."},
	{nameHeartbeats, typeCounter, "", "Heartbeats sent on silent streams."},
	{nameReplayEvents, typeCounter, "", "Events sent out of the log to streams that resumed or lagged."},
	{nameReplayGaps, typeCounter, "", "Gaps told to streams, because the log had lost what they missed."},
	{nameNamespaces, typeGauge, "", "Open namespaces."},
	{nameRetainedEvents, typeGauge, "", "Events held in the log."},
	{nameRetainedBytes, typeGauge, "", "Bytes of the events held in the log."},
	{nameStoreUp, typeGauge, "", "1 while the store takes events, 0 while it can't."},
	{nameStoreReads, typeCounter, "", "Events read out of the log for streams that resumed or lagged; many streams share one read."},
	{nameStorePages, typeCounter, "", "Pages read from disk or Redis for them."},
	{nameScans, typeCounter, "", "Scans of history begun, each for all streams that waited for it."},
	{nameScansWaiting, typeGauge, "", "Streams that are given history, or wait for it."},
	{nameTails, typeGauge, "", "Namespaces followed in Redis, because they have streams here."},
	{nameTailEvents, typeCounter, "", "Events that came from Redis."},
	{nameTailSkipped, typeCounter, "", "Entries in Redis that are no events, and were skipped."},
	{nameTailRewrites, typeCounter, "", "Times that Redis had lost what was delivered already, as after a failover; a gap was told to all."},
	{nameSpooledEvents, typeGauge, "", "Events that wait on this node's disk for Redis to come back."},
	{nameSpooledBytes, typeGauge, "", "Bytes of the events that wait on this node's disk."},
	{nameSpoolTaken, typeCounter, "", "Events that were put on this node's disk to wait for Redis."},
	{nameSpoolSent, typeCounter, "", "Events that waited and are in Redis now, those it had under their key already included."},
	{nameSpoolDropped, typeCounter, "", "Events that waited and were then refused by Redis for good."},
	{nameBreakerState, typeGauge, "layer", "How a layer of breakers stands, by its worst one: 0 closed or healthy, 1 half-open or degraded, 2 open or isolated."},
	{nameTransitions, typeCounter, "layer to", "Transitions of breakers, by the layer and by the state they went to."},
	{namePressure, typeGauge, "signal", "How much there is to do, against the target of that signal; above 1 fewer new streams and publishes are let in."},
	{nameHeard, typeGauge, "", "Share of new connections that the kernel lets in; the others, dropped under overload, try again by themselves."},
	{nameLimitStreams, typeGauge, "", "New streams a second that are let in, found out under load; 0: there is no limit."},
	{nameLimitPublishes, typeGauge, "", "Publishes a second that are let in, found out under load; 0: there is no limit."},
	{nameUpstreamEvents, typeCounter, "", "Events that came from gRPC upstreams."},
	{nameUpstreamRetries, typeCounter, "", "Times that a gRPC upstream was dialled again after its stream had ended."},
	{nameUpstreamGaps, typeCounter, "", "Times that a gRPC upstream could not give all that followed the last ID."},
	{nameGRPCResponses, typeCounter, "code", "Answers on the gRPC port by status code; one for each event of a PublishStream."},
}

// Families lists everything that WritePrometheus may write: the server's own families
// first, then those of the Go runtime and the process. The caller owns the slice.
func Families() []Family { return slices.Concat(families, processFamilies) }

// familyOf finds any family by its name.
var familyOf = func() map[string]*Family {
	m := make(map[string]*Family)
	for _, table := range [][]Family{families, processFamilies} {
		for i := range table {
			m[table[i].Name] = &table[i]
		}
	}
	return m
}()
