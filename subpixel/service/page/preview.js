/** The crop under the divider, enlarged while one looks; an answer to an older question is never shown. */

import { cut, toPng } from "./photo.js";
import { factor } from "./settings.js";
import { networks, said } from "./words.js";

const WAIT = 250; // ms without a further change
const SIDE = 320; // pixels of the photo
const MOST = 1400; // pixels of the result
const HALO = 12; // what the networks see around the crop
const WORST = { denoise: ["noise", 1], deblock: ["jpeg", 1], deblur: ["blur_xx", 1.69] }; // see Restoration

export class Preview {
  #compare;
  #timer = 0;
  #stop = new AbortController();

  /** @param {(text: string) => void} tell why there is no preview */
  constructor(compare, tell) {
    this.#compare = compare;
    this.tell = tell;
  }

  /** Forgets what was asked before. */
  cancel() {
    clearTimeout(this.#timer);
    this.#stop.abort();
  }

  /**
   * Shows the crop soon.
   * @param {{photo: object, file: Blob, engine: object, request: object, condition: object | undefined}} what
   */
  ask(what) {
    this.cancel();
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.#timer = setTimeout(() => this.#show(what, signal), WAIT);
  }

  async #show(what, signal) {
    try {
      const after = await this.#made(what, signal);
      if (signal.aborted) return after.bitmap.close();
      this.#compare.after?.bitmap.close();
      this.#compare.after = after;
    } catch (error) {
      if (!signal.aborted) this.tell(said(error));
    }
  }

  async #made({ photo, file, engine, request, condition }, signal) {
    const scale = factor(request, photo);
    const rect = this.#compare.crop(Math.max(32, Math.min(SIDE, Math.floor(MOST / scale))));
    const seen = grown(rect, photo);
    const bitmap = await cut(photo, file, seen);
    const given = engine.takesBitmaps ? bitmap : await toPng(bitmap);
    signal.throwIfAborted();
    const { image, label } = await engine.preview(given, ofCrop(request, scale, condition), signal);
    const whole = image instanceof Blob ? await createImageBitmap(image) : image;
    const [x, y] = [whole.width / seen.width, whole.height / seen.height];
    const own = [(rect.x - seen.x) * x, (rect.y - seen.y) * y, rect.width * x, rect.height * y].map(Math.round);
    const after = await createImageBitmap(whole, ...own);
    whole.close();
    return { bitmap: after, rect, label: `Preview: ${networks(label)}` };
  }
}

function grown({ x, y, width, height }, photo) {
  const [left, top] = [Math.max(0, x - HALO), Math.max(0, y - HALO)];
  const [right, bottom] = [Math.min(photo.width, x + width + HALO), Math.min(photo.height, y + height + HALO)];
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** The request for a crop: enlarged as much, and restored as what was found in the whole photo calls for. */
export function ofCrop(request, scale, condition) {
  const { size, fit, ...rest } = request;
  const asked = { ...rest, scale, ...("model" in request && { "encoding.format": "png" }) };
  for (const [knob, [name, most]] of Object.entries(WORST)) {
    const key = `restoration.${knob}`;
    if (asked[key] === "" && condition) asked[key] = Math.min(1, Math.max(0, (condition[name] ?? 0) / most)).toFixed(3);
  }
  return asked;
}
