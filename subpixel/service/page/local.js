/** Enlarging in this browser: a worker computes, nothing is sent. Every message has the id of the run it is about. */

import { isVideo } from "./photo.js";
import { Told } from "./words.js";

const LARGEST = 64e6; // pixels of a photo, decoded at once
const NOTE = "in sRGB with 8 bits, without EXIF";

export class Local {
  atOnce = 1;
  takesBitmaps = true;
  scales = [2, 3, 4];
  #worker = null;
  #runs = new Map();
  #last = 0;

  /** @param {{program: string, models: object}} about of `browser/index.json` */
  constructor(about) {
    this.about = about;
  }

  /** Loads the program and says what it computes with. */
  open() {
    return this.#ask({ kind: "open" });
  }

  async inspect() {
    return { summary: "Enlarged as it is; what is wrong with a photo is undone on the server.", chosen: "swift" };
  }

  async preview(bitmap, request, signal) {
    const found = await this.#ask({ kind: "preview", bitmap, model: `espcn-x${request.scale}` }, { signal });
    return { image: found.image, label: "espcn" };
  }

  async run(item, { signal, tell }) {
    if (isVideo(item.file)) throw new Told("Videos are enlarged on the server alone.");
    if (item.width * item.height > LARGEST) {
      throw new Told("It has more than 64 megapixels, too many for a browser; enlarge it on the server.");
    }
    await tell({ state: "running", fraction: 0, note: "" });
    const model = `swift-x${item.request.scale}`;
    const told = ({ done, total }) => tell({ fraction: done / total });
    const { image } = await this.#ask({ kind: "enlarge", file: item.file, model }, { signal, told });
    const { scale } = item.request;
    const target = { width: item.width * scale, height: item.height * scale };
    return { blob: image, note: NOTE, chosen: model, target };
  }

  stop() {} // the signal does it

  #ask(message, { signal, told } = {}) {
    signal?.throwIfAborted();
    const id = ++this.#last;
    this.#worker ??= this.#start();
    const answer = new Promise((resolve, reject) => this.#runs.set(id, { resolve, reject, told }));
    signal?.addEventListener("abort", () => this.#abort(id, signal), { once: true });
    this.#worker.postMessage({ id, ...message });
    return answer;
  }

  #abort(id, signal) {
    this.#runs.get(id)?.reject(signal.reason);
    this.#runs.delete(id);
    this.#worker?.postMessage({ id, kind: "stop" });
  }

  #start() {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data }) => this.#heard(data);
    worker.onerror = (event) => this.#died(event);
    worker.postMessage({ kind: "setup", about: this.about, base: document.baseURI });
    return worker;
  }

  #heard({ id, kind, ...rest }) {
    const run = this.#runs.get(id); // none: it was stopped
    if (!run) return;
    if (kind === "progress") return void run.told?.(rest);
    this.#runs.delete(id);
    if (kind === "done") run.resolve(rest);
    else run.reject(new Told(rest.text));
  }

  #died(event) {
    event.preventDefault();
    this.#worker.terminate();
    this.#worker = null;
    const runs = [...this.#runs.values()];
    this.#runs.clear();
    const why = event.message ? ` (${event.message})` : "";
    const text = `The browser ended the computing${why}; try again, or use the server.`;
    for (const run of runs) run.reject(new Told(text));
  }
}
