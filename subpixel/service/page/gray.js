/** Whether a file holds one channel of gray: then its result does too, as with the package. */

const PNG = 0x89504e47;
const JPEG = 0xffd8;
const FRAMES = [0xc0, 0xc1, 0xc2]; // baseline, extended, progressive

/** @param {Blob} file PNG and JPEG are looked into; the other formats that browsers read are always in colour. */
export async function isGray(file) {
  const head = await read(file, 0, 26);
  if (head.byteLength === 26 && head.getUint32(0) === PNG) return [0, 4].includes(head.getUint8(25));
  return head.byteLength > 2 && head.getUint16(0) === JPEG && (await components(file)) === 1;
}

/** How many channels a JPEG has, by its frame; 0 where none is found. */
async function components(file) {
  for (let at = 2; at < file.size; ) {
    const segment = await read(file, at, 10);
    if (segment.byteLength < 10 || segment.getUint8(0) !== 0xff) return 0;
    if (FRAMES.includes(segment.getUint8(1))) return segment.getUint8(9);
    at += 2 + segment.getUint16(2);
  }
  return 0;
}

async function read(file, at, length) {
  return new DataView(await file.slice(at, at + length).arrayBuffer());
}

/** Three planes, each of them their mean. */
export function averaged(planes) {
  const size = planes.length / 3;
  const mean = new Float32Array(planes.length);
  for (let i = 0; i < size; i++) {
    mean[i] = mean[size + i] = mean[2 * size + i] = (planes[i] + planes[size + i] + planes[2 * size + i]) / 3;
  }
  return mean;
}
