"use strict";
// DeiT (Touvron et al. 2021), forward: patches -> tokens + positions -> blocks -> norm -> mean of
// all tokens -> head. Names are those of models/deit.py.

// -> {config, classes, mean, std, stem, positions, blocks, norm, head}
function loadDeiT(bytes) {
  const { arrays, metadata } = readSafetensors(bytes);
  const config = JSON.parse(metadata.config);
  const { classes, mean, std } = JSON.parse(metadata.extra);
  const { dim, depth, patch_size: patch, num_classes: classCount } = config;
  if (JSON.parse(metadata.model) !== "DeiT" || config.pool !== "mean" || config.gelu !== "erf") {
    throw new Error("this page runs a DeiT with a mean of all tokens and the exact GELU");
  }
  const floats = (name) => Float64Array.from(arrays[name].data);
  const layer = (name, outputs, inputs) => ({
    outputs,
    inputs,
    codes: readCodes(arrays[`${name}.codes`], outputs * inputs),
    scale: perChannel(floats(`${name}.scale`), outputs),
    bias: floats(`${name}.bias`),
  });
  const norm = (name) => ({ gamma: floats(`${name}.weight`), beta: floats(`${name}.bias`) });
  const convolution = (name, outputs, channels) => {
    const plain = layer(name, outputs, 9 * channels);
    return { ...plain, codes: channelsLast(plain.codes, outputs, channels) };
  };
  const stems = {
    linear: () => [layer("patch_embed.proj", dim, 3 * patch * patch)],
    conv3: () => [
      convolution("patch_embed.conv1", 32, 3),
      convolution("patch_embed.conv2", 64, 32),
      convolution("patch_embed.proj", dim, 64),
    ],
  };
  const hidden = dim * config.mlp_ratio;
  const blocks = Array.from({ length: depth }, (_, i) => ({
    norm1: norm(`blocks.${i}.norm1`),
    qkv: layer(`blocks.${i}.attn.qkv`, 3 * dim, dim),
    proj: layer(`blocks.${i}.attn.proj`, dim, dim),
    norm2: norm(`blocks.${i}.norm2`),
    fc1: layer(`blocks.${i}.mlp.fc1`, hidden, dim),
    fc2: layer(`blocks.${i}.mlp.fc2`, dim, hidden),
  }));
  return {
    config, classes, mean, std, blocks,
    stem: stems[config.stem](),
    positions: floats("pos_embed"),
    norm: norm("norm"),
    head: layer("head", classCount, dim),
  };
}

// One scale for all channels stands for one each.
function perChannel(scale, outputs) {
  return scale.length === 1 ? new Float64Array(outputs).fill(scale[0]) : scale;
}

// The order of im2col.  (O, C, 3, 3) -> (O, 3, 3, C)
function channelsLast(codes, outputs, channels) {
  const moved = new Int8Array(codes.length);
  for (let o = 0; o < outputs; o++) {
    for (let c = 0; c < channels; c++) {
      for (let w = 0; w < 9; w++) {
        moved[(o * 9 + w) * channels + c] = codes[(o * channels + c) * 9 + w];
      }
    }
  }
  return moved;
}

// Bytes to the numbers that the model takes, in float32 as data_tools/preprocessing.py.
// uint8 (S, S, 3) -> (3, S, S)
function normalise(pixels, { mean, std }) {
  const count = pixels.length / 3;
  const picture = new Float64Array(pixels.length);
  for (let channel = 0; channel < 3; channel++) {
    const [m, s] = [Math.fround(mean[channel]), Math.fround(std[channel])];
    for (let i = 0; i < count; i++) {
      const centred = Math.fround(Math.fround(pixels[3 * i + channel] / 255) - m);
      picture[channel * count + i] = Math.fround(centred / s);
    }
  }
  return picture;
}

function add(x, y) {
  return matrix(x.rows, x.columns, x.data.map((value, i) => value + y.data[i]));
}

// -> tokens (T, D)
function embed(picture, { config, stem }) {
  const size = config.image_size;
  if (config.stem === "linear") {
    return linear(patchify(picture, size, config.patch_size), stem[0]);
  }
  let map = patchify(picture, size, 1); // a pixel in a row
  map = gelu(linear(im2col(map, size, 2), stem[0]));
  map = gelu(linear(im2col(map, size / 2, 1), stem[1]));
  return linear(im2col(map, size / 2, 2), stem[2]);
}

// -> {y (T, D), probs: attention of each head}
function runBlock(x, block, heads) {
  const { mixed, probs } = attention(linear(layernorm(x, block.norm1), block.qkv), heads);
  const attended = add(x, linear(mixed, block.proj));
  const hidden = gelu(linear(layernorm(attended, block.norm2), block.fc1));
  return { y: add(attended, linear(hidden, block.fc2)), probs };
}

// uint8 (S, S, 3) -> {logits (C,), probs[block][head] (T, T)}
function classify(pixels, model) {
  let x = embed(normalise(pixels, model), model);
  x = matrix(x.rows, x.columns, x.data.map((value, i) => value + model.positions[i]));
  const probs = [];
  for (const block of model.blocks) {
    const out = runBlock(x, block, model.config.heads);
    x = out.y;
    probs.push(out.probs);
  }
  x = layernorm(x, model.norm);
  const pooled = matrix(1, x.columns);
  x.data.forEach((value, i) => { pooled.data[i % x.columns] += value / x.rows; });
  return { logits: linear(pooled, model.head).data, probs };
}
