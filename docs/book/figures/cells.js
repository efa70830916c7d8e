"use strict";
// Grids of square cells in SVG.

// Draw a grid at (x, y). look(row, column) -> {fill, text, stroke, ink}; pick(row, column) on a press.
function drawCells(svg, { x, y, size, rows, columns, look, pick }) {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const { fill, text = "", stroke, ink } = look(row, column);
      const [left, top] = [x + column * size, y + row * size];
      const cell = addShape(svg, "rect", {
        x: left + 0.5, y: top + 0.5, width: size - 1, height: size - 1, fill,
        stroke: stroke ?? "none", "stroke-width": 3,
      });
      if (text !== "") {
        addShape(svg, "text", {
          x: left + size / 2, y: top + size / 2 + 4.5, "text-anchor": "middle",
          style: `fill: var(--${ink ?? "ink"}); pointer-events: none`,
        }, text);
      }
      if (pick) {
        cell.style.cursor = "pointer";
        cell.addEventListener("pointerdown", () => pick(row, column));
      }
    }
  }
}

// Empty a drawing and give it a height, at the width that the page has.
function clearDrawing(svg, height) {
  const width = svg.parentElement.clientWidth;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("height", height);
  for (const old of [...svg.children]) if (old.tagName !== "title") old.remove();
  return width;
}
