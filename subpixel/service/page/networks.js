/** Networks in onnxruntime-web: on WebGPU where it computes right and is faster, else in WebAssembly. */

const SIDE = 96; // pixels of what is computed in both ways to compare them
const TOLERANCE = 0.5 / 255;

export class Networks {
  #about;
  #base;
  #program;
  #networks = new Map();

  /** @param {{program: string, models: Record<string, {url: string, scale: number, halo: number}>}} about */
  constructor(about, base) {
    this.#about = about;
    this.#base = base;
  }

  /** Loads the program. @returns what it computes with: threads, and whether there is WebGPU. */
  async open() {
    const { ort, gpu } = await (this.#program ??= this.#load());
    return { threads: ort.env.wasm.numThreads, gpu };
  }

  /** The network of that name. */
  get(name) {
    if (!this.#networks.has(name)) {
      const opening = this.#open(name);
      this.#networks.set(name, opening);
      opening.catch(() => this.#networks.delete(name)); // the next run tries again
    }
    return this.#networks.get(name);
  }

  async #load() {
    const gpu = Boolean(WebAssembly.Suspending && (await navigator.gpu?.requestAdapter().catch(() => null)));
    const folder = new URL(this.#about.program, this.#base).href;
    const ort = await import(`${folder}${gpu ? "ort.jspi.min.mjs" : "ort.wasm.min.mjs"}`);
    ort.env.wasm.wasmPaths = folder;
    ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;
    return { ort, gpu };
  }

  async #open(name) {
    const { ort, gpu } = await (this.#program ??= this.#load());
    const { url, scale, halo } = this.#about.models[name];
    const answer = await fetch(new URL(url, this.#base));
    if (!answer.ok) throw new Error(`The model ${name} cannot be loaded (${answer.status}); reload the page.`);
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const wasm = await network(ort, bytes, "wasm");
    const best = gpu ? await better(wasm, () => network(ort, bytes, "webgpu")) : wasm;
    return { ...best, name, scale, halo };
  }
}

/** A network, computed in one of the two ways. */
export async function network(ort, bytes, provider) {
  const session = await ort.InferenceSession.create(bytes, { executionProviders: [provider] });
  const run = async (planes, height, width) => {
    const { high } = await session.run({ low: new ort.Tensor("float32", planes, [1, 3, height, width]) });
    return high.data;
  };
  return { provider, run };
}

/** The other way of computing, where it gives the same in less time. */
async function better(wasm, open) {
  try {
    const gpu = await open();
    const { difference, faster } = await compared(wasm, gpu);
    return difference < TOLERANCE && faster ? gpu : wasm;
  } catch {
    return wasm; // a driver that fails
  }
}

/** How far two ways of computing differ on a test image, and whether the second is faster once it is warm. */
export async function compared(first, second) {
  const planes = Float32Array.from({ length: 3 * SIDE * SIDE }, (_, i) => ((i * 2654435761) >>> 24) / 255);
  const [a, b] = [await first.run(planes, SIDE, SIDE), await second.run(planes, SIDE, SIDE)];
  const difference = a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i])), 0);
  const [slow, fast] = [await time(first, planes), await time(second, planes)];
  return { difference, faster: fast < slow };
}

async function time(network, planes) {
  const start = performance.now();
  await network.run(planes, SIDE, SIDE);
  return performance.now() - start;
}
