/** Flat colour stays flat, as `subpixel/inference/flat.py` has it and says why. */

export const REACH = 12; // pixels from the border in which its zeros show

/**
 * Gives a tile's pixels their own colour, where all around them is flat: up to `reach` pixels away wholly, up to 9
 * and 7 twelfths of it by two thirds and one.
 * @param {{rgba: Uint8ClampedArray, width: number, height: number}} window what the network saw
 * @param {{levels: Uint8Array, width: number}} band the rows of the tile, RGB, across the whole result
 */
export function keepFlat(window, row, column, reach, scale, band) {
  const radii = [7, 9, 12].map((part) => Math.ceil((reach * part) / 12));
  const sums = sumsOf(changesOf(window), window);
  for (let y = row.start; y < row.stop; y++) {
    for (let x = column.start; x < column.stop; x++) {
      const [down, across] = [y - row.low, x - column.low];
      const share = radii.filter((radius) => isFlat(sums, window, across, down, radius - 1)).length / radii.length;
      if (share > 0) {
        const from = 4 * (down * window.width + across);
        mix(share, band, x * scale, (y - row.start) * scale, scale, window.rgba, from);
      }
    }
  }
}

/** Which pixels differ from one beside, above or below them, 0 or 1. */
function changesOf({ rgba, width, height }) {
  const changes = new Uint8Array(width * height);
  const mark = (a, b) => {
    const [i, j] = [4 * a, 4 * b];
    if (rgba[i] !== rgba[j] || rgba[i + 1] !== rgba[j + 1] || rgba[i + 2] !== rgba[j + 2]) changes[a] = changes[b] = 1;
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0, at = y * width; x < width; x++, at++) {
      if (x + 1 < width) mark(at, at + 1);
      if (y + 1 < height) mark(at, at + width);
    }
  }
  return changes;
}

/** Of the pixels above and to the left of each corner between pixels. */
function sumsOf(changes, { width, height }) {
  const sums = new Int32Array((width + 1) * (height + 1));
  for (let y = 0; y < height; y++) {
    for (let x = 0, sum = 0; x < width; x++) {
      sum += changes[y * width + x];
      sums[(y + 1) * (width + 1) + x + 1] = sums[y * (width + 1) + x + 1] + sum;
    }
  }
  return sums;
}

/** Whether no pixel up to `radius` away, as far as the window has them, is marked. */
function isFlat(sums, { width, height }, x, y, radius) {
  const [left, right] = [Math.max(0, x - radius), Math.min(width, x + radius + 1)];
  const [top, bottom] = [Math.max(0, y - radius), Math.min(height, y + radius + 1)];
  const at = (column, line) => sums[line * (width + 1) + column];
  return at(right, bottom) - at(left, bottom) - at(right, top) + at(left, top) === 0;
}

function mix(share, band, x, y, scale, rgba, from) {
  for (let dy = 0; dy < scale; dy++) {
    for (let dx = 0; dx < scale; dx++) {
      const to = ((y + dy) * band.width + x + dx) * 3;
      for (let c = 0; c < 3; c++) {
        band.levels[to + c] = Math.round(share * rgba[from + c] + (1 - share) * band.levels[to + c]);
      }
    }
  }
}
