"use strict";
// The page: sliders, the picture in the plane, the numbers of the row.

const LIMIT = 4.3; // of the picture, in the plane's units
const sliders = ["angle", "length", "mean", "upstream", "along"];
const value = (id) => Number(byId(id).value);
const polar = (degrees, length) => {
  const angle = (degrees * Math.PI) / 180;
  return [length * Math.cos(angle), length * Math.sin(angle)];
};

function current() {
  const x = fromPlane(polar(value("angle"), value("length")), value("mean"));
  const g = fromPlane(polar(value("upstream"), 1.3), value("along"));
  const cache = layernorm(x);
  return { x, g, cache, dx: layernormBackward(g, cache, chosen("backward")), truth: numericGradient(x, g) };
}

function update() {
  const state = current();
  byId("angle-text").textContent = `${value("angle")}\u00b0`;
  byId("upstream-text").textContent = `${value("upstream")}\u00b0`;
  for (const id of ["length", "mean", "along"]) byId(`${id}-text`).textContent = fixed(value(id), 1);
  draw(state);
  showNumbers(state);
}

function draw({ x, g, cache, dx }) {
  const svg = byId("circle");
  const height = Math.min(svg.parentElement.clientWidth, 460);
  const half = (LIMIT * svg.parentElement.clientWidth) / height;
  const plot = new Plot(svg, { x: [-half, half], y: [-LIMIT, LIMIT] },
    { height, left: 0, right: 0, top: 0, bottom: 0 });
  const [px, pg, pd] = [x, g, dx].map(toPlane);
  const phat = toPlane(cache.xhat);
  const radius = plot.x(Math.sqrt(3)) - plot.x(0);
  addShape(svg, "circle", {
    cx: plot.x(0), cy: plot.y(0), r: radius, fill: "none", stroke: "var(--edge)", "stroke-width": 2,
  });
  plot.dot(0, 0, { r: 3, fill: "var(--edge)" });
  plot.curve([[0, 0], polar(value("angle"), LIMIT)], { stroke: "var(--line)" });
  const end = (from, vector) => from.map((v, i) => v + vector[i]);
  // g in the plane is its part along xhat and the rest
  const share = (pg[0] * phat[0] + pg[1] * phat[1]) / 3;
  const radial = phat.map((v) => share * v);
  plot.curve([end(px, radial), end(px, pg)], { stroke: "var(--edge)", "stroke-dasharray": "4 4" });
  arrow(plot, px, end(px, radial), "minus");
  arrow(plot, px, end(px, pg), "float");
  arrow(plot, px, end(px, pd), "ternary");
  plot.dot(...phat, { r: 6, fill: "var(--edge)" });
  plot.dot(...px, { r: 8, fill: "var(--ink)" });
  label(plot, px, "x", "ink", [12, 18]);
  labelTip(plot, phat, phat.map((v) => -v), "x\u0302", "soft");
  labelTip(plot, end(px, pg), pg, "g", "float");
  labelTip(plot, end(px, pd), pd, "dx", "ternary");
  svg.style.touchAction = "none";
  svg.onpointerdown = (event) => { svg.setPointerCapture(event.pointerId); drag(event, plot); };
  svg.onpointermove = (event) => { if (event.buttons) drag(event, plot); };
}

function drag(event, plot) {
  const box = byId("circle").getBoundingClientRect();
  const [a, b] = [plot.x.inverse(event.clientX - box.left), plot.y.inverse(event.clientY - box.top)];
  byId("angle").value = ((Math.atan2(b, a) * 180) / Math.PI + 360) % 360;
  byId("length").value = Math.hypot(a, b);
  update();
}

function arrow(plot, from, to, name) {
  const [x0, y0, x1, y1] = [plot.x(from[0]), plot.y(from[1]), plot.x(to[0]), plot.y(to[1])];
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (length < 2) return;
  const [ux, uy] = [(x1 - x0) / length, (y1 - y0) / length];
  const head = Math.min(9, length / 2);
  const side = (s) => `${x1 - head * ux + s * head * 0.5 * uy} ${y1 - head * uy - s * head * 0.5 * ux}`;
  addShape(plot.svg, "path", {
    d: `M${x0} ${y0}L${x1} ${y1}M${side(1)}L${x1} ${y1}L${side(-1)}`,
    fill: "none", stroke: `var(--${name})`, "stroke-width": 3,
  });
}

function label(plot, at, text, name, [dx, dy]) {
  plot.text(...at, text, { dx, dy, style: `fill: var(--${name}); font-size: 15px; font-weight: 600` });
}

// Beyond the tip of an arrow.
function labelTip(plot, tip, [a, b], text, name) {
  const length = Math.hypot(a, b) || 1;
  label(plot, tip, text, name, [(14 * a) / length - 7, (-14 * b) / length + 5]);
}

function showNumbers({ x, g, cache, dx, truth }) {
  const sum = (row) => row.reduce((total, v) => total + v, 0);
  const readouts = {
    mu: cache.mu, std: 1 / cache.rstd, "mean-g": mean(g), "mean-gx": mean(times(g, cache.xhat)),
    "along-ones": sum(dx), "along-xhat": sum(times(dx, cache.xhat)),
  };
  for (const [id, number] of Object.entries(readouts)) byId(id).textContent = fixed(number, 2);
  const rows = [["x", x], ["x\u0302", cache.xhat], ["g", g], ["dx", dx], ["dx by differences", truth]];
  const body = byId("numbers").tBodies[0];
  body.textContent = "";
  for (const [name, numbers] of rows) {
    const row = addElement(body, "tr");
    addElement(row, "th", { scope: "row" }, name);
    for (const v of numbers) addElement(row, "td", {}, fixed(v, 2));
  }
  const off = Math.max(...dx.map((v, i) => Math.abs(v - truth[i])));
  const isRight = off < 1e-6;
  const text = isRight ? "\u2713 dx agrees with finite differences." :
    `\u2717 dx is off by ${fixed(off, 2)} from finite differences.`;
  byId("verdict").textContent = text;
  byId("verdict").style.color = `var(--${isRight ? "good" : "bad"})`;
  announce(text);
}

for (const id of sliders) byId(id).addEventListener("input", update);
for (const radio of document.querySelectorAll("input[type=radio]")) radio.addEventListener("change", update);
drawAtEveryWidth(update);
