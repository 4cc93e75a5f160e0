/** `<subpixel-compare>`: a photo before and after, with a divider or side by side; zoom and pan in step. */

import { cropAround, first, fit, inside, moved, toPane, toPhoto, zoomed } from "./view.js";

const GRAB = 24; // CSS pixels around the divider in which it is taken hold of
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const PAGES = { PageUp: [5, 0], PageDown: [-5, 0] };
const KEYS_HELP = "Arrow keys move it, plus and minus zoom, 0 shows all of it.";
const MARKUP = `
  <div class="stage" part="stage" tabindex="0" role="group"
    aria-label="Photo">
    <canvas aria-hidden="true"></canvas>
    <span class="label before" aria-hidden="true">Before</span>
    <span class="label after" aria-hidden="true"></span>
    <div class="divider" role="slider" tabindex="0" aria-label="Divider between before and after"
      aria-orientation="horizontal" aria-valuemin="0" aria-valuemax="100"><span></span></div>
  </div>
  <div class="tools" role="group" aria-label="View">
    <button type="button" data-do="out" aria-label="Zoom out">&minus;</button>
    <output aria-label="Zoom"></output>
    <button type="button" data-do="in" aria-label="Zoom in">+</button>
    <button type="button" data-do="fit" title="Show the whole photo">Fit</button>
    <button type="button" data-do="pair" aria-pressed="false">Side by side</button>
  </div>`;
const STYLE = new CSSStyleSheet();
STYLE.replaceSync(`
  :host { display: flex; flex-direction: column; min-height: 0; }
  .stage { position: relative; flex: 1; min-height: 0; overflow: hidden; border-radius: var(--round, 12px);
    background: var(--stage, #1b1d21); touch-action: none; cursor: grab; outline-offset: 2px; user-select: none; }
  .stage.whole { touch-action: pan-y; cursor: default; }
  canvas { position: absolute; inset: 0; width: 100%; height: 100%; }
  :focus-visible { outline: 2px solid var(--accent, #2f6fed); }
  .label { position: absolute; top: 12px; padding: 3px 10px; border-radius: 99px; font-size: 12.5px; color: #fff;
    background: rgb(12 14 18 / .78); pointer-events: none; max-width: 42%; overflow: hidden; white-space: nowrap;
    text-overflow: ellipsis; }
  .before { left: 12px; } .after { right: 12px; } .after:empty { display: none; }
  .pair .after { right: auto; left: calc(50% + 12px); }
  .pair.tall .after { left: 12px; top: calc(50% + 12px); }
  .divider { position: absolute; top: 0; bottom: 0; width: 44px; margin-left: -22px; cursor: ew-resize; outline: none;
    touch-action: none; }
  .divider::before { content: ""; position: absolute; inset: 0 21px; background: #fff;
    box-shadow: 0 0 4px rgb(0 0 0 / .5); }
  .divider span { position: absolute; top: 50%; left: 50%; width: 40px; height: 40px; margin: -20px; border-radius: 50%;
    background: #fff; box-shadow: 0 1px 6px rgb(0 0 0 / .45); }
  .divider span::before { content: "\\2039\\2009\\203a"; position: absolute; inset: 0; display: grid;
    place-content: center; font: 600 22px/1 system-ui, sans-serif; color: #2b2f36; padding-bottom: 4px; }
  .divider:focus-visible span { outline: 3px solid var(--accent, #2f6fed); outline-offset: 2px; }
  .pair .divider, .empty .divider, .empty .label { display: none; }
  .tools { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; padding-top: 10px; }
  .tools button { font: inherit; color: inherit; min-width: 40px; min-height: 36px; padding: 4px 12px; cursor: pointer;
    border-radius: 8px; border: 1px solid var(--line, #ccc); background: var(--card, #fff); }
  .tools button:hover { border-color: var(--accent, #2f6fed); }
  .tools button[aria-pressed="true"] { background: var(--accent, #2f6fed); border-color: var(--accent, #2f6fed);
    color: var(--on-accent, #fff); }
  output { min-width: 3.6em; text-align: center; font-variant-numeric: tabular-nums; }
  [data-do="fit"] { margin-left: auto; }`);

