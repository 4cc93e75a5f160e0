/** The page: photos come in, one is looked at, all are enlarged, here or on the server. */

import "./compare.js";
import { List } from "./list.js";
import { Local } from "./local.js";
import { isVideo, measure, open } from "./photo.js";
import { Preview } from "./preview.js";
import { Queue, isUnderWay } from "./queue.js";
import { nameOf, save, saveAll } from "./save.js";
import { Server } from "./server.js";
import { Settings } from "./settings.js";
import { openStore } from "./store.js";
import { bytes, count, networks, said, some } from "./words.js";

const AS_IT_IS = { model: "bicubic", scale: 1, "encoding.format": "png" }; // a photo that only the server can read

const at = (id) => document.getElementById(id);
const compare = document.querySelector("subpixel-compare");
const settings = new Settings(at("settings"));
const server = new Server();
const engines = { server };
const preview = new Preview(compare, (text) => report(text));
const list = new List(at("items"), does);
let queue;
let where = "server";
let picked = null; // the item that is looked at
let photo = null; // its pixels
let looked = {}; // item id -> what the server said of it

start().catch((error) => notice(said(error)));

async function start() {
  server.askToken = askToken;
  const store = await openStore().catch(() => null);
  queue = new Queue(engines, store);
  queue.addEventListener("change", ({ detail }) => changed(detail));
  queue.addEventListener("trouble", ({ detail }) => notice(detail));
  listen();
  await Promise.all([offerServer(), offerLocal()]);
  if (!store) notice("This browser keeps nothing: a reload of the page loses the photos.");
  await queue.restore();
  if (queue.items.length) pick(queue.items[0]);
  document.documentElement.dataset.ready = "";
}

async function offerServer() {
  try {
    const about = await server.open();
    settings.offer(about);
    const { max_megapixels: most, max_upload: upload } = about.limits;
    const more = server.video ? "and more, videos too" : "and more";
    at("limits").textContent = `JPEG, PNG, WebP, AVIF ${more}; up to ${most} megapixels and ${bytes(upload)}.`;
  } catch (error) {
    notice(said(error));
  }
}

/** The browser mode, where its program is installed. */
async function offerLocal() {
  const about = await fetch("browser/index.json").then((answer) => (answer.ok ? answer.json() : null), () => null);
  if (!about?.program) return;
  engines.local = new Local(about);
  at("where").hidden = false;
  if (localStorage.getItem("where") === "local") choose("local");
}

function choose(mode) {
  where = mode;
  localStorage.setItem("where", mode);
  at("where").querySelector(`[value="${mode}"]`).checked = true;
  settings.local = mode === "local";
  at("badge").hidden = mode !== "local";
  if (mode === "local") engines.local.open().then(tellEngine, (error) => notice(said(error)));
  look();
  showAll();
}

function tellEngine({ threads, gpu }) {
  const by = gpu ? "WebGPU where it computes right, else WebAssembly" : `WebAssembly on ${count(threads, "thread")}`;
  at("engine").textContent = `The page computes by itself, with ${by}`;
}

function listen() {
  at("files").addEventListener("change", async ({ target }) => (await take([...target.files]), (target.value = "")));
  at("settings").addEventListener("submit", (event) => (event.preventDefault(), enlarge()));
  at("settings").addEventListener("input", (event) => event.target.type !== "file" && (look(), showAll()));
  at("where").addEventListener("change", (event) => choose(event.target.value));
  at("token").addEventListener("cancel", () => (at("token-text").value = "")); // Escape is no token
  at("zip").addEventListener("click", () => saveAll(done()).catch((error) => notice(said(error))));
  at("stop-all").addEventListener("click", () => queue.items.forEach((item) => queue.stop(item)));
  at("notice").querySelector("button").addEventListener("click", () => (at("notice").hidden = true));
  compare.addEventListener("look", look);
  document.addEventListener("paste", ({ clipboardData }) => take([...clipboardData.files]));
  document.addEventListener("dragover", (event) => (event.preventDefault(), (at("drop").hidden = false)));
  document.addEventListener("dragleave", (event) => event.relatedTarget || (at("drop").hidden = true));
  document.addEventListener("drop", (event) => (event.preventDefault(), take([...event.dataTransfer.files])));
}

async function take(files) {
  at("drop").hidden = true;
  const others = files.filter(unfit).map((file) => `${file.name} (${unfit(file)})`);
  if (others.length) notice(`Left out: ${some(others)}.`);
  try {
    const added = await queue.add(files.filter((file) => !unfit(file)));
    if (added.length) await pick(added[0]);
  } catch (error) {
    notice(said(error));
  }
}

