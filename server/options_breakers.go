package server

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// setBreakerDefaults sets what bends under overload (docs/overload.md).
func setBreakerDefaults(o *Options) {
	o.Breakers = "on"

	o.CPUTarget = 100
	o.DelayTarget = 20 * time.Millisecond
	o.SilenceMax = 90
	o.MemoryTarget = 85
	o.StreamsRateMin = 50
	o.PublishRateMin = 100

	o.ConnectionFailures = 60
	o.ConnectionWindow = 10 * time.Second
	o.ConnectionMin = 20
	o.ConnectionOpen = 30 * time.Second
	o.ConnectionProbes = 5

	o.GatewayFailures = 5
	o.GatewayOpen = 30 * time.Second
	o.GatewayProbes = 3

	o.QueueLag = 200 * time.Millisecond
	o.QueueFill = 90
	o.QueueFillFor = 3 * time.Second
	o.QueueRefusals = 5
	o.QueueOpen = time.Second
	o.QueueProbes = 10
	o.QueuePolicy = "block"
	o.QueueWait = 250 * time.Millisecond

	o.ProbeInterval = 5 * time.Second
	o.ProbeTimeout = 800 * time.Millisecond
	o.ProbeFailures = 3
	o.RedisSlow = 200 * time.Millisecond
	o.UpstreamSlow = 500 * time.Millisecond
	o.Ramp = 10 * time.Second
}

// queuePolicies are the values of --queue-policy.
var queuePolicies = []string{"block", "shed", "shed-oldest", "conflate", "refuse"}

// breakerSettings has one row for each of the options that concern it.
var breakerSettings = []Setting{
	row("Breakers", "breakers", "Overload", "off: no breaker opens, and nothing is limited by the load", oneOf("on", "off")),
	row("CPUTarget", "cpu-target", "Overload", "percent of the processors it may use; above it fewer new streams and publishes are let in; 100: all, as long as nothing waits; 0: not looked at", count(0, 100)),
	row("DelayTarget", "delay-target", "Overload", "how long a request may wait for its turn, or a loop or the scheduler be late, before fewer are let in; a publish that has waited for longer is refused by lot, a stream from four times that on; 0: not looked at", span(0, time.Minute)),
	row("SilenceMax", "silence-max", "Overload", "percent of new connections that may be left to try again, without an answer, while answering them is what it is busy with; 0: each is answered", count(0, 99)),
	row("MemoryBytesMax", "memory-bytes-max", "Overload", "memory that this process may have; 0: what its cgroup or the host has", count(0, sizeMax)),
	row("MemoryTarget", "memory-target", "Overload", "percent of it that may be in use, before fewer are let in; 0: not looked at", count(0, 100)),
	row("StreamsRateMin", "streams-rate-min", "Overload", "new streams a second that are let in however high the load is, as long as there is memory", count(1, mebi)),
	row("PublishRateMin", "publish-rate-min", "Overload", "publishes a second that are let in however high the load is", count(1, mebi)),
	row("AddressConnectionsMax", "address-connections-max", "Overload", "connections of one client address; 0: any number. Behind a proxy all clients have one address", count(0, countMax)),
	row("NamespaceStreamsMax", "namespace-streams-max", "Overload", "streams of one namespace; 0: any number", count(0, countMax)),

	row("ConnectionFailures", "connection-failures", "Breakers", "percent of establishments that fail, which open the connection layer", count(1, 100)),
	row("ConnectionWindow", "connection-window", "Breakers", "the time within which they are counted", span(time.Second, time.Hour)),
	row("ConnectionMin", "connection-min", "Breakers", "establishments within it before the percentage counts", count(1, mebi)),
	row("ConnectionOpen", "connection-open", "Breakers", "how long the connection layer is open, before some are tried", span(time.Millisecond, time.Hour)),
	row("ConnectionProbes", "connection-probes", "Breakers", "establishments that are tried then; all must be good", count(1, 1024)),
	row("GatewayFailures", "gateway-failures", "Breakers", "streams of a namespace, of different addresses, whose writes failed with no success between, which open the gateway layer for it", count(1, 1024)),
	row("GatewayOpen", "gateway-open", "Breakers", "how long the gateway layer is open, before some streams are let in", span(time.Millisecond, time.Hour)),
	row("GatewayProbes", "gateway-probes", "Breakers", "streams that are let in then; all must be good", count(1, 1024)),
	row("QueueLag", "queue-lag", "Breakers", "how far behind a loop may be; more opens the queue layer", span(time.Millisecond, time.Hour)),
	row("QueueFill", "queue-fill", "Breakers", "percent that may be unread of what a loop may leave unread, half of --ring-events", count(1, 100)),
	row("QueueFillFor", "queue-fill-for", "Breakers", "for how long it may be more, before the queue layer opens", span(time.Millisecond, time.Hour)),
	row("QueueRefusals", "queue-refusals", "Breakers", "publishes refused in a row, which open the queue layer", count(1, mebi)),
	row("QueueOpen", "queue-open", "Breakers", "how long the queue layer is open, before some publishes are tried", span(time.Millisecond, time.Hour)),
	row("QueueProbes", "queue-probes", "Breakers", "publishes that are tried then; all must be good", count(1, mebi)),
	row("QueuePolicy", "queue-policy", "Breakers", "publishes for which the queue has no room wait, are shed by priority, replaced by newer ones of their topic, or refused", oneOf(queuePolicies...)),
	row("QueuePolicies", "queue-policies", "Breakers", "the same for single namespaces", namespacePolicies()),
	row("QueueWait", "queue-wait", "Breakers", "how long a publish may wait while the queue layer is not closed, or its namespace is held back, at most publish-timeout; publish-timeout otherwise", span(time.Millisecond, time.Hour)),
	row("ProbeInterval", "probe-interval", "Breakers", "between two probes of a data source; a fifth of it after one that failed", span(100*time.Millisecond, time.Hour)),
	row("ProbeTimeout", "probe-timeout", "Breakers", "for the answer to a probe", span(time.Millisecond, time.Minute)),
	row("ProbeFailures", "probe-failures", "Breakers", "failed probes in a row that degrade a data source; as many more isolate it", count(1, 1024)),
	row("RedisSlow", "redis-slow", "Breakers", "answers of Redis to a probe that take longer count as weak", span(time.Millisecond, time.Minute)),
	row("UpstreamSlow", "upstream-slow", "Breakers", "answers of an upstream to a probe that take longer count as weak", span(time.Millisecond, time.Minute)),
	row("Ramp", "ramp", "Breakers", "the time over which a data source that was isolated gets its work again", span(time.Millisecond, time.Hour)),

	row("GRPC", "grpc", "gRPC", "address of the gRPC port for backends (throng.v1.Source); empty: none", address(true)),
	row("Upstreams", "upstreams", "gRPC", "gRPC sources whose events are published here", upstreams()),
}

