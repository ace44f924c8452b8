// A subscription that stays: EventSource comes back by itself when a connection breaks, and
// sends the last event ID along. It gives up for good when the answer is anything but a
// stream (WHATWG HTML, section 9.2.3), as that of a proxy or of a server that is about to
// stop; then a new one takes its place, with the last ID as a parameter.

const waitMinMs = 1000;
const waitMaxMs = 30000;

// subscribe opens the stream and calls on.state("connected" | "reconnecting"),
// on.event(topic, data, id), and on.gap(requested, id) when the server could not give back
// all that followed the ID requested.
export function subscribe(base, topics, on) {
  const query = topics.map((t) => "topic=" + encodeURIComponent(t)).join("&");
  // format=json: data is an envelope that names the event's topics.
  const address = `${base}/events?${query}&format=json`;
  let lastID = "";
  let waitMs = waitMinMs;

  const open = () => {
    const source = new EventSource(lastID ? `${address}&lastEventId=${encodeURIComponent(lastID)}` : address);
    source.onopen = () => {
      waitMs = waitMinMs;
      on.state("connected");
    };
    source.onmessage = (e) => {
      lastID = e.lastEventId;
      const envelope = JSON.parse(e.data);
      on.event(envelope.topics[0], JSON.parse(envelope.data), lastID);
    };
    source.addEventListener("throng.gap", (e) => {
      lastID = e.lastEventId;
      on.gap(JSON.parse(JSON.parse(e.data).data).requested, lastID);
    });
    source.onerror = () => {
      on.state("reconnecting");
      if (source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      setTimeout(open, waitMs * (0.5 + Math.random() / 2));
      waitMs = Math.min(2 * waitMs, waitMaxMs);
    };
  };
  open();
}
