"use strict";
// The page: settings, test pictures and their answers, one picture to draw on, attention, code.

const {
  vit_models: FILES, vit_cifar10: CIFAR10, vit_pictures: PICTURES, vit_accuracy: ACCURACY,
  vit_numpy: NUMPY,
} = window.FIGURE_DATA;
const BITS = [8, 7, 6, 5, 4, 3, 2, "ternary"];
const models = Object.fromEntries(
  Object.entries({ ...FILES, cifar10: CIFAR10.packed }).map(([name, text]) => [name, loadDeiT(bytesOfBase64(text))]),
);
const size = models.ternary.config.image_size;
const pictures = PICTURES.labels.map((label, i) => ({ label, pixels: pixelsOf(i) }));
const view = { model: models.ternary, picture: 0, round: 0 };

function pixelsOf(i) {
  pixelsOf.all ??= bytesOfBase64(PICTURES.pixels);
  const length = 3 * size * size;
  return pixelsOf.all.subarray(i * length, (i + 1) * length);
}

// ------------------------------------------------------------------------------------- settings
function setting() {
  return {
    bits: BITS[byId("bits").value],
    factor: Number(byId("factor").value),
    granularity: chosen("granularity"),
  };
}

// The name of a setting in the table of stored results (docs/book/figure_data/vit.py).
function resultName(weights, { bits, factor, granularity }) {
  if (weights === "ternary") return weights;
  const rule = bits === "ternary" ? `ternary ${factor.toFixed(1)}` : bits;
  return `${weights} ${rule} ${granularity}`;
}

function settingsChanged() {
  const weights = chosen("weights");
  const s = setting();
  const asStored = weights === "ternary" || weights === "cifar10";
  byId("rounding").disabled = asStored;
  byId("factor").disabled = asStored || s.bits !== "ternary";
  byId("bits-text").textContent = s.bits === "ternary" ? "three values" : `${s.bits} bits`;
  byId("factor-text").textContent = `${fixed(s.factor, 1)} mean |w|`;
  view.model = asStored ? models[weights] : quantizeModel(models[weights], s);
  byId("zeros").textContent = percent(zeros(view.model));
  byId("bits-each").textContent = asStored || s.bits === "ternary" ? "1.6" : s.bits;
  const { image_size, patch_size } = view.model.config;
  byId("patch").max = (image_size / patch_size) ** 2 - 1;
  for (const part of document.querySelectorAll(".shapes")) part.hidden = weights === "cifar10";
  pictureChanged();
  if (weights === "cifar10") {
    showAccuracy(CIFAR10.percent / 100, CIFAR10.of);
    view.round++; // ends a classification of all pictures
  } else {
    showAccuracy(ACCURACY.correct[resultName(weights, s)] / ACCURACY.of, ACCURACY.of);
    classifyAll();
  }
}

function showAccuracy(fraction, count) {
  byId("accuracy").textContent = percent(fraction, 2);
  byId("of").textContent = count.toLocaleString("en");
}

// ------------------------------------------------------------------------------- test pictures
function makePictures() {
  pictures.forEach((picture, i) => {
    const label = addElement(byId("pictures"), "label");
    const radio = addElement(label, "input", { type: "radio", name: "picture", value: i });
    const canvas = addElement(label, "canvas", { width: size, height: size, "aria-hidden": true });
    showPixels(canvas, picture.pixels, size);
    picture.text = addElement(label, "span", {}, "\u2026");
    radio.checked = i === view.picture;
    radio.addEventListener("change", () => choosePicture(i));
  });
}

function choosePicture(i) {
  view.picture = i;
  drawing.set(pictures[i].pixels);
  pictureChanged();
}

// Classify picture after picture, and let the reader's hand come first.
async function classifyAll() {
  const round = ++view.round;
  const { classes } = view.model;
  let right = 0;
  byId("right").textContent = "\u2026";
  for (const picture of pictures) {
    const { logits } = classify(picture.pixels, view.model);
    const answer = logits.indexOf(Math.max(...logits));
    picture.logits = logits;
    const isRight = answer === picture.label;
    right += isRight;
    picture.text.className = isRight ? "" : "wrong";
    picture.text.textContent = isRight ? classes[answer] : `\u2717 ${classes[answer]}`;
    picture.text.parentElement.title = `a ${classes[picture.label]}`;
    picture.text.previousSibling.previousSibling.setAttribute(
      "aria-label",
      `a ${classes[picture.label]}, answer ${classes[answer]}, ${isRight ? "right" : "wrong"}`,
    );
    await new Promise((next) => setTimeout(next));
    if (round !== view.round) return;
  }
  byId("right").textContent = right;
  announce(`${byId("accuracy").textContent} of the test pictures right, ${right} of these 40.`);
}

