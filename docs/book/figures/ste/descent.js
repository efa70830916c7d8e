"use strict";
// Gradient descent of chapter 08: one row of ternary weights learns a teacher's row.
//
// With inputs X (n, 12) the loss is mean (X (w_hat - teacher))^2 = d G d with d = w_hat - teacher and
// G = X^T X / n, and its gradient by w_hat is 2 G d. So the page needs G alone.

function ternarizeRow(w) {
  const mean = w.reduce((sum, v) => sum + Math.abs(v), 0) / w.length;
  const delta = 0.7 * mean;
  const codes = w.map((v) => (Math.abs(v) > delta ? Math.sign(v) : 0));
  const count = codes.reduce((sum, t) => sum + Math.abs(t), 0);
  const total = codes.reduce((sum, t, i) => sum + t * w[i], 0);
  const alpha = count ? total / count : 0;
  return { codes, delta, alpha, rounded: codes.map((t) => alpha * t) };
}

const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);

// What each rule makes of the gradient by w_hat.
const BACKWARD = {
  straight: (gradient) => gradient,
  rounded: (gradient) => gradient,
  // alpha is a mean of |w| over the codes that are not 0, and nothing else depends on w smoothly
  truth: (gradient, codes) => {
    const count = dot(codes, codes);
    return codes.map((t) => (t * dot(gradient, codes)) / count);
  },
};

// -> what a figure shows of one step: latent weights, codes, loss, and the gradient that moves them
function stateOf(latent, rule, { products, teacher }) {
  const fit = ternarizeRow(latent);
  const d = fit.rounded.map((v, i) => v - teacher[i]);
  const Gd = products.map((row) => dot(row, d));
  const w = rule === "rounded" ? fit.rounded : latent;
  const { codes } = ternarizeRow(w);
  const gradient = BACKWARD[rule](Gd.map((v) => 2 * v), codes);
  return { w, codes, delta: 0.7 * dot(w, w.map(Math.sign)) / w.length, loss: dot(d, Gd), gradient };
}

function nextState(state, rate, rule, task) {
  return stateOf(state.w.map((v, i) => v - rate * state.gradient[i]), rule, task);
}
