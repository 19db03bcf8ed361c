// The page: one live stream, redrawn whole with each event. Everything shown is set as text, never
// as markup, since routes, paths and tags come from strangers.

const byId = (id) => document.getElementById(id);
const WINDOWS = ["1m", "5m", "15m", "1h", "all"];
const COLUMNS = [
  ["Route", "route", ""], ["Method", "method", ""], ["Requests", "requests", "number"],
  ["Rate", "rate_per_s", "number"], ["Errors", "errors", "number"], ["p50", "p50_ms", "number"],
  ["p95", "p95_ms", "number"], ["p99", "p99_ms", "number"], ["CPU", "cpu_share", "number"],
  ["In flight", "in_flight", "number"],
];
// Only where there is any: most applications have neither.
const RARE_COLUMNS = [
  ["Background p95", "background_p95_ms", "number", "background"],
  ["Held the loop", "blocked", "number", "blocked"],
];

const view = { window: "5m", chosen: null, sort: "requests", ascending: false, last: null };
let stream = null;

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms >= 1000) return `${(ms / 1000).toPrecision(3)} s`;
  if (ms >= 1) return `${Number(ms.toPrecision(3))} ms`;
  return `${Math.round(ms * 1000)} µs`;
}

const count = (n) => n.toLocaleString("en-US");
const percent = (share) => (share === 0 ? "0" : `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`);
const rate = (n) => (n >= 100 ? Math.round(n).toLocaleString("en-US") : n.toPrecision(2));
const routeText = (route) => route ?? "(no route)";
const isChosen = (row) => view.chosen !== null && view.chosen.method === row.method
  && view.chosen.route === row.route;

function activate(node, act) {
  node.tabIndex = 0;
  node.addEventListener("click", act);
  node.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); act(); }
  });
}

function drawWindows() {
  byId("windows").replaceChildren(...WINDOWS.map((name) => {
    const button = element("button", name);
    button.setAttribute("aria-pressed", String(name === view.window));
    button.addEventListener("click", () => { view.window = name; drawWindows(); connect(); });
    return button;
  }));
}

function drawTiles(state) {
  byId("service").textContent = state.service || "wf-instrument";
  byId("rate").textContent = rate(state.rate_per_s);
  byId("errors").textContent = percent(state.error_share);
  byId("errors").classList.toggle("bad", state.error_share >= 0.05);
  const newest = [...state.timeline].reverse().find((point) => point[4] !== null);
  byId("p95").textContent = duration(newest ? newest[4] : null);
  byId("inflight").textContent = count(state.in_flight);
  byId("empty").hidden = state.requests > 0 || state.websockets.length > 0;
}

function drawRoutes(state) {
  const rare = RARE_COLUMNS.filter((column) => state.routes.some((row) => row[column[3]]));
  const head = [...COLUMNS, ...rare].map(([label, key, className]) => {
    const cell = element("th", label, className);
    cell.scope = "col";
    if (key === view.sort) cell.setAttribute("aria-sort", view.ascending ? "ascending" : "descending");
    activate(cell, () => {
      view.ascending = key === view.sort ? !view.ascending : false;
      view.sort = key;
      draw(view.last);
    });
    return cell;
  });
  byId("routes").tHead.rows[0].replaceChildren(...head);
  const sign = view.ascending ? 1 : -1;
  const order = (a, b) => {
    const [x, y] = [a[view.sort] ?? "", b[view.sort] ?? ""];
    return sign * (typeof x === "number" ? x - y : String(x).localeCompare(String(y)));
  };
  byId("routes").tBodies[0].replaceChildren(...[...state.routes].sort(order)
    .map((row) => routeRow(row, rare)));
  byId("unselect").hidden = view.chosen === null;
}

function rareCell(row, key) {
  if (!row[key]) return element("td", "–", "number");
  const isLoop = key === "blocked";
  const cell = element("td", isLoop ? count(row.blocked) : duration(row.background_p95_ms), "number");
  cell.title = isLoop ? `longest ${duration(row.blocked_max_ms)}` : `${count(row.background)} requests`;
  return cell;
}

function routeRow(row, rare) {
  const line = element("tr", undefined, isChosen(row) ? "chosen" : "");
  const share = row.requests ? row.errors / row.requests : 0;
  const route = element("td", routeText(row.route), "route");
  route.title = `${routeText(row.route)}${row.func ? ` → ${row.func}` : ""}`;
  const cpu = element("td", percent(row.cpu_share), "number");
  const bar = element("span", undefined, "bar");
  const fill = element("i");
  fill.style.width = `${Math.round(row.cpu_share * 100)}%`;
  bar.append(fill);
  cpu.append(bar);
  const errors = element("td", row.errors ? `${count(row.errors)} (${percent(share)})` : "0",
    row.errors ? "number bad" : "number");
  errors.title = row.statuses.map(([status, n]) => `${status}: ${count(n)}`).join("\n");
  line.append(route, element("td", row.method), element("td", count(row.requests), "number"),
    element("td", `${rate(row.rate_per_s)}/s`, "number"), errors,
    ...[row.p50_ms, row.p95_ms, row.p99_ms].map((ms) => element("td", duration(ms), "number")),
    cpu, element("td", count(row.in_flight), "number"),
    ...rare.map((column) => rareCell(row, column[3])));
  activate(line, () => {
    view.chosen = isChosen(row) ? null : { route: row.route, method: row.method };
    connect();
  });
  return line;
}

