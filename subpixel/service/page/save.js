/** Results as files. */

import { zip } from "./zip.js";

const SUFFIXES = {
  "image/jpeg": "jpg", "image/tiff": "tif", "video/x-matroska": "mkv", "video/quicktime": "mov", "application/dicom": "dcm",
}; // the other types end like their suffix
const KEPT = 30_000; // ms that a browser may take to begin a download

/** "cup_x2.png" for cup.jpg. */
export function nameOf(item) {
  const stem = item.name.replace(/\.[^.]*$/, "") || "photo";
  const how = item.request.scale ? `x${item.request.scale}` : item.request.size;
  return `${stem}_${how}.${SUFFIXES[item.result.type] ?? item.result.type.split("/")[1]}`;
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT);
}

export async function saveAll(items) {
  save(await zip(items.map((item) => ({ name: nameOf(item), blob: item.result }))), "subpixel.zip");
}
