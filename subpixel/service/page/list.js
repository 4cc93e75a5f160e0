/** The list of photos: what each is, how far it is, what can be done with it. */

import { isUnderWay } from "./queue.js";
import { bytes, networks, timeLeft } from "./words.js";

const THUMB = 96; // pixels

export class List {
  #rows = new Map(); // item id -> element
  #list;
  #template = document.getElementById("item");

  /** @param {(what: string, item: object) => void} does what a button asks for: pick, save, stop, again, remove */
  constructor(list, does) {
    this.#list = list;
    this.does = does;
  }

  /** Makes the list show these items. */
  show(items, picked) {
    const ids = new Set(items.map((item) => item.id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      const next = row.nextElementSibling ?? row.previousElementSibling;
      const after = next?.querySelector(".pick") ?? document.getElementById("files");
      if (row.contains(document.activeElement)) after.focus();
      row.remove();
      this.#rows.delete(id);
    }
    for (const item of items) this.update(item, picked);
  }

  update(item, picked) {
    const row = this.#rows.get(item.id) ?? this.#added(item);
    const wasIn = row.contains(document.activeElement) && document.activeElement;
    row.dataset.state = item.state;
    row.toggleAttribute("data-picked", item === picked);
    row.querySelector(".pick").setAttribute("aria-pressed", String(item === picked));
    row.querySelector(".state").textContent = state(item);
    const bar = row.querySelector("progress");
    bar.hidden = !isUnderWay(item);
    bar.value = item.fraction ?? 0;
    const again = item.state === "failed" || item.state === "stopped";
    const shown = { save: item.result, stop: isUnderWay(item), again, remove: true };
    for (const button of row.querySelectorAll("[data-do]")) button.hidden = !shown[button.dataset.do];
    if (wasIn?.hidden) row.querySelector("[data-do]:not([hidden])").focus(); // the button that was pressed is gone
  }

  #added(item) {
    const row = this.#template.content.cloneNode(true).firstElementChild;
    row.querySelector(".name").textContent = item.name;
    row.querySelector("progress").setAttribute("aria-label", `Progress of ${item.name}`);
    row.querySelector(".pick").addEventListener("click", () => this.does("pick", item));
    for (const button of row.querySelectorAll("[data-do]")) {
      button.setAttribute("aria-label", `${button.title || button.textContent} ${item.name}`);
      button.addEventListener("click", () => this.does(button.dataset.do, item));
    }
    this.#rows.set(item.id, row);
    this.#list.append(row);
    thumbnail(row.querySelector("canvas"), item);
    return row;
  }
}

/** How far an item is, in words. */
function state(item) {
  const size = dimensions(item);
  const under = {
    ready: () => [size, bytes(item.file.size)],
    line: () => [size, "in line"],
    sending: () => [item.where === "local" ? "Getting ready" : "Sending", item.note],
    waiting: () => ["Waiting", item.note],
    running: () => [`${Math.floor(item.fraction * 100)} %`, item.note || left(item)],
    done: () => ["Done", dimensions(item.target), bytes(item.result.size), networks(item.chosen), item.note],
    failed: () => [item.error],
    stopped: () => ["Stopped"],
  };
  return under[item.state]().filter(Boolean).join(" · ");
}

function dimensions(size) {
  return size?.width ? `${size.width} × ${size.height}` : "";
}

function left(item) {
  return timeLeft(item.fraction, performance.now() - item.since);
}

async function thumbnail(canvas, item) {
  if (!item.width) return; // this browser cannot read it
  const ratio = THUMB / Math.min(item.width, item.height);
  const size = { resizeWidth: Math.ceil(item.width * ratio), resizeHeight: Math.ceil(item.height * ratio) };
  const bitmap = await createImageBitmap(item.file, { ...size, resizeQuality: "medium" }).catch(() => null);
  if (!bitmap) return;
  canvas.getContext("2d").drawImage(bitmap, (THUMB - bitmap.width) / 2, (THUMB - bitmap.height) / 2);
  bitmap.close();
}
