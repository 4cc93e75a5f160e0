/** Photos as a browser sees them: measured before they are decoded, shown no larger than it can. */

import { Told } from "./words.js";

const SHOWN = 40e6; // pixels that are decoded to be looked at

/** Whether a file is a video, which is enlarged on the server, unseen. */
export function isVideo(file) {
  return file.type.startsWith("video/");
}

/** Width and height from a file's header, upright; null for what this browser cannot read. */
export async function measure(file) {
  const url = URL.createObjectURL(file);
  const image = new Image();
  try {
    image.src = url;
    await new Promise((resolve, reject) => Object.assign(image, { onload: resolve, onerror: reject }));
    return image.naturalWidth ? { width: image.naturalWidth, height: image.naturalHeight } : null;
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** The whole photo to be looked at, and its size; reduced where it is very large. */
export async function open(file) {
  const size = await measure(file);
  if (!size) throw new Told("this browser cannot show it");
  const ratio = Math.sqrt(SHOWN / (size.width * size.height));
  const options = ratio < 1 ? { resizeWidth: Math.round(size.width * ratio), resizeQuality: "medium" } : {};
  return { ...size, bitmap: await createImageBitmap(file, options), whole: ratio >= 1 };
}

/** A rectangle of a photo, at its own size. */
export function cut(photo, file, { x, y, width, height }) {
  return createImageBitmap(photo.whole ? photo.bitmap : file, x, y, width, height);
}

/** A bitmap as a PNG file. */
export function toPng(bitmap) {
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  canvas.getContext("2d").drawImage(bitmap, 0, 0);
  return canvas.convertToBlob({ type: "image/png" });
}
