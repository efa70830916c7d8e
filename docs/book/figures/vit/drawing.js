"use strict";
// A picture of bytes on a canvas, to draw on with a pointer or with keys.

const RADIUS = 1.7; // of the pen, in pixels

// `changed` is called after each stroke; `penColour` returns [red, green, blue].
class Drawing {
  constructor(canvas, size, penColour, changed) {
    Object.assign(this, { canvas, size, penColour, changed });
    this.pixels = new Uint8ClampedArray(size * size * 3);
    this.pen = { x: size / 2, y: size / 2 };
    this.last = null; // where the pointer was, while it is down
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.moveTo(event);
    });
    canvas.addEventListener("pointermove", (event) => this.last && this.moveTo(event));
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => { this.last = null; });
    }
    canvas.addEventListener("keydown", (event) => this.key(event));
    for (const kind of ["focus", "blur"]) canvas.addEventListener(kind, () => this.show());
  }

  set(pixels) {
    this.pixels = Uint8ClampedArray.from(pixels);
    this.show();
  }

  moveTo(event) {
    const box = this.canvas.getBoundingClientRect();
    const to = {
      x: ((event.clientX - box.left) / box.width) * this.size,
      y: ((event.clientY - box.top) / box.height) * this.size,
    };
    const from = this.last ?? to;
    const steps = Math.ceil(Math.hypot(to.x - from.x, to.y - from.y)) || 1;
    for (let i = 1; i <= steps; i++) {
      this.dot(from.x + ((to.x - from.x) * i) / steps, from.y + ((to.y - from.y) * i) / steps);
    }
    this.last = to;
    this.pen = to;
    this.show();
    this.changed();
  }

  key(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.key in moves) {
      const within = (value) => Math.min(Math.max(value, 0.5), this.size - 0.5);
      this.pen.x = within(this.pen.x + moves[event.key][0]);
      this.pen.y = within(this.pen.y + moves[event.key][1]);
    } else if (event.key === " ") {
      this.dot(this.pen.x, this.pen.y);
      this.changed();
    } else {
      return;
    }
    event.preventDefault();
    this.show();
  }

  // Paint a disk whose edge is one pixel wide.
  dot(x, y) {
    const ink = this.penColour();
    for (let row = 0; row < this.size; row++) {
      for (let column = 0; column < this.size; column++) {
        const distance = Math.hypot(column + 0.5 - x, row + 0.5 - y);
        const coverage = Math.min(Math.max(RADIUS + 0.5 - distance, 0), 1);
        const i = 3 * (row * this.size + column);
        for (let c = 0; c < 3; c++) this.pixels[i + c] += coverage * (ink[c] - this.pixels[i + c]);
      }
    }
  }

  show() {
    showPixels(this.canvas, this.pixels, this.size);
    if (document.activeElement === this.canvas) {
      const context = this.canvas.getContext("2d");
      context.fillStyle = "#ff00ff";
      context.fillRect(Math.floor(this.pen.x), Math.floor(this.pen.y), 1, 1);
    }
  }
}

function showPixels(canvas, pixels, size) {
  const image = new ImageData(size, size);
  for (let i = 0; i < size * size; i++) {
    image.data.set(pixels.subarray(3 * i, 3 * i + 3), 4 * i);
    image.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
}

// The middle square of a picture file, made as small as the model's pictures.
async function pixelsOfFile(file, size) {
  const picture = await createImageBitmap(file);
  const side = Math.min(picture.width, picture.height);
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  const [left, top] = [(picture.width - side) / 2, (picture.height - side) / 2];
  context.drawImage(picture, left, top, side, side, 0, 0, size, size);
  const { data } = context.getImageData(0, 0, size, size);
  return Uint8ClampedArray.from({ length: 3 * size * size }, (_, i) => data[4 * Math.floor(i / 3) + (i % 3)]);
}
