"use strict";
// Rounds the weights of a model's blocks anew (quant/uniform.py, quant/ternarize.py). Stem and head
// keep their 8 bits, as in the paper.

const LAYERS = ["qkv", "proj", "fc1", "fc2"];

// setting = {bits: 2 to 8 or "ternary", factor: of mean|w|, granularity: "channel" or "layer"}
function quantizeModel(model, setting) {
  const blocks = model.blocks.map((block) => {
    const rounded = LAYERS.map((name) => [name, quantizeLayer(block[name], setting)]);
    return { ...block, ...Object.fromEntries(rounded) };
  });
  return { ...model, blocks };
}

function quantizeLayer(layer, { bits, factor, granularity }) {
  const { outputs, inputs } = layer;
  const rule = bits === "ternary" ? (w) => ternarize(w, factor) : (w) => quantize(w, bits);
  const codes = new Int8Array(layer.codes.length);
  const scale = new Float64Array(outputs);
  if (granularity === "layer") {
    const whole = rule(Float64Array.from(layer.codes, (q, i) => q * layer.scale[Math.floor(i / inputs)]));
    return { ...layer, codes: whole.codes, scale: scale.fill(whole.scale) };
  }
  for (let o = 0; o < outputs; o++) {
    const row = rule(layer.codes.subarray(o * inputs, (o + 1) * inputs));
    codes.set(row.codes, o * inputs);
    scale[o] = row.scale * layer.scale[o];
  }
  return { ...layer, codes, scale };
}

// Equal steps: scale = max|w| / Q, Q = 2^(bits - 1) - 1, codes from -Q to Q.
function quantize(w, bits) {
  let largest = 0;
  for (const value of w) largest = Math.max(largest, Math.abs(value));
  const scale = largest / (2 ** (bits - 1) - 1);
  return { codes: Int8Array.from(w, (value) => (scale ? roundHalfToEven(value / scale) : 0)), scale };
}

// Three values: threshold delta = factor mean|w|, scale = mean of |w| where |w| > delta.
function ternarize(w, factor) {
  let mean = 0;
  for (const value of w) mean += Math.abs(value);
  mean /= w.length;
  const delta = factor * mean;
  const codes = Int8Array.from(w, (value) => (Math.abs(value) > delta ? Math.sign(value) : 0));
  let [sum, count] = [0, 0];
  codes.forEach((code, i) => {
    sum += code * w[i];
    count += Math.abs(code);
  });
  return { codes, scale: count ? sum / count : 0 };
}

// Fraction of the blocks' weights that are 0.
function zeros(model) {
  let [zero, all] = [0, 0];
  for (const block of model.blocks) {
    for (const name of LAYERS) {
      for (const code of block[name].codes) zero += code === 0;
      all += block[name].codes.length;
    }
  }
  return zero / all;
}
