import { subscribe } from "./stream.js";
import { Host } from "./view.js";

const topics = ["host/+/cpu/#", "host/+/load", "host/+/net/#"];
const rateSeconds = 5; // events per second are the mean over so long
const notesMax = 5;

const base = (new URLSearchParams(location.search).get("url") ?? "http://127.0.0.1:8080").replace(/\/+$/, "");
const byID = (id) => document.getElementById(id);
const hosts = new Map(); // name → Host
const counts = [0]; // events in each of the latest seconds, newest first
let connectedOnce = false;

function onState(state) {
  if (document.body.dataset.state === "connected" && state === "reconnecting") note("connection lost");
  document.body.dataset.state = state;
  byID("state").textContent = state;
  connectedOnce ||= state === "connected";
  byID("hint").hidden = connectedOnce || state === "connecting";
  byID("hint").textContent = `No stream at ${base}. Is throng running there, with --cors-origins ${location.origin}?`;
}

function onEvent(topic, data, id) {
  const [, name, kind, ...rest] = topic.split("/");
  if (!hosts.has(name)) {
    const host = new Host(name);
    hosts.set(name, host);
    const sorted = [...hosts.keys()].sort();
    byID("hosts").insertBefore(host.element, hosts.get(sorted[sorted.indexOf(name) + 1])?.element ?? null);
  }
  hosts.get(name).show(topic, kind, rest.join("/"), data);
  counts[0]++;
  byID("last").textContent = id;
}

function onGap(requested, id) {
  note(`gap: not all that followed ${requested} is kept`, "gap");
  byID("last").textContent = id;
}

function note(text, kind = "") {
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date().toLocaleTimeString();
  line.className = kind;
  line.append(time, " ", text);
  byID("notes").prepend(line);
  while (byID("notes").children.length > notesMax) byID("notes").lastElementChild.remove();
}

setInterval(() => {
  const rate = counts.reduce((sum, n) => sum + n, 0) / counts.length;
  byID("rate").textContent = rate.toFixed(1);
  counts.unshift(0);
  counts.length = Math.min(counts.length, rateSeconds);
  for (const host of hosts.values()) host.age(Date.now());
}, 1000);

subscribe(base, topics, { state: onState, event: onEvent, gap: onGap });
