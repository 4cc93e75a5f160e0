/** How a photo is cut into tiles with the halo of a network, as `subpixel/inference/tiles.py` does it. */

/**
 * Cuts an axis of so many pixels into the fewest equal spans of at most `tile`.
 * A span yields start <= i < stop and reads low <= i < high.
 */
export function spans(length, tile, halo) {
  const count = Math.ceil(length / tile);
  return Array.from({ length: count }, (_, i) => {
    const start = Math.floor((length * i) / count);
    const stop = Math.floor((length * (i + 1)) / count);
    return { start, stop, low: Math.max(0, start - halo), high: Math.min(length, stop + halo) };
  });
}

/** RGBA levels of a window to what a network takes: 3 H W, floats in [0, 1]. */
export function toPlanes(rgba) {
  const size = rgba.length / 4;
  const planes = new Float32Array(3 * size);
  for (let i = 0; i < size; i++) {
    for (let c = 0; c < 3; c++) planes[c * size + i] = rgba[4 * i + c] / 255;
  }
  return planes;
}

/**
 * A tile's own part of what a network gave for its window, clipped and rounded half up, into a band of RGB rows.
 * @param {Float32Array} planes 3 sH sW, of the window
 * @param {{levels: Uint8Array, width: number}} band the rows of the tile, across the whole result
 */
export function putTile(planes, row, column, scale, band) {
  const width = (column.high - column.low) * scale;
  const size = planes.length / 3;
  const [top, left] = [(row.start - row.low) * scale, (column.start - column.low) * scale];
  const [rows, columns] = [(row.stop - row.start) * scale, (column.stop - column.start) * scale];
  for (let y = 0; y < rows; y++) {
    let to = (y * band.width + column.start * scale) * 3;
    let from = (top + y) * width + left;
    for (let x = 0; x < columns; x++, from++) {
      for (let c = 0; c < 3; c++) band.levels[to++] = level(planes[c * size + from]);
    }
  }
}

function level(value) {
  return Math.floor(Math.min(1, Math.max(0, value)) * 255 + 0.5);
}
