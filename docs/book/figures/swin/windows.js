"use strict";
// Windows of a rolled map (ops/windows.py), and who may attend to whom: chapter 16's definition.

const SIDE = 8; // of the map

// The token at each place of the map after np.roll by -shift in both axes.
function rolledMap(shift) {
  return Array.from({ length: SIDE * SIDE }, (_, place) => {
    const [row, column] = [Math.floor(place / SIDE), place % SIDE];
    return ((row + shift) % SIDE) * SIDE + ((column + shift) % SIDE);
  });
}

// The tokens of each window, in the order of its rows.
function windowsOf(shift, side) {
  const rolled = rolledMap(shift);
  const across = SIDE / side;
  return Array.from({ length: across * across }, (_, w) => {
    const [top, left] = [Math.floor(w / across) * side, (w % across) * side];
    return Array.from({ length: side * side }, (__, i) =>
      rolled[(top + Math.floor(i / side)) * SIDE + left + (i % side)]);
  });
}

// Two tokens of a window may attend to each other if they are as far apart on the map as in it.
function mayAttend(tokens, side, i, j) {
  const difference = (a, b, width) =>
    [Math.floor(a / width) - Math.floor(b / width), (a % width) - (b % width)].join();
  return difference(tokens[i], tokens[j], SIDE) === difference(i, j, side);
}

// Fraction of the pairs of a window that are masked.
function maskedFraction(tokens, side) {
  let masked = 0;
  tokens.forEach((_, i) => tokens.forEach((__, j) => { masked += !mayAttend(tokens, side, i, j); }));
  return masked / tokens.length ** 2;
}
