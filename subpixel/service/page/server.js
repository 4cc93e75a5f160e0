/** Enlarging on the server: `/v1` of the same host, by addresses relative to the page. */

import { isVideo } from "./photo.js";
import { Told } from "./words.js";

const AGAIN = 3000; // ms until a server that does not answer is asked again
const ENDED = ["done", "failed", "cancelled", "expired"];

export class Server {
  atOnce = 4;
  /** Whether it enlarges videos. */
  video = false;
  #token = sessionStorage.getItem("token") ?? "";
  /** Asks for a token; set by the page. */
  askToken = async () => "";

  /** What the server has to offer. */
  async open() {
    const about = await (await this.#ask("v1/models")).json();
    this.atOnce = about.limits?.per_client ?? this.atOnce;
    this.video = about.video;
    return about;
  }

  /** What is wrong with a photo, in words, and what would be done about it. */
  async inspect(file, request, signal) {
    return (await this.#post(`v1/inspect?${query(request)}`, file, signal)).json();
  }

  /** A small image, enlarged at once. */
  async preview(png, request, signal) {
    const answer = await this.#post(`v1/upscale?${query(request)}`, png, signal);
    return { image: await answer.blob(), label: decodeURIComponent(answer.headers.get("X-Subpixel-Chosen") ?? "") };
  }

  /** The job of an item: sent, unless it was before, and followed to its end. */
  async run(item, { signal, tell }) {
    if (!item.job) await tell({ job: (await this.#send(item, signal, tell)).id, state: "waiting", note: "" });
    const job = await this.#follow(item.job, signal, tell);
    if (job.state === "failed") throw new Told(job.error?.detail ?? "The server could not enlarge it.");
    if (job.state !== "done") throw new Told("The server no longer has this result; enlarge it again.");
    const result = await this.#patient(() => this.#ask(`v1/jobs/${item.job}/result`, { signal }), signal, tell);
    const { width, height } = job.target ?? {};
    return { blob: await result.blob(), note: job.note ?? "", chosen: job.chosen ?? "", target: { width, height } };
  }

  /** Takes a job back; nobody waits for the answer. */
  stop(item) {
    if (item.job) this.#ask(`v1/jobs/${item.job}`, { method: "DELETE", keepalive: true }).catch(() => {});
  }

  #post(path, body, signal = new AbortController().signal) {
    return this.#patient(() => this.#ask(path, { method: "POST", body, signal }), signal);
  }

  async #send(item, signal, tell) {
    const options = { method: "POST", body: item.file, headers: { "Idempotency-Key": item.run }, signal };
    return (await this.#patient(() => this.#ask(`v1/jobs?${query(suited(item))}`, options), signal, tell)).json();
  }

  /** Does it until the server answers and has room. */
  async #patient(does, signal, tell = () => {}) {
    for (;;) {
      try {
        return await does();
      } catch (error) {
        signal.throwIfAborted();
        if (!error.after) throw error;
        await tell({ note: error.message });
        await pause(error.after, signal);
      }
    }
  }

  async #follow(id, signal, tell) {
    for (let revision = 0, last; ; ) {
      const headers = { Accept: "text/event-stream", ...(revision && { "Last-Event-ID": revision }) };
      const stream = await this.#patient(() => this.#ask(`v1/jobs/${id}/events`, { headers, signal }), signal, tell);
      try {
        for await (const job of events(stream)) {
          last = job;
          revision = job.revision;
          await tell(progress(job));
        }
      } catch {
        signal.throwIfAborted();
      }
      if (ENDED.includes(last?.state)) return last;
      await pause(500, signal); // the stream broke off
    }
  }

  /** An answer that is well. Errors that pass have `after`, the ms to wait. */
  async #ask(path, options = {}) {
    const token = this.#token;
    const headers = { ...options.headers, ...(token && { Authorization: `Bearer ${token}` }) };
    let answer;
    try {
      answer = await fetch(path, { ...options, headers });
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw passing("The server does not answer; it is asked again.", AGAIN);
    }
    if (answer.ok) return answer;
    if (answer.status === 401) {
      if (await this.#newToken(token)) return this.#ask(path, options);
      throw new Told("This server wants a token.");
    }
    const problem = await answer.json().catch(() => ({}));
    const text = problem.detail ?? problem.title ?? `The server answered ${answer.status}.`;
    const wait = Number(answer.headers.get("Retry-After")) * 1000;
    throw [429, 502, 503, 504].includes(answer.status) ? passing(text, wait || AGAIN) : new Told(text);
  }

  /** Another token than the one that was refused: what another request was told meanwhile, or is told now; or "". */
  async #newToken(refused) {
    if (this.#token !== refused) return this.#token;
    this.#token = await this.askToken(Boolean(this.#token));
    sessionStorage.setItem("token", this.#token);
    return this.#token;
  }
}

/** What is asked for, without the format that a photo is saved as where it is a video. */
function suited({ file, request: { "encoding.format": format, ...request } }) {
  return isVideo(file) ? request : { ...request, "encoding.format": format ?? "" };
}

/** What a job's state means for an item; that it ended is told with its result. */
function progress(job) {
  const state = job.state === "waiting" ? "waiting" : "running";
  return { state, fraction: job.progress, chosen: job.chosen ?? "", note: job.ahead ? `${job.ahead} before it` : "" };
}

function passing(text, after) {
  return Object.assign(new Told(text), { after });
}

/** A request as the flat query of the API; what is not set is left out. */
export function query(request) {
  return new URLSearchParams(Object.entries(request).filter(([, value]) => value !== ""));
}

/** The jobs that a stream of server-sent events tells of. */
export async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (text + value.replaceAll("\r", "")).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").filter((line) => line.startsWith("data:"));
      if (data.length) yield JSON.parse(data.map((line) => line.slice(5)).join("\n"));
    }
  }
}

function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });
}