export class Compare extends HTMLElement {
  #photo = null; // { bitmap, width, height }
  #after = null; // { bitmap, rect }
  #view = null;
  #position = 50; // percent of the stage that shows the photo before
  #pointers = new Map();
  #held = null; // "divider" or "photo", while a pointer is down
  #asked = 0;

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [STYLE];
    root.innerHTML = MARKUP;
    this.stage = root.querySelector(".stage");
    this.canvas = root.querySelector("canvas");
    this.divider = root.querySelector(".divider");
    this.stage.addEventListener("keydown", (event) => this.#keyed(event));
    this.divider.addEventListener("keydown", (event) => this.#slid(event));
    this.stage.addEventListener("wheel", (event) => this.#wheeled(event), { passive: false });
    this.stage.addEventListener("pointerdown", (event) => this.#down(event));
    this.stage.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel"]) this.stage.addEventListener(name, (event) => this.#up(event));
    root.querySelector(".tools").addEventListener("click", (event) => this.#pressed(event.target.closest("button")));
    this.watcher = new ResizeObserver(() => this.#resized());
    this.#show();
  }

  connectedCallback() {
    this.watcher.observe(this.stage);
  }

  disconnectedCallback() {
    this.watcher.disconnect();
  }

  /** The photo before: what is drawn, and the size that counts; null shows nothing. */
  set photo(photo) {
    this.#photo = photo;
    this.#after = null;
    this.#view = photo && first(photo, this.#pane());
    this.stage.setAttribute("aria-label", `${photo?.name ?? "Photo"}. ${KEYS_HELP}`);
    this.#show();
  }

  /** What is shown of it after: a bitmap, the rectangle of the photo that it is, what to call it; null: nothing. */
  set after(after) {
    this.#after = after;
    this.#show();
  }

  get after() {
    return this.#after;
  }

  /** How much of the stage shows the photo before, in percent. */
  get position() {
    return this.#position;
  }

  set position(percent) {
    this.#position = Math.min(100, Math.max(0, percent));
    this.#show();
    this.#tell();
  }

  get sideBySide() {
    return this.stage.classList.contains("pair");
  }

  set sideBySide(pair) {
    this.stage.classList.toggle("pair", pair);
    this.shadowRoot.querySelector('[data-do="pair"]').setAttribute("aria-pressed", String(pair));
    this.#resized();
    this.#tell();
  }

  /** The square of the photo that lies under the divider, or in the middle. */
  crop(side) {
    const pane = this.#pane();
    const x = this.sideBySide ? pane.width / 2 : (pane.width * this.#position) / 100;
    return cropAround(toPhoto(this.#view, { x, y: pane.height / 2 }, pane), side, this.#photo);
  }

  /** The size of a pane: the stage, or half of it along its longer side. */
  #pane() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!this.sideBySide) return { width: width || 1, height: height || 1 };
    return width < height ? { width, height: height / 2 } : { width: width / 2, height };
  }

  #resized() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    this.stage.classList.toggle("tall", width < height);
    if (this.#photo) this.#look(this.#view);
    this.#show();
  }

  #look(view) {
    this.#view = inside(view, this.#photo, this.#pane());
    this.#show();
    this.#tell();
  }

  #tell() {
    if (this.#photo) this.dispatchEvent(new Event("look"));
  }

  #show() {
    const percent = Math.round(this.#position);
    this.divider.style.left = `${this.#position}%`;
    this.divider.setAttribute("aria-valuenow", percent);
    this.divider.setAttribute("aria-valuetext", `${percent} percent before`);
    this.stage.classList.toggle("empty", !this.#photo);
    this.stage.querySelector(".after").textContent = this.#after?.label ?? "";
    if (this.#photo) {
      const pane = this.#pane();
      this.stage.classList.toggle("whole", this.#view.scale <= fit(this.#photo, pane).scale * 1.001);
    }
    const zoom = this.#photo ? `${Math.round(this.#view.scale * 100)} %` : "";
    this.shadowRoot.querySelector("output").textContent = zoom;
    this.#asked ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#asked = 0;
    const { clientWidth: width, clientHeight: height } = this.stage;
    const dense = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(width * dense);
    this.canvas.height = Math.round(height * dense);
    if (!this.#photo || !width || !height) return;
    const ink = this.canvas.getContext("2d");
    ink.scale(dense, dense);
    ink.imageSmoothingQuality = "high";
    const pane = this.#pane();
    const edge = (width * this.#position) / 100;
    if (!this.sideBySide) {
      this.#paint(ink, { x: 0, y: 0, ...pane }, { x: 0, y: 0 }, false);
      this.#paint(ink, { x: edge, y: 0, width: width - edge, height }, { x: 0, y: 0 }, true);
      return;
    }
    const second = width < height ? { x: 0, y: pane.height } : { x: pane.width, y: 0 };
    this.#paint(ink, { x: 0, y: 0, ...pane }, { x: 0, y: 0 }, false);
    this.#paint(ink, { ...second, ...pane }, second, false);
    this.#paint(ink, { ...second, ...pane }, second, true);
    ink.fillStyle = "#fff";
    ink.fillRect(second.x - 1, second.y - 1, width < height ? width : 2, width < height ? 2 : height);
  }

  /** Draws the photo, before or after, where `clip` lets it be seen, in the pane that begins at `corner`. */
  #paint(ink, clip, corner, isAfter) {
    const shown = isAfter ? this.#after : { bitmap: this.#photo.bitmap, rect: { x: 0, y: 0, ...this.#size } };
    if (!shown) return;
    const to = toPane(this.#view, shown.rect, this.#pane());
    const place = [corner.x + to.x, corner.y + to.y, to.width, to.height];
    ink.save();
    ink.beginPath();
    ink.rect(clip.x, clip.y, clip.width, clip.height);
    ink.clip();
    ink.clearRect(...place); // of the other one, where this one is transparent
    ink.drawImage(shown.bitmap, ...place);
    if (isAfter && shown.rect.width * shown.rect.height < this.#size.width * this.#size.height) {
      ink.strokeStyle = "rgb(255 255 255 / .85)";
      ink.strokeRect(...place);
    }
    ink.restore();
  }

  get #size() {
    return { width: this.#photo.width, height: this.#photo.height };
  }

  /** Where a pointer is in the pane it is over. */
  #point(event) {
    const box = this.stage.getBoundingClientRect();
    const pane = this.#pane();
    return { x: (event.clientX - box.left) % pane.width, y: (event.clientY - box.top) % pane.height };
  }

  #down(event) {
    if (!this.#photo || event.button) return;
    const point = this.#point(event);
    this.#pointers.set(event.pointerId, { ...point, clientX: event.clientX, clientY: event.clientY });
    this.stage.setPointerCapture(event.pointerId);
    const edge = (this.stage.clientWidth * this.#position) / 100;
    const near = Math.abs(point.x - edge) < GRAB || this.stage.classList.contains("whole");
    this.#held = near && !this.sideBySide && this.#pointers.size === 1 ? "divider" : "photo";
    if (this.#held === "divider") this.#drag(event);
  }

  #move(event) {
    const last = this.#pointers.get(event.pointerId);
    if (!last) return;
    const now = { ...this.#point(event), clientX: event.clientX, clientY: event.clientY };
    const before = this.#spread();
    this.#pointers.set(event.pointerId, now);
    if (this.#held === "divider" && this.#pointers.size === 1) return this.#drag(event);
    const share = 1 / this.#pointers.size;
    const dx = (now.clientX - last.clientX) * share;
    const dy = (now.clientY - last.clientY) * share;
    let view = moved(this.#view, dx, dy, this.#photo, this.#pane());
    if (before) view = zoomed(view, this.#spread() / before, now, this.#photo, this.#pane());
    this.#look(view);
  }

  #up(event) {
    this.#pointers.delete(event.pointerId);
    if (!this.#pointers.size) this.#held = null;
  }

  #drag(event) {
    const box = this.stage.getBoundingClientRect();
    this.position = ((event.clientX - box.left) / box.width) * 100;
  }

  /** The distance of two fingers, 0 where there are fewer. */
  #spread() {
    const [a, b] = [...this.#pointers.values()];
    return b ? Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY) : 0;
  }

  #wheeled(event) {
    if (!this.#photo) return;
    event.preventDefault();
    this.#zoom(Math.exp(-event.deltaY / 400), this.#point(event));
  }

  #zoom(factor, point) {
    const pane = this.#pane();
    const at = point ?? { x: pane.width / 2, y: pane.height / 2 };
    this.#look(zoomed(this.#view, factor, at, this.#photo, pane));
  }

  #slid(event) {
    const step = event.shiftKey ? 10 : 2;
    const key = KEYS[event.key] ?? PAGES[event.key];
    if (key) this.position += step * (key[0] - key[1]);
    else if (event.key === "Home" || event.key === "End") this.position = event.key === "Home" ? 0 : 100;
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  #keyed(event) {
    if (!this.#photo || event.ctrlKey || event.metaKey) return;
    const step = KEYS[event.key];
    if (step) this.#look(moved(this.#view, -40 * step[0], -40 * step[1], this.#photo, this.#pane()));
    else if (event.key === "+" || event.key === "=") this.#zoom(1.25);
    else if (event.key === "-") this.#zoom(0.8);
    else if (event.key === "0") this.#look(fit(this.#photo, this.#pane()));
    else return;
    event.preventDefault();
  }

  #pressed(button) {
    const what = button?.dataset.do;
    if (what === "pair") this.sideBySide = !this.sideBySide;
    if (!this.#photo) return;
    if (what === "in" || what === "out") this.#zoom(what === "in" ? 1.25 : 0.8);
    if (what === "fit") this.#look(fit(this.#photo, this.#pane()));
  }
}

customElements.define("subpixel-compare", Compare);
