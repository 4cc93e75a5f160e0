/** A network over a bitmap, tile by tile, exactly as if it had seen the whole at once. */

import { REACH, keepFlat } from "./flat.js";
import { putTile, spans, toPlanes } from "./tiles.js";

export const TILE = 192; // pixels of the input: a stop is heeded within the time of one
const CHECKED = 256; // rows that are looked at together

/**
 * @param {ImageBitmap} bitmap
 * @param {{scale: number, halo: number, run: Function}} network `run` takes planes, height and width, and gives planes
 * @param {(levels: Uint8Array) => Promise<void>} write takes the rows of the result, RGB, top to bottom
 * @param {(done: number, total: number) => void} told of each tile
 */
export async function enlarge(bitmap, network, write, told = () => {}) {
  const { scale, halo } = network;
  const rows = spans(bitmap.height, TILE, halo);
  const columns = spans(bitmap.width, TILE, halo);
  const ink = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  let done = 0;
  for (const row of rows) {
    const width = bitmap.width * scale;
    const band = { width, levels: new Uint8Array((row.stop - row.start) * scale * width * 3) };
    for (const column of columns) {
      const window = pixels(ink, bitmap, column.low, row.low, column.high - column.low, row.high - row.low);
      const planes = await network.run(toPlanes(window.rgba), window.height, window.width);
      putTile(planes, row, column, scale, band);
      keepFlat(window, row, column, Math.min(REACH, halo), scale, band);
      told(++done, rows.length * columns.length);
    }
    await write(band.levels);
  }
}

/** Whether nothing of a bitmap is transparent. */
export function opaque(bitmap) {
  const ink = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  for (let y = 0; y < bitmap.height; y += CHECKED) {
    for (let x = 0; x < bitmap.width; x += CHECKED) {
      const [width, height] = [Math.min(CHECKED, bitmap.width - x), Math.min(CHECKED, bitmap.height - y)];
      const { rgba } = pixels(ink, bitmap, x, y, width, height);
      for (let i = 3; i < rgba.length; i += 4) if (rgba[i] !== 255) return false;
    }
  }
  return true;
}

/** Levels of a part; the canvas is as small as that. */
function pixels(ink, bitmap, x, y, width, height) {
  ink.canvas.width = width;
  ink.canvas.height = height;
  ink.drawImage(bitmap, x, y, width, height, 0, 0, width, height);
  return { rgba: ink.getImageData(0, 0, width, height).data, width, height };
}
