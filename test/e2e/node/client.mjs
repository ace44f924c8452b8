// Subscribes with the npm package eventsource and prints what happens, one JSON object a
// line: {"type":"open"}, {"type":"error","code":…}, or an event's type, id and data.
// Arguments: the URL, then the event names to listen to.
import { EventSource } from "eventsource";

const [url, ...names] = process.argv.slice(2);
const print = (line) => console.log(JSON.stringify(line));
const source = new EventSource(url);
source.onopen = () => print({ type: "open" });
source.onerror = (e) => print({ type: "error", code: e.code, closed: source.readyState === EventSource.CLOSED });
for (const name of ["message", ...names]) {
  source.addEventListener(name, (e) => print({ type: e.type, id: e.lastEventId, data: e.data }));
}
