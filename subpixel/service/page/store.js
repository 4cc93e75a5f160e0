/** What outlives a reload: the photos of this tab, what is asked of them, and the results, in IndexedDB. */

const NAME = "subpixel";

/** A fresh name that nobody guesses; also where a page that is not https has no randomUUID. */
export function freshId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The queue of this tab. A tab holds a lock on its queue, so that two tabs never work on the same; a new tab goes on
 * with one that no tab holds.
 */
export async function openStore() {
  const database = await open();
  const items = await all(database, "items");
  const known = [...new Set(items.map((item) => item.queue))];
  const queue = await claim(known);
  sessionStorage.setItem("queue", queue);
  return new Store(database, queue);
}

class Store {
  #database;

  constructor(database, queue) {
    this.#database = database;
    this.queue = queue;
  }

  /** The items of this tab, in the order in which they were added. */
  async items() {
    const items = (await all(this.#database, "items")).filter((item) => item.queue === this.queue);
    for (const item of items) {
      item.file = await wait(this.#blobs("readonly").get(`${item.id} photo`));
      item.result = await wait(this.#blobs("readonly").get(`${item.id} result`));
    }
    return items.filter((item) => item.file).sort((a, b) => a.order - b.order);
  }

  /** Keeps what is said of an item. */
  put({ file, result, ...item }) {
    return wait(this.#items().put({ ...item, queue: this.queue }));
  }

  /** Keeps a photo or a result. */
  putBlob(id, what, blob) {
    return wait(this.#blobs("readwrite").put(blob, `${id} ${what}`));
  }

  async remove(id) {
    await wait(this.#items().delete(id));
    await wait(this.#blobs("readwrite").delete(IDBKeyRange.bound(`${id} `, `${id} z`)));
  }

  #items() {
    return this.#database.transaction("items", "readwrite").objectStore("items");
  }

  #blobs(mode) {
    return this.#database.transaction("blobs", mode).objectStore("blobs");
  }
}

function open() {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => {
    request.result.createObjectStore("items", { keyPath: "id" });
    request.result.createObjectStore("blobs");
  };
  return wait(request);
}

function all(database, name) {
  return wait(database.transaction(name).objectStore(name).getAll());
}

function wait(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** The name of a queue that is this tab's alone until it closes: its own of before a reload, a left one, a new one. */
async function claim(known) {
  const own = sessionStorage.getItem("queue");
  if (!navigator.locks) return own ?? freshId(); // a page that is not https
  if (own && (await hold(own, { signal: AbortSignal.timeout(1000) }))) return own; // the page before may still let go
  for (const queue of known) if (await hold(queue, { ifAvailable: true })) return queue;
  const fresh = freshId();
  await hold(fresh, {});
  return fresh;
}

/** Whether the lock was got; it is kept as long as the page lives. */
function hold(queue, options) {
  return new Promise((resolve) => {
    const got = (lock) => {
      resolve(Boolean(lock));
      return lock && new Promise(() => {});
    };
    navigator.locks.request(`subpixel ${queue}`, options, got).catch(() => resolve(false));
  });
}
