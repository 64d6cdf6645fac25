// The lineage page. The document holds everything: <script id="lineage" type="application/json">. No network.
import cytoscape from "cytoscape";

const data = JSON.parse(document.getElementById("lineage").textContent);
const byId = new Map(data.nodes.map((node) => [node.id, node]));
const details = document.getElementById("details");
const list = document.getElementById("versions");
const dark = matchMedia("(prefers-color-scheme: dark)").matches;
const ink = dark ? "#e5e7eb" : "#111827";
const fills = dark
  ? { current: "#14532d", stale: "#713f12", old: "#1f2937", unknown: "#111827", missing: "#7f1d1d" }
  : { current: "#dcfce7", stale: "#fef08a", old: "#f3f4f6", unknown: "#ffffff", missing: "#fecaca" };

const graph = cytoscape({
  container: document.getElementById("graph"),
  elements: [
    ...data.nodes.map((node) => ({
      data: { id: node.id, label: `${node.name}\n${node.short}`, colour: fills[node.missing ? "missing" : node.state] },
      classes: `${node.where} ${node.asked ? "asked" : ""}`,
      position: { x: node.x, y: node.y },
    })),
    ...data.links.map((link, number) => ({
      data: { id: `link${number}`, source: link.source, target: link.target, label: link.activity || "" },
    })),
  ],
  layout: { name: "preset" },
  style: [
    {
      selector: "node",
      style: {
        shape: "round-rectangle", width: 170, height: 44, label: "data(label)", "text-wrap": "wrap",
        "text-max-width": 160, "text-valign": "center", "font-size": 12, color: ink,
        "background-color": "data(colour)", "border-width": 1, "border-color": dark ? "#9ca3af" : "#6b7280",
        "min-zoomed-font-size": 6,
      },
    },
    { selector: "node.remote", style: { "border-style": "dashed" } },
    { selector: "node.local", style: { "border-width": 2, "border-color": "#d97706" } },
    { selector: "node.asked", style: { "border-width": 4, "border-color": "#2563eb" } },
    {
      selector: "edge",
      style: {
        width: 1.5, "line-color": "#9ca3af", "target-arrow-color": "#9ca3af", "target-arrow-shape": "triangle",
        "curve-style": "bezier", label: "data(label)", "font-size": 10, color: ink, "min-zoomed-font-size": 8,
        "text-background-color": dark ? "#030712" : "#ffffff", "text-background-opacity": 0.8,
      },
    },
    { selector: ".faded", style: { opacity: 0.15 } },
    { selector: "node:selected", style: { "border-width": 4, "border-color": "#db2777" } },
  ],
  minZoom: 0.02,
  maxZoom: 3,
  wheelSensitivity: 0.3,
  hideEdgesOnViewport: data.links.length > 1500,
  textureOnViewport: data.nodes.length > 500,
  autoungrabify: true,
});
graph.fit(undefined, 30);
if (graph.zoom() > 1.2) graph.zoom({ level: 1.2, renderedPosition: { x: graph.width() / 2, y: graph.height() / 2 } });
if (graph.zoom() < 0.25) {
  // Too many to read at once: begin where the question was.
  graph.zoom(0.6);
  graph.center(graph.nodes(".asked").first());
}

function row(table, name, value) {
  if (value === null || value === undefined || value === "") return;
  const line = table.insertRow();
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = name;
  line.append(head);
  const cell = line.insertCell();
  if (value instanceof Node) cell.append(value);
  else cell.textContent = typeof value === "object" ? JSON.stringify(value) : String(value);
}

function links(ids) {
  const box = document.createElement("span");
  for (const id of ids) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "link";
    button.textContent = `${byId.get(id).name} ${byId.get(id).short}`;
    button.onclick = () => show(id, true);
    box.append(button, " ");
  }
  return ids.length ? box : null;
}

function show(id, move) {
  const node = byId.get(id);
  graph.elements().unselect();
  const chosen = graph.getElementById(id);
  chosen.select();
  if (move) graph.animate({ center: { eles: chosen }, zoom: Math.max(graph.zoom(), 0.7) }, { duration: 200 });
  details.replaceChildren();
  const close = document.createElement("button");
  close.type = "button";
  close.className = "close";
  close.textContent = "Close";
  close.onclick = hide;
  const title = document.createElement("h2");
  title.textContent = node.name;
  const table = document.createElement("table");
  row(table, "version", node.digest);
  row(table, "state", node.stale || node.state);
  row(table, "where", node.where);
  row(table, "size", node.size);
  row(table, "message", node.message);
  row(table, "committed", node.committed);
  row(table, "commit", node.commit);
  for (const [name, value] of Object.entries(node.summary || {})) row(table, name, value);
  const into = data.links.filter((link) => link.target === id);
  for (const made of into.slice(0, 1)) {
    row(table, "made by", made.activity);
    row(table, "command", made.command);
    row(table, "script", made.script);
    for (const [name, value] of Object.entries(made.params || {})) row(table, name, value);
  }
  for (const run of node.runs) row(table, "run", run);
  row(table, "made from", links([...new Set(into.map((link) => link.source))]));
  row(table, "used by", links([...new Set(data.links.filter((l) => l.source === id).map((l) => l.target))]));
  details.append(close, title, table);
  details.hidden = false;
  for (const item of list.querySelectorAll("button")) item.setAttribute("aria-current", String(item.dataset.id === id));
}

function hide() {
  details.hidden = true;
  graph.elements().unselect();
  document.getElementById("graph").focus();
}

function search(text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const hit = (node) => words.every((word) => node.text.includes(word));
  const hits = data.nodes.filter(hit);
  graph.batch(() => {
    for (const node of data.nodes) graph.getElementById(node.id).toggleClass("faded", words.length > 0 && !hit(node));
    graph.edges().toggleClass("faded", words.length > 0);
  });
  for (const item of list.children) item.hidden = !hit(byId.get(item.firstChild.dataset.id));
  document.getElementById("found").textContent = words.length ? `${hits.length} found` : "";
  return hits;
}

function step(key) {
  const id = graph.$("node:selected").first().id() || graph.nodes(".asked").first().id();
  const near = { ArrowLeft: ["target", "source"], ArrowRight: ["source", "target"] }[key];
  if (near) {
    const link = data.links.find((other) => other[near[0]] === id);
    return link ? link[near[1]] : id;
  }
  const column = data.nodes.filter((node) => node.x === byId.get(id).x).sort((a, b) => a.y - b.y);
  const at = column.findIndex((node) => node.id === id) + (key === "ArrowDown" ? 1 : -1);
  return (column[at] || byId.get(id)).id;
}

graph.on("tap", "node", (event) => show(event.target.id(), false));
graph.on("tap", (event) => event.target === graph && hide());
const field = document.getElementById("search");
field.addEventListener("input", () => search(field.value));
field.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const hits = search(field.value);
  if (hits.length) show(hits[0].id, true);
});
for (const node of data.nodes) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.id = node.id;
  button.textContent = `${node.name} ${node.short}${node.state === "stale" ? ", stale" : ""}`;
  button.onclick = () => show(node.id, true);
  item.append(button);
  list.append(item);
}
document.getElementById("fit").onclick = () => graph.animate({ fit: { padding: 30 } }, { duration: 200 });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hide();
  if (event.target === field) return;
  if (event.key === "/") {
    field.focus();
    event.preventDefault();
  }
  if (event.key.startsWith("Arrow") && document.activeElement.id === "graph") {
    show(step(event.key), true);
    event.preventDefault();
  }
});
graph.one("render", () => requestAnimationFrame(() => performance.mark("lineage-drawn")));
