/** The form: what is asked for, as the flat request of the API, where "" is "as the server thinks best". */

const STRENGTHS = [["", "Auto"], ["0", "None"], ["0.25", "Light"], ["0.5", "Medium"], ["1", "Strong"]];
const TOLD = ["denoise", "deblock", "deblur", "detail", "grain"];

export class Settings {
  constructor(form) {
    this.form = form;
    for (const select of form.querySelectorAll("[data-strength]")) {
      select.append(...STRENGTHS.map(([value, text]) => new Option(text, value)));
    }
    form.addEventListener("input", () => this.#showOwn());
  }

  /** Fills in what the server has: its models and formats. */
  offer(about) {
    const families = about.models.map((model) => model.family ?? model.name);
    const names = [...new Set([about.default, ...families, ...about.kernels])];
    this.#field("model").replaceChildren(...names.map((name) => new Option(name, name)));
    this.#field("format").replaceChildren(...about.formats.map((name) => new Option(name.toUpperCase(), name)));
  }

  /** Only what the browser mode can do, or all. */
  set local(local) {
    for (const part of this.form.querySelectorAll("[data-server]")) part.hidden = part.disabled = local;
    if (local && !["2", "3", "4"].includes(this.#value("size"))) this.#field("size").value = "2";
    this.isLocal = local;
    this.#showOwn();
  }

  get request() {
    const size = this.#value("size");
    if (this.isLocal) return { scale: size };
    const sides = size === "own" ? { size: this.#value("fit"), fit: "true" } : { scale: size };
    const strengths = Object.fromEntries(TOLD.map((name) => [`restoration.${name}`, this.#value(name)]));
    return { model: this.#value("model"), ...sides, ...strengths, "encoding.format": this.#value("format") };
  }

  #showOwn() {
    this.form.querySelector("#own").hidden = this.isLocal || this.#value("size") !== "own";
    this.#field("fit").disabled = this.form.querySelector("#own").hidden;
  }

  #field(id) {
    return this.form.querySelector(`#${id}`);
  }

  #value(id) {
    return this.#field(id).value;
  }
}

/** How much a request enlarges a photo. */
export function factor(request, photo) {
  if (request.scale) return Number(request.scale);
  const [width, height] = request.size.split("x").map(Number);
  return Math.min(width / photo.width || Infinity, height / photo.height || Infinity);
}