function drawWebSockets(state) {
  byId("websockets-section").hidden = state.websockets.length === 0;
  byId("websockets").tBodies[0].replaceChildren(...state.websockets.map((row) => {
    const line = element("tr");
    const route = element("td", routeText(row.route), "route");
    route.title = `${routeText(row.route)}${row.func ? ` → ${row.func}` : ""}`;
    const errors = element("td", count(row.errors), row.errors ? "number bad" : "number");
    errors.title = row.statuses.map(([status, n]) => `${status}: ${count(n)}`).join("\n");
    line.append(route, element("td", count(row.in_flight), "number"),
      element("td", count(row.connections), "number"), errors,
      ...[row.received, row.sent].map((n) => element("td", count(n), "number")),
      ...[row.p50_ms, row.p95_ms].map((ms) => element("td", duration(ms), "number")));
    return line;
  }));
}

function drawSlowest(state) {
  byId("slowest").tBodies[0].replaceChildren(...state.slowest.map((row) => {
    const line = element("tr");
    line.append(element("td", `${row.method ?? ""} ${row.route ?? row.name}`.trim(), "route"),
      element("td", row.status ?? "–", row.is_error ? "number bad" : "number"),
      element("td", duration(row.duration_ms), "number"),
      element("td", new Date(row.start_s * 1000).toLocaleTimeString(), "number"));
    activate(line, () => showTrace(row.trace_id));
    return line;
  }));
  byId("unmatched").tBodies[0].replaceChildren(...state.unmatched.map(([path, n]) => {
    const line = element("tr");
    line.append(element("td", path, "route"), element("td", count(n), "number"));
    return line;
  }));
}

function drawCharts(state) {
  if (!window.Plotly) return;
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const times = state.timeline.map((point) => new Date(point[0] * 1000));
  const layout = {
    margin: { l: 48, r: 12, t: 8, b: 32 }, paper_bgcolor: "transparent", plot_bgcolor: "transparent",
    font: { color: color("soft"), size: 12 }, legend: { orientation: "h", y: 1.18, x: 1, xanchor: "right" },
    xaxis: { gridcolor: color("line"), type: "date" }, hovermode: "x unified",
    yaxis: { gridcolor: color("line"), rangemode: "tozero", zeroline: false, title: { text: "ms" } },
  };
  const options = { displayModeBar: false, responsive: true };
  const line = (index, name, hue) => ({
    x: times, y: state.timeline.map((point) => point[index]), name, mode: "lines+markers",
    line: { color: hue, width: 2 }, marker: { size: 4 }, hovertemplate: "%{y:.3g} ms",
  });
  window.Plotly.react(byId("latency"), [
    line(3, "p50", color("green")), line(4, "p95", color("blue")), line(5, "p99", color("amber")),
  ], layout, options);
  const bars = (values, name, hue) => ({ x: times, y: values, name, type: "bar", marker: { color: hue } });
  window.Plotly.react(byId("traffic"), [
    bars(state.timeline.map((point) => point[1] - point[2]), "fine", color("blue")),
    bars(state.timeline.map((point) => point[2]), "errors", color("red")),
  ], { ...layout, barmode: "stack", bargap: 0.15,
    yaxis: { ...layout.yaxis, title: { text: `per ${state.bucket_s} s` } } }, options);
  const scope = view.chosen ? `of ${view.chosen.method} ${routeText(view.chosen.route)}` : "of all routes";
  for (const node of document.querySelectorAll(".scope")) node.textContent = scope;
}

function draw(state) {
  if (!state) return;
  view.last = state;
  drawTiles(state);
  drawRoutes(state);
  drawWebSockets(state);
  drawSlowest(state);
  drawCharts(state);
}

async function showTrace(traceId) {
  const answer = await fetch(`/api/trace/${traceId}`);
  const found = await answer.json();
  const spans = found.spans ?? [];
  const start = Math.min(...spans.map((span) => span.start_s));
  const end = Math.max(...spans.map((span) => span.start_s + span.duration_ms / 1000));
  const length = Math.max(end - start, 1e-6);
  byId("trace-title").textContent = `Trace ${traceId}`;
  byId("trace-body").replaceChildren(...spans.map((span) => {
    const block = element("div", undefined, span.is_error ? "span failed" : "span");
    const track = element("div", undefined, "track");
    const bar = element("i");
    bar.style.left = `${((span.start_s - start) / length) * 100}%`;
    bar.style.width = `${(span.duration_ms / 1000 / length) * 100}%`;
    track.append(bar);
    const list = element("dl");
    for (const [key, value] of span.tags) list.append(element("dt", key), element("dd", value));
    for (const [, fields] of span.logs) {
      for (const [key, value] of fields) list.append(element("dt", `log ${key}`), element("dd", value));
    }
    block.append(element("strong", `${span.name}  ${duration(span.duration_ms)}`), track, list);
    return block;
  }));
  byId("trace").showModal();
}

function connect() {
  if (stream) stream.close();
  const query = new URLSearchParams({ window: view.window });
  if (view.chosen) {
    query.set("method", view.chosen.method);
    if (view.chosen.route !== null) query.set("route", view.chosen.route);
  }
  stream = new EventSource(`/api/live?${query}`);
  const sign = byId("live");
  stream.onmessage = (event) => {
    sign.textContent = "live";
    sign.className = "live on";
    draw(JSON.parse(event.data));
  };
  stream.onerror = () => {
    // The browser tries again by itself.
    sign.textContent = "not connected, trying again";
    sign.className = "live off";
  };
}

byId("unselect").addEventListener("click", () => { view.chosen = null; connect(); });
byId("trace-close").addEventListener("click", () => byId("trace").close());
// The address need not keep the token that the cookie holds.
if (location.search) history.replaceState(null, "", "/");
drawWindows();
connect();
