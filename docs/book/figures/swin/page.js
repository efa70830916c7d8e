"use strict";
// The page: the map, the rolled map and the mask of one window.

const value = (id) => Number(byId(id).value);

function update() {
  const side = value("side");
  byId("shift").max = side - 1;
  const shift = value("shift");
  const token = value("token");
  const windows = windowsOf(shift, side);
  const own = windows.find((tokens) => tokens.includes(token));
  const query = own.indexOf(token);
  const seen = own.filter((_, j) => !byId("mask").checked || mayAttend(own, side, query, j));
  const far = seen.filter((other) => !mayAttend(own, side, query, own.indexOf(other)));
  byId("shift-text").textContent = shift;
  byId("token-text").textContent = `${token}: row ${Math.floor(token / SIDE)}, column ${token % SIDE}`;
  const fractions = windows.map((tokens) => maskedFraction(tokens, side));
  byId("masked").textContent = percent(fractions.reduce((a, b) => a + b) / windows.length, 2);
  byId("here").textContent = percent(maskedFraction(own, side), 2);
  byId("count").textContent = `${seen.length} of ${own.length}`;
  const look = lookOf(token, seen, far);
  drawMap(byId("map"), (place) => place, windows, look);
  const rolled = rolledMap(shift);
  drawMap(byId("rolled"), (place) => rolled[place], windows, look);
  drawPairs(own, side, query);
  announce(`Token ${token} attends to ${seen.length} of ${own.length} tokens of its window.`);
}

function lookOf(token, seen, far) {
  return (other) => {
    const name = far.includes(other) ? "bad" : seen.includes(other) ? "ternary" : null;
    return {
      fill: name ? `color-mix(in srgb, var(--${name}) 40%, var(--paper))` : "var(--raised)",
      text: other,
      stroke: other === token ? "var(--ink)" : undefined,
      ink: name ? "ink" : "soft",
    };
  };
}

// A map of tokens, with a line wherever two neighbours are in different windows.
function drawMap(svg, tokenAt, windows, look) {
  const width = svg.parentElement.clientWidth;
  const size = Math.floor(width / SIDE);
  clearDrawing(svg, size * SIDE + 2);
  drawCells(svg, {
    x: 1, y: 1, size, rows: SIDE, columns: SIDE,
    look: (row, column) => look(tokenAt(row * SIDE + column)),
    pick: (row, column) => {
      byId("token").value = tokenAt(row * SIDE + column);
      update();
    },
  });
  const windowAt = (row, column) =>
    windows.findIndex((tokens) => tokens.includes(tokenAt(row * SIDE + column)));
  const near = (a, b) => Math.abs(Math.floor(a / SIDE) - Math.floor(b / SIDE)) + Math.abs((a % SIDE) - (b % SIDE)) === 1;
  let solid = "";
  let torn = ""; // neighbours in a window that are none on the map
  const line = (row, column, nextRow, nextColumn, d) => {
    const [a, b] = [tokenAt(row * SIDE + column), tokenAt(nextRow * SIDE + nextColumn)];
    if (windowAt(row, column) !== windowAt(nextRow, nextColumn)) solid += d;
    else if (!near(a, b)) torn += d;
  };
  for (let row = 0; row < SIDE; row++) {
    for (let column = 0; column < SIDE; column++) {
      const [x, y] = [1 + column * size, 1 + row * size];
      if (column) line(row, column, row, column - 1, `M${x} ${y}v${size}`);
      if (row) line(row, column, row - 1, column, `M${x} ${y}h${size}`);
    }
  }
  addShape(svg, "path", { d: solid || "M0 0", stroke: "var(--ink)", "stroke-width": 2.5 });
  addShape(svg, "path", { d: torn || "M0 0", stroke: "var(--bad)", "stroke-width": 2.5, "stroke-dasharray": "4 3" });
}

function drawPairs(tokens, side, query) {
  const svg = byId("pairs");
  const count = tokens.length;
  const size = Math.floor(svg.parentElement.clientWidth / count);
  clearDrawing(svg, size * count + 2);
  drawCells(svg, {
    x: 1, y: 1, size, rows: count, columns: count,
    look: (i, j) => {
      const allowed = !byId("mask").checked || mayAttend(tokens, side, i, j);
      const name = allowed && !mayAttend(tokens, side, i, j) ? "bad" : allowed ? "ternary" : null;
      return {
        fill: name ? `color-mix(in srgb, var(--${name}) ${i === query ? 90 : 45}%, var(--paper))` : "var(--line)",
      };
    },
    pick: (i) => {
      byId("token").value = tokens[i];
      update();
    },
  });
}

for (const control of document.querySelectorAll("input, select")) control.addEventListener("input", update);
drawAtEveryWidth(update);
