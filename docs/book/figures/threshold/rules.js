"use strict";
// Three values for a row of weights (quant/ternarize.py), and rows to try them on.

const COUNT = 20000; // weights of a row that is computed here, as in chapter 12

// Magnitudes at the middle of 20,000 equal shares of each distribution; signs alternate.
const QUANTILES = {
  uniform: (u) => u,
  Gaussian: (u) => bisect((z) => erf(z / Math.SQRT2) - u, 0, 6),
  Laplace: (u) => -Math.log1p(-u),
};

function quantiles(name) {
  const share = (i) => (i + 0.5) / COUNT;
  return Array.from({ length: COUNT }, (_, i) => QUANTILES[name](share(i)) * (i % 2 ? 1 : -1));
}

// The zero of a rising function.
function bisect(f, low, high) {
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (f(middle) < 0) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

// A row with its sorted magnitudes and their sums: sums[k] is that of the k largest.
function measured(weights) {
  const sorted = weights.map(Math.abs).sort((a, b) => b - a);
  const sums = [0];
  for (const size of sorted) sums.push(sums.at(-1) + size);
  const squares = sorted.reduce((sum, size) => sum + size * size, 0);
  return { weights, sorted, sums, squares, mean: sums.at(-1) / sorted.length };
}

// Number of weights beyond a threshold: those on it become 0.
function countBeyond({ sorted }, delta) {
  let [beyond, within] = [-1, sorted.length];
  while (within - beyond > 1) {
    const middle = Math.floor((beyond + within) / 2);
    if (sorted[middle] > delta) beyond = middle;
    else within = middle;
  }
  return within;
}

function scaleOfRule(row, k, rule) {
  const rules = {
    support: () => (k ? row.sums[k] / k : 0),
    mean: () => row.mean,
    largest: () => row.sorted[0],
  };
  return rules[rule]();
}

// sum (w - alpha t)^2 / sum w^2 with k weights that are not 0
function errorOf(row, k, alpha) {
  return (row.squares - 2 * alpha * row.sums[k] + k * alpha * alpha) / row.squares;
}

// The threshold of least error: the k largest weights keep a code, S_k^2 / k is largest.
function exactThreshold(row) {
  let best = 1;
  const gain = (k) => row.sums[k] ** 2 / k;
  for (let k = 2; k <= row.sorted.length; k++) if (gain(k) > gain(best)) best = k;
  return row.sums[best] / best / 2;
}

// -> {delta, scale: the rule of alpha}
const RULES = {
  twn: (row) => ({ delta: 0.7 * row.mean, scale: "support" }),
  exact: (row) => ({ delta: exactThreshold(row), scale: "support" }),
  absmean: (row) => ({ delta: 0.5 * row.mean, scale: "mean" }),
  largest: (row) => ({ delta: row.sorted[0] / 2, scale: "largest" }),
};
