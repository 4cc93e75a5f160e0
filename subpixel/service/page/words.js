/** Numbers and mishaps, as people say them. */

const SOME = 3; // of many texts that are told

/** An error whose text is for the reader: what went wrong and what to do. */
export class Told extends Error {}

/** "1.4 MB" */
export function bytes(count) {
  const units = ["bytes", "kB", "MB", "GB"];
  const power = count < 1000 ? 0 : Math.min(3, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** power).toFixed(power ? 1 : 0)} ${units[power]}`;
}

/** "about 20 s left" of work of which a share is done after so many milliseconds; "" where that says little yet. */
export function timeLeft(share, elapsed) {
  if (share < 0.03 || elapsed < 1500) return "";
  const seconds = (elapsed * (1 - share)) / share / 1000;
  if (seconds < 3) return "a moment left";
  if (seconds < 90) return `about ${Math.ceil(seconds / 5) * 5} s left`;
  return seconds < 5400 ? `about ${Math.ceil(seconds / 60)} min left` : `about ${Math.ceil(seconds / 3600)} h left`;
}

/** What did it, of the plan that the server tells: "swift-x3, then bicubic". */
export function networks(chosen) {
  const part = chosen.split("; ").find((text) => / to \d+x\d+/.test(text));
  return (part ?? chosen).split(" to ")[0];
}

/** "3 photos" */
export function count(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** "a.png, b.png, c.png and 4 more" */
export function some(texts) {
  const more = texts.length > SOME ? ` and ${texts.length - SOME} more` : "";
  return texts.slice(0, SOME).join(", ") + more;
}

/** What to tell of anything that was thrown. */
export function said(error) {
  if (error instanceof Told) return error.message;
  if (error?.name === "QuotaExceededError") return "This browser has no room left; save the results and remove photos.";
  return `${error?.message ?? error}`;
}