// --------------------------------------------------------------------------------- one picture
function pictureChanged() {
  const start = performance.now();
  view.result = classify(drawing.pixels, view.model);
  byId("time").textContent = `${fixed(performance.now() - start, 0)} ms`;
  const probabilities = Float64Array.from(view.result.logits);
  softmax(probabilities);
  const body = byId("answers").tBodies[0];
  body.textContent = "";
  const highest = Math.max(...probabilities);
  view.model.classes.forEach((name, i) => {
    const p = probabilities[i];
    const row = addElement(body, "tr", p === highest ? { class: "first" } : {});
    addElement(row, "th", { scope: "row" }, name);
    const bar = addElement(row, "td", { class: "bar", "aria-hidden": true });
    addElement(bar, "div", { style: `width: ${100 * p}%` });
    addElement(row, "td", {}, percent(p, 0));
  });
  showMaps();
}

function rgb(id) {
  const code = byId(id).value;
  return [1, 3, 5].map((i) => parseInt(code.slice(i, i + 2), 16));
}

// ----------------------------------------------------------------------------------- attention
function showMaps() {
  const { image_size, patch_size } = view.model.config;
  const side = image_size / patch_size;
  const query = Number(byId("patch").value);
  const place = (patch) => `row ${Math.floor(patch / side) + 1}, column ${(patch % side) + 1}`;
  byId("patch-text").textContent = place(query);
  byId("maps").textContent = "";
  const count = view.result.probs[0].length; // whole blocks in each row
  byId("maps").style.setProperty("--heads", count);
  byId("maps").style.setProperty("--in-a-row", count * Math.max(1, Math.floor(4 / count)));
  view.result.probs.forEach((heads, block) => heads.forEach((probs, head) => {
    const row = probs.subarray(query * side * side, (query + 1) * side * side);
    const most = Math.max(...row);
    const figure = addElement(byId("maps"), "figure");
    const canvas = addElement(figure, "canvas", { width: 256, height: 256, role: "img" });
    const title = `block ${block + 1}, head ${head + 1}`;
    const text = `${title}: most attention, ${percent(most, 0)}, to ${place(row.indexOf(most))}`;
    canvas.setAttribute("aria-label", text);
    drawMap(canvas, row, side, query);
    canvas.addEventListener("click", (event) => {
      const at = (offset, length) => Math.min(Math.floor((offset / length) * side), side - 1);
      const column = at(event.offsetX, canvas.clientWidth);
      byId("patch").value = at(event.offsetY, canvas.clientHeight) * side + column;
      showMaps();
    });
    addElement(figure, "figcaption", {}, `${title}: at most ${percent(most, 0)}`);
  }));
}

// The picture, covered where there is little attention.
function drawMap(canvas, row, side, query) {
  const context = canvas.getContext("2d");
  const plain = new OffscreenCanvas(size, size);
  showPixels(plain, drawing.pixels, size);
  context.imageSmoothingEnabled = false;
  context.drawImage(plain, 0, 0, canvas.width, canvas.height);
  const cell = canvas.width / side;
  const most = Math.max(...row);
  context.fillStyle = colour("paper");
  row.forEach((p, i) => {
    context.globalAlpha = 0.92 * (1 - p / most);
    context.fillRect((i % side) * cell, Math.floor(i / side) * cell, cell, cell);
  });
  context.globalAlpha = 1;
  context.lineWidth = 6;
  context.strokeStyle = colour("plus");
  const [x, y] = [(query % side) * cell, Math.floor(query / side) * cell];
  context.strokeRect(x + 3, y + 3, cell - 6, cell - 6);
}

// ---------------------------------------------------------------------------------------- code
function showCode() {
  const name = byId("function").value;
  byId("numpy").textContent = NUMPY[name];
  byId("script").textContent = window[name].toString();
}

// Compare with the logits that the library computed in float64.
function showCheck() {
  let largest = 0;
  pictures.forEach(({ pixels }, i) => {
    const { logits } = classify(pixels, models.ternary);
    logits.forEach((z, c) => { largest = Math.max(largest, Math.abs(z - PICTURES.logits[i][c])); });
  });
  byId("check").textContent =
    `Logits of 40 pictures, in float64 both times: they differ by at most ${largest.toExponential(0).replace("-", "\u2212")}.`;
}

const drawing = new Drawing(byId("canvas"), size, () => rgb("pen"), pictureChanged);
makePictures();
drawing.set(pictures[0].pixels);
for (const name of Object.keys(NUMPY)) addElement(byId("function"), "option", {}, name);
byId("function").value = "linear";
byId("function").addEventListener("change", showCode);
for (const input of document.querySelectorAll("fieldset input")) {
  input.addEventListener("input", settingsChanged);
}
byId("patch").addEventListener("input", showMaps);
byId("undo").addEventListener("click", () => choosePicture(view.picture));
byId("clear").addEventListener("click", () => {
  const ground = rgb("ground");
  drawing.set(Uint8ClampedArray.from({ length: 3 * size * size }, (_, i) => ground[i % 3]));
  pictureChanged();
});
byId("file").addEventListener("change", async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  drawing.set(await pixelsOfFile(file, size));
  pictureChanged();
});
window.addEventListener("themechange", showMaps);
byId("compare").addEventListener("click", showCheck);
showCode();
settingsChanged();
