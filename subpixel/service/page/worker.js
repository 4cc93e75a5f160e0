/** The worker of the browser mode: messages in, networks over tiles, messages with the same id out. */

import { isAnimated } from "./animated.js";
import { enlarge, opaque } from "./enlarge.js";
import { averaged, isGray } from "./gray.js";
import { Networks } from "./networks.js";
import { PngWriter } from "./png.js";

const stopped = new Set();
let networks;
let turn = Promise.resolve(); // one tile at a time, whichever run it is of

self.onmessage = async ({ data: { id, kind, ...message } }) => {
  if (kind === "setup") networks = new Networks(message.about, message.base);
  else if (kind === "stop") stopped.add(id);
  else {
    try {
      const [answer, moved] = await DOES[kind](message, id);
      self.postMessage({ id, kind: "done", ...answer }, moved);
    } catch (error) {
      self.postMessage({ id, kind: stopped.delete(id) ? "stopped" : "failed", text: error.message ?? String(error) });
    }
  }
};

const DOES = {
  async open() {
    return [await networks.open()];
  },

  async preview({ bitmap, model }, id) {
    const network = await networks.get(model);
    const parts = [];
    await enlarge(bitmap, inTurn(network, id), async (levels) => void parts.push(levels));
    const size = { width: bitmap.width * network.scale, height: bitmap.height * network.scale };
    bitmap.close();
    const image = await createImageBitmap(imageData(parts, size));
    return [{ image }, [image]];
  },

  async enlarge({ file, model }, id) {
    const network = await networks.get(model);
    if (await isAnimated(file)) throw new Error("It moves, which only the server keeps; enlarge it there.");
    const bitmap = await createImageBitmap(file).catch(() => {
      throw new Error("This browser cannot read the photo, or has no room for it; enlarge it on the server.");
    });
    const png = new PngWriter(bitmap.width * network.scale, bitmap.height * network.scale);
    try {
      if (!opaque(bitmap)) throw new Error("It has transparency, which only the server keeps; enlarge it there.");
      const told = (done, total) => self.postMessage({ id, kind: "progress", done, total });
      const run = inTurn(network, id, await isGray(file));
      await enlarge(bitmap, run, (levels) => png.write(levels), told);
      return [{ image: await png.finish() }];
    } catch (error) {
      png.discard();
      throw error;
    } finally {
      bitmap.close();
    }
  },
};

/** The network as a run of that id may use it: messages are read before each tile, and it ends when it was stopped. */
function inTurn(network, id, gray = false) {
  const run = async (planes, height, width) => {
    await new Promise((resolve) => setTimeout(resolve));
    if (stopped.has(id)) throw new Error("stopped");
    turn = turn.catch(() => {}).then(() => network.run(planes, height, width));
    return gray ? averaged(await turn) : turn;
  };
  return { scale: network.scale, halo: network.halo, run };
}

function imageData(parts, { width, height }) {
  const data = new ImageData(width, height);
  let to = 0;
  for (const levels of parts) {
    for (let from = 0; from < levels.length; to++) data.data[to] = (to & 3) === 3 ? 255 : levels[from++];
  }
  for (; to < data.data.length; to++) data.data[to] = 255; // the alpha of the last pixel
  return data;
}
