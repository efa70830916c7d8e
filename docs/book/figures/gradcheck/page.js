"use strict";
// The page: settings of the check, what it says of each mistake, and its noise for each step.

const ARRAYS = window.FIGURE_DATA.gradcheck_arrays; // {x, W, dy}

function setting() {
  return {
    layer: chosen("layer"), precision: chosen("precision"), sides: chosen("sides"),
    upstream: chosen("upstream"), weights: chosen("weights"), h: 10 ** byId("step").value,
  };
}

// A power of ten: "10⁻⁷", and between two of them "3·10⁻⁸".
function power(exponent) {
  const whole = Math.floor(exponent);
  const digit = (10 ** (exponent - whole)).toFixed(0);
  return `${digit === "1" ? "" : `${digit}\u00b7`}10${superscript(whole)}`;
}

function update() {
  const limit = 10 ** byId("limit").value;
  const results = Object.entries(check(setting(), ARRAYS));
  byId("step-text").textContent = power(byId("step").value);
  byId("limit-text").textContent = power(byId("limit").value);
  const body = byId("table").tBodies[0];
  body.textContent = "";
  let caught = 0;
  let rightPasses = true;
  results.forEach(([name, errors], i) => {
    const passes = Math.max(...errors) <= limit;
    const isGood = passes === (i === 0);
    if (i === 0) rightPasses = passes;
    else caught += !passes;
    const row = addElement(body, "tr");
    addElement(row, "th", { scope: "row" }, name);
    for (const e of errors) addElement(row, "td", {}, short(e));
    const text = `${isGood ? "\u2713" : "\u2717"} ${passes ? "passes" : "caught"}`;
    addElement(row, "td", { class: isGood ? "fine" : "fault" }, text);
  });
  byId("verdict").textContent =
    `${caught} of 6 mistakes caught; right code ${rightPasses ? "passes" : "is accused"}.`;
  drawCurve(limit);
  announce(byId("verdict").textContent);
}

function drawCurve(limit) {
  const plot = new Plot(byId("curve"), { x: [1e-12, 1], y: [1e-13, 10] },
    { logX: true, logY: true, height: 280, left: 54, top: 34 });
  const tick = (n) => [10 ** n, `10${superscript(n)}`];
  plot.xAxis([-12, -9, -6, -3, 0].map(tick), "step h");
  plot.yAxis([-12, -9, -6, -3, 0].map(tick), "error of right code");
  const now = setting();
  const within = (e) => Math.min(Math.max(e, 1e-13), 10);
  const error = (precision, h) =>
    within(Math.max(...check({ ...now, precision, h }, ARRAYS, ["right code"])["right code"]));
  for (const [precision, name] of [["float64", "float"], ["float32", "int8"]]) {
    const points = Array.from({ length: 25 }, (_, i) => 10 ** (i / 2 - 12)).map((h) => [h, error(precision, h)]);
    plot.curve(points, { stroke: `var(--${name})` });
    plot.text(...points[14], precision, { dx: 8, dy: -8, style: `fill: var(--${name})` });
  }
  const { left, right } = plot.inner;
  addShape(plot.svg, "path", {
    d: `M${left} ${plot.y(limit)}H${right}`, stroke: "var(--ink)", "stroke-dasharray": "5 4",
  });
  const used = now.precision === "float64" ? "float" : "int8";
  plot.dot(now.h, error(now.precision, now.h), { r: 6, fill: `var(--${used})` });
  plot.onDrag((h) => {
    byId("step").value = Math.log10(h);
    update();
  });
}

// "0.9", "8·10⁻¹²"
function short(x) {
  const [digit, exponent] = x.toExponential(0).split("e");
  return x >= 0.005 ? fixed(x, x >= 0.1 ? 1 : 2) : `${digit}\u00b7${power(exponent)}`;
}

function superscript(n) {
  const digits = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079";
  return String(n).replace("+", "").replace(/./g, (c) => (c === "-" ? "\u207b" : digits[c]));
}

for (const input of document.querySelectorAll("input")) input.addEventListener("input", update);
drawAtEveryWidth(update);
