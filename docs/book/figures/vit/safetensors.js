"use strict";
// Reads the library's packed files (deploy/writing.py): a safetensors container,
//
//     [n: uint64] [header: n bytes of JSON] [data]
//     header = {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...}
//
// whose ternary codes are packed five to a byte.

const ARRAY_TYPES = { F32: Float32Array, I8: Int8Array, U8: Uint8Array };

function bytesOfBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

// -> {arrays: {name: {shape, data}}, metadata: {key: text}}
function readSafetensors(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 8 + Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const { __metadata__: metadata = {}, ...entries } = header;
  const arrays = {};
  for (const [name, { dtype, shape, data_offsets: [begin, end] }] of Object.entries(entries)) {
    if (!(dtype in ARRAY_TYPES)) throw new Error(`${name} has the dtype ${dtype}`);
    const copy = bytes.slice(start + begin, start + end); // its first byte is aligned
    arrays[name] = { shape, data: new ARRAY_TYPES[dtype](copy.buffer) };
  }
  return { arrays, metadata };
}

// Ternary codes from five to a byte (deploy/base3.py): the integer part of 3 b / 256 is a digit,
// the rest of it is the byte of the next digit.  uint8 (n,) -> int8 (count,)
function decodeBase3(bytes, count) {
  const codes = new Int8Array(bytes.length * 5);
  bytes.forEach((byte, n) => {
    let b = byte;
    for (let i = 0; i < 5; i++) {
      codes[5 * n + i] = ((3 * b) >> 8) - 1;
      b = (3 * b) & 255;
    }
  });
  return codes.subarray(0, count);
}

// Codes of one weight: 8-bit ones as they are, ternary ones decoded.  -> int8 (count,)
function readCodes({ data }, count) {
  if (data instanceof Int8Array && data.length === count) return data;
  if (data instanceof Uint8Array && data.length === Math.ceil(count / 5)) {
    return decodeBase3(data, count);
  }
  throw new Error(`${data.length} bytes are neither ${count} ternary nor ${count} 8-bit codes`);
}
