"use strict";

/* The scene, with its packed values taken out. A table of values is {rows, columns, at(row, column)}. */

/** A half float from its 16 bits. */
function fromHalf(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 0x1f, fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? NaN : sign * Infinity;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -14 * (fraction / 1024);
}

/** Values (rows, columns), or (rows,) with one column, from half floats in base64, lowest byte first. */
function unpack(packed) {
  const bytes = atob(packed.data), rows = packed.shape[0], columns = packed.shape[1] ?? 1;
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < values.length; i++) {
    values[i] = fromHalf(bytes.charCodeAt(2 * i) | (bytes.charCodeAt(2 * i + 1) << 8));
  }
  return { rows, columns, values, at: (row, column) => values[row * columns + column] };
}

function readScene() {
  const scene = JSON.parse(document.getElementById("data").textContent);
  for (const example of scene.examples) {
    example.inputs = example.inputs && unpack(example.inputs);
    example.wanted = example.wanted && unpack(example.wanted);
  }
  for (const side of scene.sides) {
    side.traced = side.traced.map(unpack);
    for (const watched of side.watched) watched.values = watched.values.map(unpack);
  }
  return scene;
}

const scene = readScene();

/** The values of a name in one model, or undefined if it has no such name. */
function watchedOf(side, key) {
  return scene.sides[side].watched.find((watched) => watched.key === key);
}

/** All values of some columns over some examples, in one row. */
function gather(watched, examples, columns) {
  const found = [];
  for (const example of examples) {
    const table = watched.values[example];
    for (let step = 0; step < table.rows; step++) for (const column of columns) found.push(table.at(step, column));
  }
  return found;
}

/** The mean and the deviation of each column over all examples. */
function momentsOf(watched) {
  if (watched.moments) return watched.moments;
  const every = watched.values.map((_, example) => example);
  watched.moments = watched.units.map((_, column) => {
    const values = gather(watched, every, [column]).filter(Number.isFinite);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const square = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    return { mean, deviation: Math.sqrt(square) };
  });
  return watched.moments;
}

/** The labels of some steps as a text; characters stand without spaces between them. */
function joined(labels) {
  return labels.join(labels.every((label) => [...label].length === 1) && scene.kind === "tokens" ? "" : " ");
}

/** A number in few digits. */
function few(value) {
  if (value === null || !Number.isFinite(value)) return "not finite";
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e4 || size < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(3)));
}
