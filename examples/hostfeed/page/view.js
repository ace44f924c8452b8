// What is on the page for each host: rows of CPUs and interfaces, the load, how old it is.

const sparkPoints = 60; // a minute of readings
const staleMs = 5000; // a host that says nothing for so long is shown as quiet

const clone = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

// inOrder keeps rows sorted as people count: cpu 2 before cpu 10.
const collator = new Intl.Collator("en", { numeric: true });

// Spark is a line of the latest values. Its height is top, or the largest value in sight.
class Spark {
  constructor(svg, top) {
    this.path = svg.querySelector("path");
    this.top = top;
    this.values = [];
  }

  add(value) {
    this.values.push(value);
    if (this.values.length > sparkPoints) this.values.shift();
    const top = this.top || Math.max(...this.values, 1);
    const x0 = sparkPoints - this.values.length;
    const points = this.values.map((v, i) => `${x0 + i + 0.5},${(19 - 18 * Math.min(v / top, 1)).toFixed(1)}`);
    this.path.setAttribute("d", "M" + points.join("L"));
  }
}

export class Host {
  constructor(name) {
    this.element = clone("host");
    this.element.dataset.host = name;
    this.element.querySelector(".name").textContent = name;
    this.rows = new Map(); // topic → { element, sparks }
    this.seenMs = 0;
  }

  // show takes a reading; kind and part are the last levels of its topic.
  show(topic, kind, part, data) {
    if (kind === "cpu") this.showCPU(this.row(topic, kind, "cpu " + part, 1), data);
    else if (kind === "net") this.showLink(this.row(topic, kind, part, 0), data);
    else if (kind === "load") this.showLoad(data);
    this.seenMs = Math.max(this.seenMs, data.unixMs);
    this.age(Date.now());
  }

  row(topic, kind, label, top) {
    let row = this.rows.get(topic);
    if (row) return row;
    const element = clone(kind);
    element.dataset.topic = topic;
    element.querySelector(".label").textContent = label;
    element.querySelector("[role=meter]")?.setAttribute("aria-label", label);
    row = { element, sparks: [...element.querySelectorAll(".spark")].map((svg) => new Spark(svg, top)) };
    this.rows.set(topic, row);
    const box = this.element.querySelector("." + kind);
    const after = [...box.querySelectorAll(".row")].find((r) => collator.compare(r.dataset.topic, topic) > 0);
    box.insertBefore(element, after ?? null);
    return row;
  }

  showCPU({ element, sparks }, d) {
    const percent = (100 * d.busy).toFixed(0);
    element.querySelector(".value").textContent = percent + " %";
    const bar = element.querySelector(".bar");
    bar.setAttribute("aria-valuenow", percent);
    bar.querySelector(".user").style.width = 100 * d.user + "%";
    bar.querySelector(".system").style.width = 100 * d.system + "%";
    sparks[0].add(d.busy);
  }

  showLink({ element, sparks }, d) {
    ["received", "sent"].forEach((way, i) => {
      element.querySelector(`[data-field=${way}]`).textContent = bytesPerSecond(d[way]);
      sparks[i].add(d[way]);
    });
  }

  showLoad(d) {
    for (const field of this.element.querySelectorAll(".load [data-field]")) {
      const value = d[field.dataset.field];
      field.textContent = field.dataset.field.startsWith("load") ? value.toFixed(2) : value;
    }
  }

  // age says how long the host has been quiet.
  age(nowMs) {
    const quietMs = nowMs - this.seenMs;
    this.element.classList.toggle("stale", quietMs > staleMs);
    this.element.querySelector(".age").textContent = quietMs > staleMs ? `quiet for ${Math.round(quietMs / 1000)} s` : "";
  }
}

// bytesPerSecond writes a rate with three digits or so: 0 B/s, 1.25 kB/s, 68.4 MB/s.
export function bytesPerSecond(rate) {
  const units = ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"];
  let i = 0;
  while (rate >= 999.5 && i < units.length - 1) {
    rate /= 1000;
    i++;
  }
  return `${i === 0 ? Math.round(rate) : rate.toPrecision(3)} ${units[i]}`;
}
