"use strict";
// Axes and curves in SVG, drawn at the width that the page has, so that texts keep their size.

class Plot {
  // range = {x: [from, to], y: [from, to]}; options: height, margins, logX, logY
  constructor(svg, range, { height = 220, left = 46, right = 12, top = 14, bottom = 40, logX, logY } = {}) {
    this.svg = svg;
    this.width = svg.parentElement.clientWidth;
    this.height = height;
    svg.setAttribute("viewBox", `0 0 ${this.width} ${height}`);
    svg.setAttribute("height", height);
    for (const old of [...svg.children]) if (old.tagName !== "title") old.remove();
    this.inner = { left, right: this.width - right, top, bottom: height - bottom };
    this.x = scaleOf(range.x, [left, this.width - right], logX);
    this.y = scaleOf(range.y, [height - bottom, top], logY);
  }

  // ticks: numbers, or pairs of a number and a text
  xAxis(ticks, label) {
    const { left, right, bottom } = this.inner;
    addShape(this.svg, "path", { class: "axis", d: `M${left} ${bottom}H${right}` });
    for (const [value, text] of ticks.map(asTick)) {
      const x = this.x(value);
      addShape(this.svg, "path", { class: "axis", d: `M${x} ${bottom}v5` });
      addShape(this.svg, "text", { x, y: bottom + 18, "text-anchor": "middle" }, text);
    }
    const middle = (left + right) / 2;
    addShape(this.svg, "text", { x: middle, y: bottom + 35, "text-anchor": "middle" }, label);
  }

  yAxis(ticks, label) {
    const { left, top, bottom } = this.inner;
    addShape(this.svg, "path", { class: "axis", d: `M${left} ${bottom}V${top}` });
    for (const [value, text] of ticks.map(asTick)) {
      const y = this.y(value);
      addShape(this.svg, "path", { class: "axis", d: `M${left} ${y}h-5` });
      addShape(this.svg, "text", { x: left - 8, y: y + 4, "text-anchor": "end" }, text);
    }
    if (label) addShape(this.svg, "text", { x: left + 6, y: Math.max(top - 16, 12) }, label);
  }

  curve(points, attributes) {
    const d = points.map(([x, y], i) => `${i ? "L" : "M"}${this.x(x).toFixed(1)} ${this.y(y).toFixed(1)}`);
    return addShape(this.svg, "path", { d: d.join(""), fill: "none", "stroke-width": 2, ...attributes });
  }

  dot(x, y, attributes) {
    return addShape(this.svg, "circle", { cx: this.x(x), cy: this.y(y), r: 5, ...attributes });
  }

  text(x, y, text, attributes = {}) {
    return addShape(this.svg, "text", { x: this.x(x), y: this.y(y), ...attributes }, text);
  }

  vertical(x, attributes) {
    const { top, bottom } = this.inner;
    return addShape(this.svg, "path", { d: `M${this.x(x)} ${top}V${bottom}`, "stroke-width": 2, ...attributes });
  }

  // Call with the value of x where the reader presses or drags.
  onDrag(callback) {
    const { svg, x } = this;
    const at = (event) => callback(x.inverse(event.clientX - svg.getBoundingClientRect().left));
    svg.style.touchAction = "pan-y";
    svg.onpointerdown = (event) => { svg.setPointerCapture(event.pointerId); at(event); };
    svg.onpointermove = (event) => { if (event.buttons) at(event); };
  }
}

function asTick(tick) {
  return Array.isArray(tick) ? tick : [tick, String(tick).replace("-", "\u2212")];
}

// A function from numbers to pixels, and back.
function scaleOf([from, to], [start, end], isLog = false) {
  const f = isLog ? Math.log10 : (v) => v;
  const back = isLog ? (v) => 10 ** v : (v) => v;
  const scale = (value) => start + ((f(value) - f(from)) / (f(to) - f(from))) * (end - start);
  scale.inverse = (pixel) => back(f(from) + ((pixel - start) / (end - start)) * (f(to) - f(from)));
  return scale;
}

// Draw now, and again whenever the width changes.
function drawAtEveryWidth(draw) {
  let width = 0;
  new ResizeObserver(() => {
    const now = document.querySelector("main").clientWidth;
    if (now < 100 || now === width) return; // not laid out yet, or nothing new
    width = now;
    draw();
  }).observe(document.querySelector("main"));
}
