// The lineage page. The document holds everything: <script id="lineage" type="application/json">. No network.
import cytoscape from "cytoscape";

const data = JSON.parse(document.getElementById("lineage").textContent);
const box = document.getElementById("graph");
const details = document.getElementById("details");
const list = document.getElementById("versions");
const all = document.getElementById("all");
const field = document.getElementById("search");
const everything = [...data.nodes, ...data.runs];
const byId = new Map(everything.map((node) => [node.id, node]));
const before = new Map(everything.map((node) => [node.id, []]));
const after = new Map(everything.map((node) => [node.id, []]));
for (const [left, right] of data.edges) {
  after.get(left).push(right);
  before.get(right).push(left);
}
const isRun = (node) => node.made !== undefined;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const colours = {};
for (const name of ["ink", "edge", "run", "local", "chosen", "accent", "ground", "current", "current-line", "stale",
  "stale-line", "old", "old-line", "missing", "missing-line"]) colours[name] = colour(name);
const PLACES = {
  both: "here and at the remote", local: "only on this machine", here: "on this machine; not known to be pushed",
  remote: "only at the remote", missing: "missing: neither here nor known to be at the remote",
};
const STATES = {
  current: "up to date", stale: "stale", old: "an older version", unknown: "only known as an input",
};

function cut(text, length) {
  // The end of a path says more than its beginning.
  return text.length > length ? `…${text.slice(1 - length)}` : text;
}

function label(node) {
  if (isRun(node)) return cut(node.activity, 20);
  const last = node.state === "stale" ? "stale" : node.short.slice(0, 7);
  const facts = [node.shape || node.size || "", last];
  return `${cut(node.name, 26)}\n${facts.filter(Boolean).join(" · ")}`;
}

function look(node) {
  return node.where === "missing" ? "missing" : node.state === "unknown" ? "old" : node.state;
}

const graph = cytoscape({
  container: box,
  elements: [
    ...data.nodes.map((node) => ({
      data: { id: node.id, label: label(node), fill: colours[look(node)], line: colours[`${look(node)}-line`] },
      classes: `version ${node.where} ${node.asked ? "asked" : ""}`,
      position: { x: node.x, y: node.y },
    })),
    ...data.runs.map((run) => ({
      data: { id: run.id, label: label(run) }, classes: "run", position: { x: run.x, y: run.y },
    })),
    ...data.edges.map(([source, target], number) => ({ data: { id: `edge-${number}`, source, target } })),
  ],
  layout: { name: "preset" },
  style: [
    {
      selector: "node",
      style: {
        shape: "round-rectangle", label: "data(label)", "text-wrap": "wrap", "text-max-width": 1000,
        "text-valign": "center", color: colours.ink, "font-family": "system-ui, sans-serif",
        "min-zoomed-font-size": 4,
      },
    },
    {
      selector: ".version",
      style: {
        width: 200, height: 44, "font-size": 12.5, "line-height": 1.25, "background-color": "data(fill)",
        "border-width": 1.5, "border-color": "data(line)",
      },
    },
    {
      selector: ".run",
      style: {
        width: 104, height: 26, "font-size": 11, "background-color": colours.run, "border-width": 1,
        "border-color": colours.edge, "corner-radius": 13,
      },
    },
    { selector: ".remote", style: { "border-style": "dashed" } },
    { selector: ".local", style: { "border-width": 2.5, "border-color": colours.local } },
    { selector: ".asked", style: { "outline-width": 3, "outline-color": colours.accent, "outline-offset": 3 } },
    {
      selector: "edge",
      style: {
        width: 1.5, "line-color": colours.edge, "target-arrow-color": colours.edge, "target-arrow-shape": "triangle",
        "arrow-scale": 0.9, "curve-style": "straight",
      },
    },
    { selector: ".faded", style: { opacity: 0.14 } },
    { selector: "edge.near", style: { width: 2.5, "line-color": colours.chosen, "target-arrow-color": colours.chosen } },
    { selector: "node:selected", style: { "outline-width": 3, "outline-color": colours.chosen, "outline-offset": 3 } },
  ],
  minZoom: 0.02,
  maxZoom: 3,
  hideEdgesOnViewport: data.edges.length > 1500,
  textureOnViewport: everything.length > 500,
  autoungrabify: true,
  boxSelectionEnabled: false,
});

