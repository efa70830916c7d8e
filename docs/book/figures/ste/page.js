"use strict";
// The page: steps forward and back, the latent weights, their codes and the losses so far.

const TASK = window.FIGURE_DATA.ste_task; // {products, teacher, starts}
const NAMES = { straight: "straight through", truth: "true gradient", rounded: "no latent weights" };
const COLOURS = { straight: "ternary", truth: "float", rounded: "int8" };
const ARROW = 10; // length of an arrow, in steps
const GLYPHS = { "-1": "\u2212", 0: "0", 1: "+" };
let runs = {}; // states of each rule, as far as the reader has gone
let shown = {}; // the step that is shown of each

function restart() {
  const start = TASK.starts[byId("start").value];
  for (const rule of Object.keys(NAMES)) {
    runs[rule] = [stateOf(start, rule, TASK)];
    shown[rule] = 0;
  }
  show();
}

function go(steps) {
  const rule = chosen("rule");
  const rate = Number(byId("rate").value);
  shown[rule] = Math.max(shown[rule] + steps, 0);
  while (runs[rule].length <= shown[rule]) {
    runs[rule].push(nextState(runs[rule].at(-1), rate, rule, TASK));
  }
  show();
}

function show() {
  const rule = chosen("rule");
  const step = shown[rule];
  const states = runs[rule].slice(0, step + 1);
  const state = states.at(-1);
  const goal = TASK.teacher.map(Math.sign);
  const right = state.codes.filter((t, i) => t === goal[i]).length;
  let changes = 0;
  for (let n = 1; n <= step; n++) {
    changes += states[n].codes.filter((t, i) => t !== states[n - 1].codes[i]).length;
  }
  byId("rate-text").textContent = fixed(Number(byId("rate").value), 2);
  byId("count").textContent = step;
  byId("loss").textContent = fixed(state.loss, 3);
  byId("right").textContent = right;
  byId("changes").textContent = changes;
  byId("back").disabled = step === 0;
  drawWeights(state, states.at(-2), goal);
  drawLosses();
  announce(`Step ${step}: loss ${fixed(state.loss, 3)}, ${right} of 12 codes right.`);
}

function drawWeights(state, before, goal) {
  const limit = Math.max(1, 1.1 * Math.max(...state.w.map(Math.abs)));
  const plot = new Plot(byId("weights"), { x: [-0.5, 11.5], y: [-limit, limit] }, { height: 300, bottom: 68 });
  const { left, right } = plot.inner;
  addShape(plot.svg, "rect", {
    x: left, width: right - left, y: plot.y(state.delta),
    height: plot.y(-state.delta) - plot.y(state.delta), fill: "var(--line)", opacity: 0.6,
  });
  plot.yAxis([-1, -0.5, 0, 0.5, 1], "latent weight");
  plot.text(11.4, state.delta, "\u0394", { dy: -4, "text-anchor": "end" });
  const rate = Number(byId("rate").value);
  state.w.forEach((w, i) => {
    const fill = `var(--${{ "-1": "minus", 0: "edge", 1: "plus" }[state.codes[i]]})`;
    if (before) plot.dot(i, before.w[i], { r: 3, fill: "none", stroke: "var(--edge)" });
    drawArrow(plot, i, w, w - ARROW * rate * state.gradient[i]);
    plot.dot(i, w, { r: 7, fill });
  });
  writeRow(plot, "weight", state.w.map((_, i) => i + 1), 20);
  writeRow(plot, "code", state.codes.map((t) => GLYPHS[t]), 42, (i) => state.codes[i] !== goal[i]);
  writeRow(plot, "goal", goal.map((t) => GLYPHS[t]), 64);
  const text = (codes) => codes.map((t) => GLYPHS[t]).join(" ");
  plot.svg.querySelector("title").textContent =
    `Twelve latent weights. Their codes are ${text(state.codes)}, the goal is ${text(goal)}.`;
}

// A row of texts below the axis; wrong ones are underlined.
function writeRow(plot, name, texts, offset, isWrong = () => false) {
  const y = plot.inner.bottom + offset;
  addShape(plot.svg, "text", { x: 0, y }, name);
  texts.forEach((text, i) => addShape(plot.svg, "text", {
    x: plot.x(i), y, "text-anchor": "middle",
    style: isWrong(i) ? "fill: var(--bad); font-weight: 700; text-decoration: underline" : "",
  }, text));
}

function drawArrow(plot, i, from, to) {
  const [top, bottom] = [plot.inner.top, plot.inner.bottom];
  const end = Math.min(Math.max(plot.y(to), top), bottom);
  const [x, y] = [plot.x(i), plot.y(from)];
  if (Math.abs(end - y) < 8) return; // within the dot
  const head = Math.sign(end - y) * 5;
  addShape(plot.svg, "path", {
    d: `M${x} ${y}V${end}m-4 ${-head}l4 ${head}l4 ${-head}`,
    fill: "none", stroke: "var(--ink)", "stroke-width": 1.5,
  });
}

function drawLosses() {
  const steps = Math.max(20, ...Object.values(runs).map((states) => states.length - 1));
  const plot = new Plot(byId("losses"), { x: [0, steps], y: [0, 2] }, { height: 200 });
  plot.xAxis([0, steps / 2, steps], "step");
  plot.yAxis([0, 1, 2], "loss");
  let line = 0;
  for (const [rule, states] of Object.entries(runs)) {
    const stroke = `var(--${COLOURS[rule]})`;
    const points = states.map(({ loss }, n) => [n, Math.min(loss, 2)]);
    plot.curve(points, { stroke });
    if (states.length > 1 || rule === chosen("rule")) {
      const { right, top } = plot.inner;
      addShape(plot.svg, "text", {
        x: right, y: top + 10 + 17 * line++, "text-anchor": "end", style: `fill: ${stroke}`,
      }, NAMES[rule]);
      plot.dot(shown[rule], Math.min(states[shown[rule]].loss, 2), { fill: stroke });
    }
  }
}

TASK.starts.forEach((_, i) => addElement(byId("start"), "option", { value: i }, i + 1));
byId("step").addEventListener("click", () => go(1));
byId("ten").addEventListener("click", () => go(10));
byId("back").addEventListener("click", () => go(-1));
for (const id of ["again", "start"]) byId(id).addEventListener(id === "start" ? "change" : "click", restart);
byId("rate").addEventListener("input", restart);
for (const radio of document.querySelectorAll('input[name="rule"]')) radio.addEventListener("change", show);
let ready = false;
drawAtEveryWidth(() => {
  if (ready) show();
  else restart();
  ready = true;
});
