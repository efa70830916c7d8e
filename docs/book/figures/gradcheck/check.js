"use strict";
// The gradient check of chapter 01, in float64 or with every operation rounded to float32.
// Arrays are lists of rows.

const ROUND = { float64: (v) => v, float32: Math.fround };

const transposed = (a) => a[0].map((_, j) => a.map((row) => row[j]));
const each = (a, f) => a.map((row, i) => row.map((v, j) => f(v, i, j)));

// a b^T
function product(a, b, round) {
  return a.map((row) => b.map((other) => {
    let sum = 0;
    for (let i = 0; i < row.length; i++) sum = round(sum + round(row[i] * other[i]));
    return sum;
  }));
}

function forward(x, W, layer, round) {
  const y = product(x, W, round);
  return layer === "tanh" ? each(y, (v) => round(Math.tanh(v))) : y;
}

// Each backward pass takes dy behind the tanh, x and W, and returns dx and dW.
const MISTAKES = {
  "right code": (dy, x, W, by) => [by(dy, transposed(W)), by(transposed(dy), transposed(x))],
  "sign of dx": (dy, x, W, by) => [
    each(by(dy, transposed(W)), (v) => -v), by(transposed(dy), transposed(x)),
  ],
  "W transposed in dx": (dy, x, W, by) => [by(dy, W), by(transposed(dy), transposed(x))],
  "dy forgotten in dW": (dy, x, W, by) => [
    by(dy, transposed(W)), by(transposed(each(dy, () => 1)), transposed(x)),
  ],
  "outputs exchanged in dW": (dy, x, W, by) => [
    by(dy, transposed(W)), by(transposed(dy.map((row) => [...row].reverse())), transposed(x)),
  ],
  "mean instead of sum": (dy, x, W, by) => [
    by(dy, transposed(W)), each(by(transposed(dy), transposed(x)), (v) => v / dy.length),
  ],
  "1 % too much in dW": (dy, x, W, by) => [
    by(dy, transposed(W)), each(by(transposed(dy), transposed(x)), (v) => 1.01 * v),
  ],
};

// Gradient of sum(dy f(a)) by each entry of a.
function differences(f, a, dy, h, sides, round) {
  const step = round(h);
  const moved = (i, j, by) => each(a, (v, n, m) => (n === i && m === j ? round(v + by) : v));
  const start = sides === "up" ? f(a) : null;
  return each(a, (_, i, j) => {
    const above = f(moved(i, j, step));
    const below = start ?? f(moved(i, j, -step));
    let sum = 0;
    above.forEach((row, n) => row.forEach((v, m) => {
      sum = round(sum + round(dy[n][m] * round(v - below[n][m])));
    }));
    return round(sum / (sides === "up" ? step : round(2 * step)));
  });
}

// Largest deviation over the largest entry; dx may be 0, so at least over a thousandth.
function deviation(analytic, numeric) {
  let [most, largest] = [0, 1e-3];
  numeric.forEach((row, i) => row.forEach((v, j) => {
    most = Math.max(most, Math.abs(analytic[i][j] - v));
    largest = Math.max(largest, Math.abs(v));
  }));
  return most / largest;
}

// -> {mistake: [error of dx, error of dW]} of those in `names`
function check({ layer, precision, sides, upstream, weights, h }, arrays, names = Object.keys(MISTAKES)) {
  const round = ROUND[precision];
  const x = each(arrays.x, round);
  const W = each(arrays.W, (v) => (weights === "zeros" ? 0 : round(v)));
  const dy = each(arrays.dy, (v) => (upstream === "ones" ? 1 : round(v)));
  const ofX = differences((v) => forward(v, W, layer, round), x, dy, h, sides, round);
  const ofW = differences((v) => forward(x, v, layer, round), W, dy, h, sides, round);
  const y = forward(x, W, layer, round);
  const before = layer === "tanh" ? each(dy, (v, n, m) => round(v * round(1 - round(y[n][m] ** 2)))) : dy;
  const by = (a, b) => product(a, b, round);
  return Object.fromEntries(names.map((name) => {
    const [dx, dW] = MISTAKES[name](before, x, W, by);
    return [name, [deviation(dx, ofX), deviation(dW, ofW)]];
  }));
}
