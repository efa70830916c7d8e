"use strict";
// The layers of a vision transformer, forward. A matrix has one token in a row:
// {rows, columns, data}, data a flat array of floats of 64 bits.

function matrix(rows, columns, data = new Float64Array(rows * columns)) {
  return { rows, columns, data };
}

// As np.rint. Above 2^52 floats are whole, so the processor rounds the sum, halves to even.
function roundHalfToEven(x) {
  const shift = 1.5 * 2 ** 52;
  return x + shift - shift;
}

// Round each row to 8 bits: x is nearly scale * codes, codes whole numbers from -127 to 127.
function quantizeRows(x) {
  const codes = new Int8Array(x.data.length);
  const scale = new Float64Array(x.rows);
  for (let t = 0; t < x.rows; t++) {
    const start = t * x.columns;
    let largest = 0;
    for (let i = 0; i < x.columns; i++) {
      largest = Math.max(largest, Math.abs(x.data[start + i]));
    }
    scale[t] = largest / 127;
    if (scale[t] === 0) continue; // a row of zeros
    for (let i = 0; i < x.columns; i++) {
      codes[start + i] = roundHalfToEven(x.data[start + i] / scale[t]);
    }
  }
  return { codes, scale };
}

// y = x W^T + b, a sum of products of whole numbers; scales multiply it once, at the end.
function linear(x, layer) {
  const { outputs, inputs, codes, scale, bias } = layer;
  const y = matrix(x.rows, outputs);
  const token = quantizeRows(x);
  for (let t = 0; t < x.rows; t++) {
    for (let o = 0; o < outputs; o++) {
      let sum = 0;
      for (let i = 0; i < inputs; i++) {
        sum += token.codes[t * inputs + i] * codes[o * inputs + i]; // ternary: +, - or nothing
      }
      y.data[t * outputs + o] = sum * token.scale[t] * scale[o] + bias[o];
    }
  }
  return y;
}

function layernorm(x, { gamma, beta }) {
  const y = matrix(x.rows, x.columns);
  for (let t = 0; t < x.rows; t++) {
    const row = x.data.subarray(t * x.columns, (t + 1) * x.columns);
    let mean = 0;
    for (const value of row) mean += value / x.columns;
    let variance = 0;
    for (const value of row) variance += (value - mean) ** 2 / x.columns;
    const rstd = 1 / Math.sqrt(variance + 1e-6);
    for (let i = 0; i < x.columns; i++) {
      y.data[t * x.columns + i] = (row[i] - mean) * rstd * gamma[i] + beta[i];
    }
  }
  return y;
}

// Softmax of a row, in place.
function softmax(row) {
  const largest = Math.max(...row); // exp of at most 0 never overflows
  let sum = 0;
  for (let j = 0; j < row.length; j++) {
    row[j] = Math.exp(row[j] - largest);
    sum += row[j];
  }
  for (let j = 0; j < row.length; j++) row[j] /= sum;
}

// A row of qkv holds q, k and v of a token, each of them all heads side by side.
// -> {mixed (T, D), probs: for each head an array (T, T), row = query, column = key}
function attention(qkv, heads) {
  const tokens = qkv.rows;
  const dim = qkv.columns / 3;
  const headDim = dim / heads;
  const mixed = matrix(tokens, dim);
  const probs = [];
  for (let h = 0; h < heads; h++) {
    const p = new Float64Array(tokens * tokens);
    for (let t = 0; t < tokens; t++) {
      const q = t * 3 * dim + h * headDim;
      const row = p.subarray(t * tokens, (t + 1) * tokens);
      for (let s = 0; s < tokens; s++) {
        const k = s * 3 * dim + dim + h * headDim;
        for (let c = 0; c < headDim; c++) row[s] += qkv.data[q + c] * qkv.data[k + c];
        row[s] *= headDim ** -0.5;
      }
      softmax(row);
      for (let s = 0; s < tokens; s++) {
        const v = s * 3 * dim + 2 * dim + h * headDim;
        for (let c = 0; c < headDim; c++) {
          mixed.data[t * dim + h * headDim + c] += row[s] * qkv.data[v + c];
        }
      }
    }
    probs.push(p);
  }
  return { mixed, probs };
}

// erf(x) = 2 / sqrt(pi) exp(-x^2) (x + 2 x^3 / 3 + 4 x^5 / 15 + ...), all terms of one sign.
function erf(x) {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

function gelu(x) {
  return matrix(x.rows, x.columns, x.data.map((v) => v * 0.5 * (1 + erf(v / Math.SQRT2))));
}

// Cut a picture into patches, each a row of (channel, row, column).  (3, S, S) -> (N, 3 P P)
function patchify(picture, size, patch) {
  const grid = size / patch;
  const x = matrix(grid * grid, 3 * patch * patch);
  let i = 0;
  for (let row = 0; row < size; row += patch) {
    for (let column = 0; column < size; column += patch) {
      for (let channel = 0; channel < 3; channel++) {
        for (let y = row; y < row + patch; y++) {
          for (let z = column; z < column + patch; z++) {
            x.data[i++] = picture[(channel * size + y) * size + z];
          }
        }
      }
    }
  }
  return x;
}

// Gather the 3 x 3 window of each output pixel; outside of the map it is 0. A map has a pixel in a
// row.  (H W, C) -> (Ho Wo, 9 C), ordered (row, column, channel)
function im2col(map, width, stride) {
  const channels = map.columns;
  const height = map.rows / width;
  const outWidth = Math.ceil(width / stride);
  const x = matrix(Math.ceil(height / stride) * outWidth, 9 * channels);
  for (let n = 0; n < x.rows; n++) {
    const top = Math.floor(n / outWidth) * stride - 1;
    const left = (n % outWidth) * stride - 1;
    for (let w = 0; w < 9; w++) {
      const row = top + Math.floor(w / 3);
      const column = left + (w % 3);
      if (row < 0 || row >= height || column < 0 || column >= width) continue;
      const pixel = (row * width + column) * channels;
      x.data.set(map.data.subarray(pixel, pixel + channels), (n * 9 + w) * channels);
    }
  }
  return x;
}
