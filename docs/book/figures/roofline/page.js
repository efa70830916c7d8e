"use strict";
// The page: best times of three formats under the roofline of chapter 18, and measured variants.

const M = window.FIGURE_DATA.roofline_measured; // {peak, float_peak, bandwidth, variants}
const [INPUTS, OUTPUTS] = [384, 1536];
const FORMATS = {
  float32: { weight: 4, input: 4, peak: M.float_peak, colour: "float" },
  "8 bits": { weight: 1, input: 1, peak: M.peak, colour: "int8" },
  ternary: { weight: 1 / 4, input: 1, peak: M.peak, colour: "ternary" },
};
const STORIES = {
  numpy: "The reference: codes as float64, multiplied by NumPy's BLAS. Integers up to 2^53 are exact.",
  loop: "Three loops: add where the code is 1, subtract where it is \u22121. Masks replace the branches.",
  vector: "Multiplies after all, 16 inputs at a time; both operands are widened to 16 bits and loaded for every product.",
  generic: "A tile of sums stays in registers: a weight that was loaded and unpacked serves several tokens.",
  avx2: "Multiplies pairs of bytes. Weights are stored as t + 1, since one factor must be unsigned.",
  vnni256: "One instruction adds four products of bytes to a sum of 32 bits.",
  vnni512: "The same with vectors of 64 bytes: a load, four masks, six broadcasts, 24 dot products.",
};
const PRODUCTS = /^vp(dp|madd)/; // instructions that multiply and add

// -> {operations for each byte, microseconds, what limits it}
function best(tokens, { weight, input, peak }) {
  const operations = 2 * tokens * INPUTS * OUTPUTS;
  const bytes = INPUTS * OUTPUTS * weight + tokens * (INPUTS * input + 4 * OUTPUTS);
  const times = { operations: operations / peak, bytes: bytes / M.bandwidth };
  const limit = times.operations >= times.bytes ? "operations" : "bytes";
  return { intensity: operations / bytes, microseconds: times[limit] / 1000, limit };
}

const tokens = () => Math.round(2 ** byId("tokens").value);

function update() {
  const count = tokens();
  byId("tokens-text").textContent = count;
  const found = Object.entries(FORMATS).map(([name, format]) => [name, format, best(count, format)]);
  drawRoof(found, count);
  const body = byId("times").tBodies[0];
  body.textContent = "";
  const slowest = found[0][2].microseconds;
  for (const [name, , { intensity, microseconds, limit }] of found) {
    const row = addElement(body, "tr");
    addElement(row, "th", { scope: "row" }, name);
    const cells = [fixed(intensity, 1), `${fixed(microseconds, 1)} \u00b5s`, limit, fixed(slowest / microseconds, 1)];
    for (const text of cells) addElement(row, "td", {}, text);
  }
  announce(`${count} tokens: ternary ${fixed(slowest / found[2][2].microseconds, 1)} times faster than float32.`);
}

function drawRoof(found, count) {
  const left = 0.3;
  const plot = new Plot(byId("roof"), { x: [left, 1000], y: [5, 1000] },
    { logX: true, logY: true, height: 300, left: 52, top: 30 });
  plot.xAxis([1, 10, 100, 1000], "operations for each byte");
  plot.yAxis([10, 100, 1000], "10\u2079 operations a second");
  for (const [name, peak] of [["float", M.float_peak], ["ternary", M.peak]]) {
    const ridge = peak / M.bandwidth;
    plot.curve([[left, left * M.bandwidth], [ridge, peak], [1000, peak]], { stroke: "var(--edge)" });
    const text = name === "float" ? "peak, float32" : "peak, products of bytes";
    plot.text(1000, peak, text, { dy: -6, "text-anchor": "end" });
  }
  plot.text(0.5, 0.5 * M.bandwidth, `memory, ${fixed(M.bandwidth, 0)} GB/s`, { dx: 14, dy: 14 });
  found.forEach(([name, format, { intensity, microseconds }], i) => {
    const path = Array.from({ length: 33 }, (_, n) => 2 ** (n / 4)).map((t) => {
      const at = best(t, format);
      return [at.intensity, speed(t, at)];
    });
    plot.curve(path, { stroke: `var(--${format.colour})`, opacity: 0.6, "stroke-width": 4 });
    const y = speed(count, { microseconds });
    plot.dot(intensity, y, { r: 7, fill: `var(--${format.colour})` });
    plot.text(intensity, y, name, {
      dy: [26, -12, 26][i], "text-anchor": "middle", style: `fill: var(--${format.colour}); font-weight: 600`,
    });
  });
}

function speed(count, { microseconds }) {
  return (2 * count * INPUTS * OUTPUTS) / (1000 * microseconds);
}

// --------------------------------------------------------------------------------------- ladder
function updateLadder() {
  const chosenName = chosen("variant");
  const svg = byId("ladder");
  const plot = new Plot(svg, { x: [0, 1.04 * M.peak], y: [0, M.variants.length] },
    { height: 28 * M.variants.length + 44, left: 72, bottom: 26 });
  M.variants.forEach((variant, i) => {
    const y = plot.inner.top + i * 28;
    const isChosen = variant.name === chosenName;
    const bar = isChosen ? "ternary" : "soft";
    addShape(svg, "text", { x: 64, y: y + 18, "text-anchor": "end", class: isChosen ? "ink" : "" }, variant.name);
    addShape(svg, "rect", {
      x: plot.x(0), y: y + 4, height: 20, width: plot.x(variant.speed) - plot.x(0),
      fill: `var(--${bar})`,
    });
    const inside = variant.speed > 0.4 * M.peak;
    addShape(svg, "text", {
      x: plot.x(variant.speed) + (inside ? -6 : 6), y: y + 18, "text-anchor": inside ? "end" : "start",
      ...(inside ? { style: "fill: var(--paper)", "data-ground": bar } : {}),
    }, `${fixed(variant.speed, 0)}, ${percent(variant.speed / M.peak, 0)}`);
  });
  plot.xAxis([0, 100, 200, 300, 400], "");
  plot.vertical(M.peak, { stroke: "var(--ink)", "stroke-dasharray": "5 4" });
  showLoop(M.variants.find(({ name }) => name === chosenName));
}

function showLoop({ name, loop }) {
  byId("story").textContent = STORIES[name];
  const entries = Object.entries(loop);
  const sum = (list) => list.reduce((total, [, count]) => total + count, 0);
  const products = entries.filter(([instruction]) => PRODUCTS.test(instruction));
  if (entries.length) {
    byId("story").textContent += ` ${sum(products)} of ${sum(entries)} instructions multiply and add.`;
  }
  byId("instructions").hidden = entries.length === 0;
  const body = byId("instructions").tBodies[0];
  body.textContent = "";
  for (const [instruction, count] of entries) {
    const row = addElement(body, "tr", PRODUCTS.test(instruction) ? { class: "dot" } : {});
    addElement(row, "th", { scope: "row" }, instruction);
    addElement(row, "td", {}, count);
  }
  announce(`${name}: ${byId("story").textContent}`);
}

for (const { name } of M.variants) {
  const label = addElement(byId("variants"), "label");
  const radio = addElement(label, "input", { type: "radio", name: "variant", value: name });
  radio.checked = name === "vnni512";
  radio.addEventListener("change", updateLadder);
  addElement(label, "span", {}, name);
}
byId("tokens").addEventListener("input", update);
drawAtEveryWidth(() => {
  update();
  updateLadder();
});