/** Why a file is not taken; "" for one that is. */
function unfit(file) {
  if (!file.size) return "it is empty";
  const fits = isVideo(file) ? server.video : !/^(text|application|audio)\//.test(file.type);
  return fits ? "" : `no photo${server.video ? " or video" : ""}`;
}

function enlarge() {
  const { request } = settings;
  queue.start(queue.items.filter((item) => !isUnderWay(item) && isStale(item, request)), where, request);
}

/** Whether an item was not yet tried with what is asked for now. */
function isStale(item, request) {
  const tried = item.state === "done" || item.state === "failed";
  return !tried || item.where !== where || JSON.stringify(item.request) !== JSON.stringify(request);
}

function does(what, item) {
  if (what === "pick") pick(item);
  if (what === "save") save(item.result, nameOf(item));
  if (what === "stop") queue.stop(item);
  if (what === "again") queue.start([item], item.where, item.request);
  if (what === "remove") queue.remove(item);
}

function done() {
  return queue.items.filter((item) => item.state === "done");
}

function changed(item) {
  if (!item) {
    list.show(queue.items, picked);
    if (!queue.items.includes(picked)) pick(queue.items[0] ?? null);
  } else list.update(item, picked);
  if (item?.state === "done") at("status").textContent = `${item.name} is done`;
  if (item?.state === "failed") at("status").textContent = `${item.name}: ${item.error}`;
  if (item && item === picked && item.state === "done") look();
  showAll();
}

/** What depends on all photos: which parts are there, and what the buttons say. */
function showAll() {
  const { items } = queue;
  const waiting = items.filter((item) => !isUnderWay(item) && isStale(item, settings.request)).length;
  at("queue").hidden = !items.length;
  at("empty").hidden = Boolean(items.length);
  compare.hidden = !picked || isVideo(picked.file);
  at("start").disabled = !waiting;
  at("start").textContent = waiting > 1 ? `Enlarge ${waiting} photos` : "Enlarge";
  at("zip").hidden = done().length < 2;
  at("stop-all").hidden = items.filter(isUnderWay).length < 2;
}

/** Looks at a photo. */
async function pick(item) {
  preview.cancel();
  picked = item;
  list.show(queue.items, picked);
  compare.photo = null;
  photo?.bitmap.close();
  photo = null;
  report(item && isVideo(item.file) ? "A video: it is enlarged whole, without a preview." : "");
  if (!item || isVideo(item.file)) return;
  try {
    const opened = await openAny(item.file);
    if (picked !== item) return opened.bitmap.close();
    photo = { ...opened, name: item.name };
    compare.hidden = false;
    compare.photo = photo;
    look();
  } catch (error) {
    if (picked === item) report(said(error));
  }
}

/** A photo that this browser cannot read is shown by the server, where that is asked. */
async function openAny(file) {
  if (where === "local" || (await measure(file))) return open(file);
  return open((await server.preview(file, AS_IT_IS)).image);
}

/** Shows the result of what is asked for, or a preview of it. */
function look() {
  preview.cancel();
  if (!photo) return;
  const { request } = settings;
  if (!at("settings").checkValidity()) return;
  inspect(picked);
  if (picked.state === "done" && !isStale(picked, request)) return showResult(picked);
  const engine = engines[where];
  preview.ask({ photo, file: picked.file, engine, request, condition: looked[picked.id]?.condition });
}

async function showResult(item) {
  if (compare.after?.item === item.run) return;
  const shown = photo;
  try {
    const { bitmap } = await open(item.result);
    if (photo !== shown || isStale(item, settings.request)) return bitmap.close();
    compare.after?.bitmap.close();
    const rect = { x: 0, y: 0, width: photo.width, height: photo.height };
    compare.after = { bitmap, rect, label: `After: ${networks(item.chosen)}`, item: item.run };
  } catch (error) {
    report(`It is done, but ${said(error)}.`);
  }
}

/** Asks the server once what is wrong with a photo. */
async function inspect(item) {
  const engine = engines[where];
  const key = item.id;
  if (where === "local") return report((await engine.inspect()).summary);
  if (!looked[key]) {
    looked[key] = {};
    looked[key] = await server.inspect(item.file, { model: "auto" }).catch((error) => ({ trouble: said(error) }));
    if (picked === item) look();
  }
  const { summary, trouble } = looked[key];
  if (picked === item) report(trouble ?? (summary ? `Found: ${summary}.` : ""));
}

function report(text) {
  at("report").textContent = text;
}

function notice(text) {
  at("notice").querySelector("span").textContent = text;
  at("notice").hidden = false;
  at("notice").scrollIntoView({ block: "nearest" });
}

async function askToken(wasWrong) {
  at("token-wrong").hidden = !wasWrong;
  at("token").showModal();
  await new Promise((resolve) => at("token").addEventListener("close", resolve, { once: true }));
  return at("token-text").value.trim();
}
