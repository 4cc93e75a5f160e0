/** Whether a file moves: what a browser enlarges is one picture of it. */

/** @param {Blob} file GIF, PNG, WebP and AVIF are looked into; the other formats that browsers read stand still. */
export async function isAnimated(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (says(bytes, 0, "GIF8")) return hasTwoPictures(bytes);
  if (says(bytes, 1, "PNG")) return hasFrames(new DataView(bytes.buffer), bytes);
  if (says(bytes, 8, "WEBPVP8X")) return (bytes[20] & 2) > 0;
  return says(bytes, 4, "ftypavis");
}

/** Whether a PNG has the chunk that says how many frames come; it stands before the first picture. */
function hasFrames(view, bytes) {
  for (let at = 8; at + 8 <= bytes.length && !says(bytes, at + 4, "IDAT"); at += 12 + view.getUint32(at)) {
    if (says(bytes, at + 4, "acTL")) return true;
  }
  return false;
}

/** Whether a GIF has more than one picture: blocks are passed over one by one. */
function hasTwoPictures(bytes) {
  const table = (flags) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  for (let at = 13 + table(bytes[10]), pictures = 0; at < bytes.length; ) {
    if (bytes[at] === 0x2c) {
      if (++pictures === 2) return true;
      at += 11 + table(bytes[at + 9]);
    } else if (bytes[at] === 0x21) at += 2;
    else return false;
    while (bytes[at]) at += 1 + bytes[at];
    at++;
  }
  return false;
}

function says(bytes, at, text) {
  return [...text].every((letter, k) => bytes[at + k] === letter.charCodeAt(0));
}
