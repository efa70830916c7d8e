"use strict";
// The page: two stored curves and a place on them, and the stairs at the ternary solution.

const { float: FLOAT, ternary: TERNARY, crossings: CROSSINGS, stairs: STAIRS } =
  window.FIGURE_DATA.crossing_curves;

function update() {
  const x = Number(byId("place").value);
  const i = FLOAT.x.reduce((best, v, n) => (Math.abs(v - x) < Math.abs(FLOAT.x[best] - x) ? n : best), 0);
  byId("place-text").textContent = fixed(FLOAT.x[i], 2);
  byId("float").textContent = fixed(FLOAT.loss[i], 3);
  byId("ternary").textContent = fixed(TERNARY.loss[i], 3);
  byId("gap").textContent = fixed(TERNARY.loss[i] - FLOAT.loss[i], 3);
  drawCurves(i);
  announce(`At ${fixed(FLOAT.x[i], 2)}: float ${byId("float").textContent}, ternary ${byId("ternary").textContent}.`);
}

function drawCurves(i) {
  const plot = new Plot(byId("curves"), { x: [-0.5, 1.5], y: [0.6, 1.4] }, { height: 300 });
  const narrow = plot.width < 500;
  plot.xAxis([-0.5, [0, narrow ? "0" : "0, float solution"], 0.5, [1, narrow ? "1" : "1, ternary solution"], 1.5], "x");
  plot.yAxis([0.6, 0.8, 1, 1.2, 1.4], "loss");
  for (const [curve, name, text] of [[FLOAT, "float", "float weights"], [TERNARY, "ternary", "three values"]]) {
    const upper = curve.x.map((x, n) => [x, curve.loss[n] + curve.error[n]]);
    const lower = curve.x.map((x, n) => [x, curve.loss[n] - curve.error[n]]);
    plot.curve([...upper, ...lower.reverse()], { fill: `var(--${name})`, opacity: 0.15, stroke: "none" });
    plot.curve(curve.x.map((x, n) => [x, curve.loss[n]]), { stroke: `var(--${name})` });
    plot.dot(curve.x[i], curve.loss[i], { r: 6, fill: `var(--${name})` });
    plot.text(0.05, curve.loss[11], text, { dy: name === "float" ? 28 : -12, style: `fill: var(--${name}); font-weight: 600` });
  }
  for (const x of CROSSINGS) {
    const n = FLOAT.x.findIndex((v) => v > x);
    const part = (x - FLOAT.x[n - 1]) / (FLOAT.x[n] - FLOAT.x[n - 1]);
    const loss = FLOAT.loss[n - 1] + part * (FLOAT.loss[n] - FLOAT.loss[n - 1]);
    plot.dot(x, loss, { fill: "none", stroke: "var(--ink)", "stroke-width": 2 });
    plot.text(x, loss, `equal at ${fixed(x, 2)}`, { dx: 8, dy: -10, class: "ink" });
  }
  plot.vertical(FLOAT.x[i], { stroke: "var(--ink)", "stroke-dasharray": "5 4" });
  plot.onDrag((x) => {
    byId("place").value = x;
    update();
  });
}

function updateStairs() {
  const i = Number(byId("stair").value);
  const { x, loss, changed } = STAIRS;
  byId("stair-text").textContent = fixed(i - 40, 0);
  byId("changed").textContent = changed[i];
  byId("stair-loss").textContent = fixed(loss[i], 5);
  const [low, high] = [Math.min(...loss), Math.max(...loss)];
  const margin = 0.1 * (high - low);
  const half = (x[1] - x[0]) / 2; // each loss is drawn so far to both sides of its place
  const range = { x: [x[0] - half, x.at(-1) + half], y: [low - margin, high + margin] };
  const plot = new Plot(byId("stairs"), range, { height: 240, left: 62 });
  plot.yAxis([low, high].map((v) => [v, fixed(v, 4)]), "loss");
  plot.xAxis([[x[0], changed[0]], [0, changed[40]], [x.at(-1), changed.at(-1)]], "codes that differ");
  plot.curve(x.flatMap((v, n) => [[v - half, loss[n]], [v + half, loss[n]]]), { stroke: "var(--ternary)" });
  plot.dot(x[i], loss[i], { r: 6, fill: "var(--ternary)" });
  plot.onDrag((v) => {
    byId("stair").value = Math.round((v - x[0]) / (2 * half));
    updateStairs();
  });
}

byId("codes").textContent = STAIRS.codes.toLocaleString("en");
byId("place").addEventListener("input", update);
byId("stair").addEventListener("input", updateStairs);
drawAtEveryWidth(() => {
  update();
  updateStairs();
});
