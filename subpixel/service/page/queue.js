/** The photos of this tab: added, enlarged a few at a time, stopped, kept over a reload. */

import { measure } from "./photo.js";
import { freshId } from "./store.js";
import { said } from "./words.js";

const UNDER_WAY = ["line", "sending", "waiting", "running"];

/**
 * Tells "change" with the item as `detail` whenever one changed, and null when one came or went.
 * An item: id, name, file, width, height, state, and once it was started: where, request, run, job, fraction, since,
 * chosen, note, error, result. States: ready, line (this page waits), sending, waiting (the server waits), running,
 * done, failed, stopped.
 */
export class Queue extends EventTarget {
  items = [];
  #engines;
  #store;
  #stops = new Map();

  /** @param {object} engines by where they compute @param {object | null} store null: nothing is kept */
  constructor(engines, store) {
    super();
    this.#engines = engines;
    this.#store = store;
  }

  /** Takes up what a reload interrupted. */
  async restore() {
    this.items = (await this.#store?.items()) ?? [];
    for (const item of this.items) if (isUnderWay(item)) item.state = "line";
    this.#told(null);
    this.#pump();
  }

  async add(files) {
    const added = [];
    for (const file of files) {
      const size = (await measure(file)) ?? { width: 0, height: 0 };
      const item = { id: freshId(), name: file.name || "pasted.png", file, ...size, state: "ready", order: Date.now() };
      item.order += this.items.length / 1e6;
      this.items.push(item);
      added.push(item);
      await this.#store?.putBlob(item.id, "photo", file);
      await this.#keep(item);
      this.#told(null);
    }
    return added;
  }

  /** Enlarges photos as they are asked for now. */
  async start(items, where, request) {
    for (const item of items) {
      const begun = { where, request, run: freshId(), state: "line", job: "", fraction: 0, since: 0 };
      Object.assign(item, begun, { chosen: "", note: "", error: "", result: undefined });
      await this.#keep(item);
      this.#told(item);
    }
    this.#pump();
  }

  async stop(item) {
    if (!isUnderWay(item)) return;
    item.state = "stopped";
    this.#stops.get(item.id)?.abort();
    this.#engines[item.where]?.stop(item);
    await this.#keep(item);
    this.#told(item);
  }

  async remove(item) {
    await this.stop(item);
    this.items = this.items.filter((other) => other !== item);
    await this.#store?.remove(item.id);
    this.#told(null);
  }

  /** Starts what is in line, as many at once as its engine takes. */
  #pump() {
    for (const item of this.items) {
      const engine = this.#engines[item.where];
      const busy = this.items.filter((other) => other.where === item.where && this.#stops.has(other.id)).length;
      if (item.state === "line" && engine && busy < engine.atOnce && !this.#stops.has(item.id)) this.#run(item, engine);
    }
  }

  async #run(item, engine) {
    const stop = new AbortController();
    this.#stops.set(item.id, stop);
    const run = item.run;
    const tell = (change) => (item.run === run && isUnderWay(item) ? this.#change(item, change) : undefined);
    await tell({ state: item.job ? "waiting" : "sending", note: "" });
    try {
      const { blob, ...rest } = await engine.run(item, { signal: stop.signal, tell });
      await this.#store?.putBlob(item.id, "result", blob);
      await tell({ ...rest, state: "done", fraction: 1, result: blob });
    } catch (error) {
      await tell({ state: "failed", error: said(error) });
    }
    this.#stops.delete(item.id);
    this.#pump();
  }

  async #change(item, change) {
    const grown = "state" in change || "job" in change;
    if (change.state === "running" && item.state !== "running") item.since = performance.now();
    Object.assign(item, change);
    this.#told(item);
    if (grown) await this.#keep(item);
  }

  #keep(item) {
    const trouble = (error) => this.dispatchEvent(new CustomEvent("trouble", { detail: said(error) }));
    return this.#store?.put(item).catch(trouble);
  }

  #told(item) {
    this.dispatchEvent(new CustomEvent("change", { detail: item }));
  }
}

/** Whether something is still to come of an item. */
export function isUnderWay(item) {
  return UNDER_WAY.includes(item.state);
}