function begin() {
  graph.fit(undefined, 40);
  if (graph.zoom() > 1.1) graph.zoom({ level: 1.1, renderedPosition: { x: graph.width() / 2, y: graph.height() / 2 } });
  if (graph.zoom() < 0.35) {
    // Too many to read at once: begin where the question was, or where the first version is.
    const first = graph.nodes(".asked").nonempty() ? graph.nodes(".asked").first() : graph.nodes().first();
    graph.zoom(0.75);
    graph.center(first);
  }
}
begin();

function make(tag, text, name) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (name) made.className = name;
  return made;
}

function words(value) {
  if (Array.isArray(value)) return value.map(words).join(", ");
  if (value && typeof value === "object") {
    return Object.entries(value).map(([name, part]) => `${name}: ${words(part)}`).join("; ");
  }
  return typeof value === "number" ? value.toLocaleString("en") : String(value);
}

function rows(title, pairs) {
  const kept = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  if (!kept.length) return;
  if (title) details.append(make("h3", title));
  const table = make("table");
  for (const [name, value] of kept) {
    const line = table.insertRow();
    const head = make("th", name);
    head.scope = "row";
    line.append(head);
    const cell = line.insertCell();
    if (value instanceof Node) cell.append(value);
    else cell.textContent = words(value);
  }
  details.append(table);
}

function links(title, ids) {
  if (!ids.length) return;
  details.append(make("h3", title));
  for (const id of ids) {
    const node = byId.get(id);
    const button = make("button", isRun(node) ? node.activity : `${node.name} ${node.short}`, "link");
    button.type = "button";
    button.onclick = () => show(id, true);
    details.append(button);
  }
}

function through(ids, next) {
  // From a version over the runs beside it to the versions beyond.
  return [...new Set(ids.flatMap((id) => next.get(id)))];
}

function tellVersion(node) {
  const badges = make("p");
  badges.append(make("span", STATES[node.state], `badge ${node.state}`));
  badges.append(make("span", PLACES[node.where], `badge ${node.where}`));
  details.append(badges);
  if (node.message) details.append(make("p", node.message));
  for (const reason of node.stale) details.append(make("p", `Stale: ${reason}.`));
  rows("", [["shape", node.shape], ["size", node.size], ["committed", node.committed], ["commit", node.commit],
    ["version", make("code", node.digest)]]);
  links("Made by", before.get(node.id));
  links("Made from", through(before.get(node.id), before));
  links("Used for", through(after.get(node.id), after));
  rows("What is in it", Object.entries(node.summary || {}));
}

function tellRun(run) {
  if (run.command) details.append(make("pre", run.command));
  rows("", [["in folder", run.folder], ["script", run.script && make("code", run.script)]]);
  rows("Parameters", Object.entries(run.params));
  links("Read", run.used);
  links("Made", run.made);
  for (const record of run.records) {
    rows(record.at, [["took", record.took], ["by", record.by], ["on", record.host], ["code", record.code],
      ["with", record.environment]]);
  }
}

function show(id, move) {
  const node = byId.get(id);
  const was = details.hidden;
  const chosen = graph.getElementById(id);
  graph.batch(() => {
    graph.elements().unselect().removeClass("near");
    chosen.select();
    chosen.connectedEdges().addClass("near");
  });
  details.replaceChildren();
  details.scrollTop = 0;
  const close = make("button", "Close", "close");
  close.type = "button";
  close.onclick = hide;
  details.append(close, make("h2", isRun(node) ? `Run: ${node.activity}` : node.name));
  (isRun(node) ? tellRun : tellVersion)(node);
  details.hidden = false;
  if (was) graph.resize();
  if (move || was) {
    const level = move ? Math.max(graph.zoom(), 0.7) : graph.zoom();
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    graph.stop().animate({ center: { eles: chosen }, zoom: level }, { duration: still ? 0 : 200 });
  }
  for (const item of list.querySelectorAll("button")) item.setAttribute("aria-current", String(item.dataset.id === id));
}

