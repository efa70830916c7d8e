"use strict";
// LayerNorm of a row of three numbers (ops/layernorm.py), gamma 1, beta 0, eps 0.

// Two axes of the plane at a right angle to (1, 1, 1), as in chapter 03.
const AXES = [[1, -1, 0], [1, 1, -2]].map((axis) => {
  const length = Math.hypot(...axis);
  return axis.map((v) => v / length);
});

const mean = (row) => row.reduce((sum, v) => sum + v, 0) / row.length;
const times = (a, b) => a.map((v, i) => v * b[i]);
const fromPlane = ([a, b], constant = 0) => AXES[0].map((v, i) => a * v + b * AXES[1][i] + constant);
const toPlane = (row) => AXES.map((axis) => times(row, axis).reduce((sum, v) => sum + v, 0));

function layernorm(x) {
  const mu = mean(x);
  const rstd = 1 / Math.sqrt(mean(x.map((v) => (v - mu) ** 2)));
  return { xhat: x.map((v) => (v - mu) * rstd), rstd, mu };
}

// dx = rstd (g - mean(g) - xhat mean(g xhat)); wrong ones leave a part of g in
function layernormBackward(g, { xhat, rstd }, mistake = "right") {
  const alongOnes = mistake === "mu" || mistake === "both" ? 0 : mean(g);
  const alongXhat = mistake === "std" || mistake === "both" ? 0 : mean(times(g, xhat));
  return g.map((v, i) => rstd * (v - alongOnes - xhat[i] * alongXhat));
}

// Gradient of sum(g layernorm(x)) by finite differences.
function numericGradient(x, g, h = 1e-5) {
  const loss = (row) => times(g, layernorm(row).xhat).reduce((sum, v) => sum + v, 0);
  return x.map((_, i) => {
    const moved = (by) => x.map((v, n) => (n === i ? v + by : v));
    return (loss(moved(h)) - loss(moved(-h))) / (2 * h);
  });
}
