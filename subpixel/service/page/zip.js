/** Files as one zip, stored as they are: images do not get smaller. Source: APPNOTE.TXT 6.3, without ZIP64. */

import { crc32 } from "./crc32.js";

const LARGEST = 0xffffffff;
const UTF8 = 1 << 11;

/**
 * A blob that refers to the given ones and copies none of them.
 * @param {{name: string, blob: Blob}[]} files
 */
export async function zip(files) {
  const parts = [];
  const entries = [];
  let offset = 0;
  for (const { name, blob } of uniquely(files)) {
    const path = new TextEncoder().encode(name);
    const about = { path, size: blob.size, crc: await checksum(blob), offset };
    const local = header(about, 0x04034b50);
    parts.push(local, blob);
    entries.push(header(about, 0x02014b50));
    offset += local.length + blob.size;
  }
  const size = entries.reduce((sum, entry) => sum + entry.length, 0);
  if (offset + size > LARGEST || files.length > 0xffff) {
    throw new Error("the photos are more than a zip of 4 GB holds; save them one by one");
  }
  return new Blob([...parts, ...entries, end(entries.length, size, offset)], { type: "application/zip" });
}

/** Files of the same name get a number. */
function uniquely(files) {
  const taken = new Set();
  return files.map(({ name, blob }) => {
    const dot = name.lastIndexOf(".");
    let unique = name;
    for (let n = 2; taken.has(unique); n++) unique = `${name.slice(0, dot)}-${n}${name.slice(dot)}`;
    taken.add(unique);
    return { name: unique, blob };
  });
}

async function checksum(blob) {
  let crc = 0;
  const reader = blob.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return crc;
    crc = crc32(value, crc);
  }
}

/** What stands before a file (local), or in the directory at the end (central). */
function header({ path, size, crc, offset }, signature) {
  const central = signature === 0x02014b50;
  const fields = [[4, signature], ...(central ? [[2, 20]] : []), [2, 20], [2, UTF8], [2, 0], [4, dosTime(new Date())]];
  fields.push([4, crc], [4, size], [4, size], [2, path.length], [2, 0]);
  if (central) fields.push([2, 0], [2, 0], [2, 0], [4, 0], [4, offset]);
  return joined(packed(fields), path);
}

function end(count, size, offset) {
  return packed([[4, 0x06054b50], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, offset], [2, 0]]);
}

function dosTime(now) {
  const date = (Math.max(0, now.getFullYear() - 1980) << 9) | ((now.getMonth() + 1) << 5) | now.getDate();
  return ((date << 16) | (now.getHours() << 11) | (now.getMinutes() << 5) | (now.getSeconds() >> 1)) >>> 0;
}

/** Little-endian numbers of 2 or 4 bytes. */
function packed(fields) {
  const bytes = new Uint8Array(fields.reduce((sum, [width]) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [width, value] of fields) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return bytes;
}

function joined(a, b) {
  const bytes = new Uint8Array(a.length + b.length);
  bytes.set(a);
  bytes.set(b, a.length);
  return bytes;
}
