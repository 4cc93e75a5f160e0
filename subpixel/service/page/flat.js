/** Flat colour at a photo's border stays flat, as `subpixel/inference/flat.py` has it and says why. */

export const REACH = 12; // pixels from the border in which its zeros show

/**
 * Gives a tile's pixels near the border of the photo their own colour, where all around them is flat.
 * @param {{rgba: Uint8ClampedArray, width: number, height: number}} window what the network saw
 * @param {{levels: Uint8Array, width: number}} band the rows of the tile, RGB, across the whole result
 */
export function keepFlat(window, row, column, photo, reach, scale, band) {
  const near = (at, length) => at < reach || at >= length - reach;
  const changes = changesOf(window);
  for (let y = row.start; y < row.stop; y++) {
    const wholeRow = near(y, photo.height);
    for (let x = column.start; x < column.stop; x++) {
      if (!wholeRow && !near(x, photo.width)) continue;
      const [down, across] = [y - row.low, x - column.low];
      if (isFlat(changes, window, across, down, reach)) {
        fill(band, x * scale, (y - row.start) * scale, scale, window.rgba, 4 * (down * window.width + across));
      }
    }
  }
}

/** Sums over the window of where a pixel differs from its neighbour to the right, and below. */
function changesOf({ rgba, width, height }) {
  const differs = (a, b) => rgba[a] !== rgba[b] || rgba[a + 1] !== rgba[b + 1] || rgba[a + 2] !== rgba[b + 2];
  const sums = (columns, rows, step) => {
    const total = new Int32Array((columns + 1) * (rows + 1));
    for (let y = 0; y < rows; y++) {
      for (let x = 0, sum = 0; x < columns; x++) {
        const at = 4 * (y * width + x);
        sum += differs(at, at + step);
        total[(y + 1) * (columns + 1) + x + 1] = total[y * (columns + 1) + x + 1] + sum;
      }
    }
    return { total, stride: columns + 1 };
  };
  return { across: sums(width - 1, height, 4), down: sums(width, height - 1, 4 * width) };
}

/** Whether all pixels up to `reach` away, as far as the window has them, have one colour. */
function isFlat(changes, { width, height }, x, y, reach) {
  const [left, right] = [Math.max(0, x - reach), Math.min(width - 1, x + reach)];
  const [top, bottom] = [Math.max(0, y - reach), Math.min(height - 1, y + reach)];
  return !inside(changes.across, left, right, top, bottom + 1) && !inside(changes.down, left, right + 1, top, bottom);
}

function inside({ total, stride }, left, right, top, bottom) {
  const at = (x, y) => total[y * stride + x];
  return at(right, bottom) - at(left, bottom) - at(right, top) + at(left, top);
}

function fill(band, x, y, scale, rgba, from) {
  for (let dy = 0; dy < scale; dy++) {
    for (let dx = 0; dx < scale; dx++) {
      for (let c = 0; c < 3; c++) band.levels[((y + dy) * band.width + x + dx) * 3 + c] = rgba[from + c];
    }
  }
}
