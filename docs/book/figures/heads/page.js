"use strict";
// The page: an array (T, D) and two ways to make (H, T, K) of it.

const GAP = 14; // between the parts, in pixels
const value = (id) => Number(byId(id).value);
const sizes = () => ({ T: value("tokens"), H: value("heads"), K: value("width") });

// What number n of x is.
function meaning(n, { H, K }) {
  const D = H * K;
  return { token: Math.floor(n / D), head: Math.floor((n % D) / K), column: n % K };
}

// Which number of x lies at [h, t, k] of the new array.
const byTranspose = (h, t, k, { H, K }) => t * H * K + h * K + k;
const byReshape = (h, t, k, { T, K }) => (h * T + t) * K + k;

// Where number n of x is in the new array: [h, t, k].
function placeOf(n, split, size) {
  for (let h = 0; h < size.H; h++) {
    for (let t = 0; t < size.T; t++) {
      for (let k = 0; k < size.K; k++) if (split(h, t, k, size) === n) return [h, t, k];
    }
  }
  throw new Error(`no place for ${n}`);
}

function update() {
  const size = sizes();
  const count = size.T * size.H * size.K;
  byId("number").max = count - 1;
  const n = value("number");
  const { token, head } = meaning(n, size);
  byId("number-text").textContent = `${n}: token ${token}, head ${head}`;
  drawInput(size, n);
  for (const [id, split] of [["right", byTranspose], ["wrong", byReshape]]) {
    drawSplit(id, split, size, n);
    const [h, t, k] = placeOf(n, split, size);
    byId(`${id}-place`).textContent = `Number ${n} is at [${h}, ${t}, ${k}].`;
  }
  announce(`Number ${n}, token ${token}, head ${head}. ${byId("right-place").textContent} ` +
    `With reshape alone: ${byId("wrong-place").textContent}`);
}

function lookOf(n, size, isChosen) {
  const { token, head } = meaning(n, size);
  const kind = chosen("colouring") === "head" ? head : token;
  const name = ["plus", "minus", "ternary", "int8", "float"][kind];
  return {
    fill: `color-mix(in srgb, var(--${name}) 30%, var(--paper))`,
    text: n,
    stroke: isChosen ? "var(--ink)" : undefined,
  };
}

function pick(n) {
  byId("number").value = n;
  update();
}

function drawInput(size, chosenNumber) {
  const svg = byId("input");
  const side = cellSize(size);
  const D = size.H * size.K;
  clearDrawing(svg, size.T * side + 22);
  for (let h = 0; h < size.H; h++) {
    const x = 60 + (h + 0.5) * size.K * side;
    addShape(svg, "text", { x, y: 13, "text-anchor": "middle" }, `head ${h}`);
  }
  for (let t = 0; t < size.T; t++) addShape(svg, "text", { x: 0, y: 22 + (t + 0.5) * side + 4 }, `token ${t}`);
  drawCells(svg, {
    x: 60, y: 20, size: side, rows: size.T, columns: D,
    look: (row, column) => lookOf(row * D + column, size, row * D + column === chosenNumber),
    pick: (row, column) => pick(row * D + column),
  });
}

function drawSplit(id, split, size, chosenNumber) {
  const svg = byId(id);
  const side = cellSize(size);
  clearDrawing(svg, size.T * side + 22);
  for (let h = 0; h < size.H; h++) {
    const x = 60 + h * (size.K * side + GAP);
    addShape(svg, "text", { x: x + (size.K * side) / 2, y: 13, "text-anchor": "middle" }, `[${h}]`);
    drawCells(svg, {
      x, y: 20, size: side, rows: size.T, columns: size.K,
      look: (t, k) => {
        const n = split(h, t, k, size);
        return lookOf(n, size, n === chosenNumber);
      },
      pick: (t, k) => pick(split(h, t, k, size)),
    });
  }
}

function cellSize({ H, K }) {
  const width = document.querySelector("main").clientWidth - 100 - GAP * H;
  return Math.min(40, width / (H * K));
}

for (const control of document.querySelectorAll("select, input")) control.addEventListener("input", update);
drawAtEveryWidth(update);