// namespacePolicies takes NAMESPACE=POLICY.
func namespacePolicies() rule {
	return rule{"NAMESPACE=POLICY, each namespace once, with " + strings.Join(queuePolicies, ", "), func(v any) bool {
		list, is := v.([]string)
		seen := map[string]bool{}
		return is && !slices.ContainsFunc(list, func(s string) bool {
			name, policy, _ := strings.Cut(s, "=")
			twice := seen[name]
			seen[name] = true
			checked, refused := checkNamespace(name)
			return twice || refused != nil || checked != name || !slices.Contains(queuePolicies, policy)
		})
	}}
}

// upstreams takes the URLs of gRPC sources.
func upstreams() rule {
	return rule{"grpc://HOST:PORT/NAMESPACE, or grpcs:// with TLS", func(v any) bool {
		list, is := v.([]string)
		return is && !slices.ContainsFunc(list, func(s string) bool {
			_, _, _, err := parseUpstream(s)
			return err != nil
		})
	}}
}

// parseUpstream takes an upstream's URL apart.
func parseUpstream(s string) (address, namespace string, secure bool, err error) {
	scheme, rest, _ := strings.Cut(s, "://")
	address, namespace, _ = strings.Cut(rest, "/")
	if scheme != "grpc" && scheme != "grpcs" || address == "" || !addressOK(address) {
		return "", "", false, fmt.Errorf("%q is not grpc://HOST:PORT/NAMESPACE", s)
	}
	namespace, refused := checkNamespace(namespace)
	if refused != nil {
		return "", "", false, fmt.Errorf("%q: %s", s, refused.detail)
	}
	return address, namespace, scheme == "grpcs", nil
}
