"use strict";
// The page: a histogram with a threshold to drag, and the error by threshold and by scale.

const BINS = 41;
const rows = {};
const state = { row: null, delta: 0 };

function rowNamed(name) {
  if (name in QUANTILES) return measured(quantiles(name));
  const { codes, scale } = window.FIGURE_DATA.threshold_rows[name];
  return measured(codes.map((code) => code * scale));
}

function rowChanged() {
  const name = chosen("row");
  state.row = rows[name] ??= rowNamed(name);
  const most = Math.ceil(10 * (state.row.sorted[0] / 2 / state.row.mean)) / 10;
  byId("delta").max = Math.max(most, 2);
  state.delta = Number(byId("delta").value) * state.row.mean;
  update();
}

function moveTo(delta) {
  state.delta = Math.min(Math.max(delta, 0), byId("delta").max * state.row.mean);
  byId("delta").value = state.delta / state.row.mean;
  update();
}

function apply(rule) {
  const { delta, scale } = RULES[rule](state.row);
  document.querySelector(`input[name="scale"][value="${scale}"]`).checked = true;
  moveTo(delta);
}

function update() {
  const { row, delta } = state;
  const rule = chosen("scale");
  const k = countBeyond(row, delta);
  const alpha = scaleOfRule(row, k, rule);
  const error = errorOf(row, k, alpha);
  const minus = row.weights.filter((w) => w < -delta).length;
  byId("delta-text").textContent = `${fixed(delta / row.mean, 2)} mean |w|`;
  const shares = [minus, row.sorted.length - k, k - minus].map((n) => percent(n / row.sorted.length, 0));
  byId("codes").textContent = shares.join(", ");
  byId("alpha").textContent = fixed(alpha / row.mean, 3);
  byId("error").textContent = fixed(error, 3);
  const best = exactThreshold(row);
  const least = errorOf(row, countBeyond(row, best), 2 * best);
  byId("least").textContent = fixed(least, 3);
  drawHistogram(row, delta, alpha);
  drawByThreshold(row, rule, { delta, error, best, least });
  drawByScale(row, k, alpha, error);
  announce(`Threshold ${byId("delta-text").textContent}, error ${byId("error").textContent}.`);
}

function drawHistogram(row, delta, alpha) {
  const end = 1.05 * row.sorted[0];
  const counts = new Array(BINS).fill(0);
  for (const w of row.weights) counts[Math.floor(((w + end) / (2 * end)) * BINS)]++;
  const plot = new Plot(byId("histogram"), { x: [-end, end], y: [0, 1.15 * Math.max(...counts)] },
    { left: 12, height: 230 });
  counts.forEach((count, i) => {
    const [from, to] = [i, i + 1].map((n) => -end + (2 * end * n) / BINS);
    // A bin on the threshold is drawn in two parts.
    const cuts = [from, ...[-delta, delta].filter((d) => d > from && d < to), to];
    for (let n = 0; n + 1 < cuts.length; n++) {
      const middle = (cuts[n] + cuts[n + 1]) / 2;
      const code = Math.abs(middle) <= delta ? "edge" : middle < 0 ? "minus" : "plus";
      const [x, y] = [plot.x(cuts[n]), plot.y(count)];
      addShape(plot.svg, "rect", {
        x, y, width: Math.max(plot.x(cuts[n + 1]) - x - (n + 2 === cuts.length), 0.1),
        height: plot.inner.bottom - y, fill: `var(--${code})`,
      });
    }
  });
  for (const d of [-delta, delta]) plot.vertical(d, { stroke: "var(--ink)", "stroke-dasharray": "5 4" });
  const place = (value) => Math.min(Math.max(value, -end), end);
  const values = alpha > 0 ? [[-alpha, "\u2212\u03b1"], [0, "0"], [alpha, "\u03b1"]] : [[0, "0"]];
  plot.xAxis(values.map(([value, text]) => [place(value), text]), "weight w");
  for (const [value] of values) plot.dot(place(value), 0, { fill: "var(--ink)" });
  const right = plot.x(delta) < plot.width - 40;
  addShape(plot.svg, "text", {
    x: plot.x(delta) + (right ? 6 : -6), y: 24, class: "ink", "text-anchor": right ? "start" : "end",
  }, "\u0394");
  plot.onDrag((x) => moveTo(Math.abs(x)));
}

function drawByThreshold(row, rule, { delta, error, best, least }) {
  const most = Number(byId("delta").max);
  const points = Array.from({ length: 301 }, (_, i) => (most * i) / 300).map((factor) => {
    const k = countBeyond(row, factor * row.mean);
    return [factor, Math.min(errorOf(row, k, scaleOfRule(row, k, rule)), 1)];
  });
  const plot = new Plot(byId("by-threshold"), { x: [0, most], y: [0, 1] });
  plot.xAxis(Array.from({ length: Math.floor(most) + 1 }, (_, i) => i), "\u0394 / mean |w|");
  plot.yAxis([0, 0.5, 1], "error");
  plot.curve(points, { stroke: "var(--ternary)" });
  plot.vertical(delta / row.mean, { stroke: "var(--ink)", "stroke-dasharray": "5 4" });
  plot.dot(best / row.mean, least, { fill: "none", stroke: "var(--ink)", "stroke-width": 2 });
  plot.dot(delta / row.mean, Math.min(error, 1), { fill: "var(--ternary)" });
  plot.onDrag((factor) => moveTo(factor * row.mean));
}

function drawByScale(row, k, alpha, error) {
  const most = Math.max(2.5, 1.1 * (alpha / row.mean));
  const points = Array.from({ length: 101 }, (_, i) => (most * i) / 100)
    .map((a) => [a, errorOf(row, k, a * row.mean)]).filter(([, e]) => e <= 1.3);
  const plot = new Plot(byId("by-scale"), { x: [0, most], y: [0, 1.3] });
  plot.xAxis(Array.from({ length: Math.floor(most) + 1 }, (_, i) => i), "\u03b1 / mean |w|");
  plot.yAxis([0, 0.5, 1], "error");
  plot.curve(points, { stroke: "var(--ternary)" });
  const vertex = scaleOfRule(row, k, "support");
  plot.dot(vertex / row.mean, errorOf(row, k, vertex), { fill: "none", stroke: "var(--ink)", "stroke-width": 2 });
  plot.dot(alpha / row.mean, Math.min(error, 1.3), { fill: "var(--ternary)" });
}

for (const radio of document.querySelectorAll('input[name="row"]')) {
  radio.addEventListener("change", rowChanged);
}
for (const radio of document.querySelectorAll('input[name="scale"]')) {
  radio.addEventListener("change", update);
}
for (const button of document.querySelectorAll("button")) {
  button.addEventListener("click", () => apply(button.value));
}
byId("delta").addEventListener("input", () => moveTo(byId("delta").value * state.row.mean));
drawAtEveryWidth(rowChanged);