function hide() {
  if (details.hidden) return;
  details.hidden = true;
  graph.elements().unselect().removeClass("near");
  graph.resize();
  box.focus();
}

function search(text) {
  const wanted = text.toLowerCase().split(/\s+/).filter(Boolean);
  const isHit = (node) => wanted.every((word) => node.text.includes(word));
  const hits = everything.filter(isHit);
  const names = new Set(hits.map((node) => node.id));
  graph.batch(() => {
    for (const node of everything) graph.getElementById(node.id).toggleClass("faded", !names.has(node.id));
    graph.edges().toggleClass("faded", wanted.length > 0);
  });
  for (const item of list.children) item.hidden = !names.has(item.firstChild.dataset.id);
  const runs = hits.filter(isRun).length;
  const found = hits.length - runs;
  const said = [`${found} version${found === 1 ? "" : "s"}`, ...(runs ? [`${runs} run${runs === 1 ? "" : "s"}`] : [])];
  document.getElementById("found").textContent = wanted.length ? `${said.join(", ")} found` : "";
  return hits;
}

function step(key) {
  const at = graph.$("node:selected").first();
  if (at.empty()) return (data.nodes.find((node) => node.asked) || everything[0]).id;
  const id = at.id();
  if (key === "ArrowLeft") return before.get(id)[0] || id;
  if (key === "ArrowRight") return after.get(id)[0] || id;
  const column = everything.filter((node) => node.x === byId.get(id).x).sort((a, b) => a.y - b.y);
  const place = column.findIndex((node) => node.id === id) + (key === "ArrowDown" ? 1 : -1);
  return (column[place] || byId.get(id)).id;
}

function zoom(factor) {
  graph.zoom({ level: graph.zoom() * factor, renderedPosition: { x: graph.width() / 2, y: graph.height() / 2 } });
}

for (const node of data.nodes) {
  const item = make("li");
  const button = make("button", node.name);
  button.type = "button";
  button.dataset.id = node.id;
  button.append(make("small", [node.short, node.shape || node.size, node.state === "current" ? "" : STATES[node.state]].filter(Boolean).join(" · ")));
  button.onclick = () => show(node.id, true);
  item.append(button);
  list.append(item);
}
const toggle = document.getElementById("toggle");
toggle.onclick = () => {
  all.hidden = !all.hidden;
  toggle.setAttribute("aria-expanded", String(!all.hidden));
  graph.resize();
};
all.addEventListener("click", (event) => {
  // On a phone the list lies over the graph.
  if (!all.hidden && event.target.closest("button") && matchMedia("(max-width: 50rem)").matches) toggle.click();
});
graph.on("tap", "node", (event) => show(event.target.id(), false));
graph.on("tap", (event) => event.target === graph && hide());
field.addEventListener("input", () => search(field.value));
field.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const hits = search(field.value);
  if (hits.length) show(hits[0].id, true);
});
document.getElementById("fit").onclick = () => graph.animate({ fit: { padding: 40 } }, { duration: 200 });
document.getElementById("nearer").onclick = () => zoom(1.4);
document.getElementById("farther").onclick = () => zoom(1 / 1.4);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hide();
  if (event.target === field || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "/") {
    field.focus();
    event.preventDefault();
  }
  if (document.activeElement !== box) return;
  if (event.key.startsWith("Arrow") && everything.length) {
    show(step(event.key), true);
    event.preventDefault();
  }
  if (event.key === "+" || event.key === "=") zoom(1.4);
  if (event.key === "-") zoom(1 / 1.4);
  if (event.key === "0") graph.fit(undefined, 40);
});
graph.one("render", () => requestAnimationFrame(() => performance.mark("lineage-drawn")));
