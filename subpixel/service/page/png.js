/** An 8-bit RGB PNG, written band by band: no canvas, whose size browsers limit, ever holds a result. */

import { crc32 } from "./crc32.js";

const SIGNATURE = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10);
const SUB = 1; // each byte as its difference from the pixel to the left
const CHANNELS = 3;

export class PngWriter {
  #parts = [SIGNATURE];
  #row;
  #deflate = new CompressionStream("deflate");
  #writer = this.#deflate.writable.getWriter();
  #reading;

  constructor(width, height) {
    this.#row = width * CHANNELS;
    const header = new DataView(new ArrayBuffer(13));
    header.setUint32(0, width);
    header.setUint32(4, height);
    header.setUint8(8, 8);
    header.setUint8(9, 2); // RGB
    this.#chunk("IHDR", new Uint8Array(header.buffer));
    this.#chunk("sRGB", Uint8Array.of(0));
    this.#reading = this.#read();
    this.#reading.catch(() => {}); // `finish` tells it
  }

  /** The next rows, RGB one behind the other. */
  async write(levels) {
    await this.#writer.write(filtered(levels, this.#row));
  }

  /** @returns {Promise<Blob>} */
  async finish() {
    await this.#writer.close();
    await this.#reading;
    this.#chunk("IEND", new Uint8Array());
    return new Blob(this.#parts, { type: "image/png" });
  }

  /** Frees what was written; nobody waits for it any more. */
  discard() {
    this.#writer.abort().catch(() => {});
    this.#parts = [];
  }

  async #read() {
    const reader = this.#deflate.readable.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.#chunk("IDAT", value);
    }
  }

  #chunk(name, data) {
    const body = new Uint8Array(4 + data.length);
    body.set(new TextEncoder().encode(name));
    body.set(data, 4);
    const ends = [new DataView(new ArrayBuffer(4)), new DataView(new ArrayBuffer(4))];
    ends[0].setUint32(0, data.length);
    ends[1].setUint32(0, crc32(body));
    this.#parts.push(ends[0], body, ends[1]);
  }
}

function filtered(levels, row) {
  const rows = levels.length / row;
  const bytes = new Uint8Array(rows * (row + 1));
  for (let y = 0, from = 0, to = 0; y < rows; y++) {
    bytes[to++] = SUB;
    for (let x = 0; x < row; x++, from++) bytes[to++] = levels[from] - (x < CHANNELS ? 0 : levels[from - CHANNELS]);
  }
  return bytes;
}
