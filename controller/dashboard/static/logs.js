/* The live tail: rows come rendered by the hub, and are put at the end. The reader's place stays. */

import { clockTime, say } from "./say.js";

const MOST = 2_000; // rows kept on the page; the oldest go
const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000];
const box = document.getElementById("log-box");
const list = document.getElementById("log-lines");
const tail = document.getElementById("log-tail");
const button = document.getElementById("log-live");
const count = document.getElementById("log-count");
const none = document.getElementById("log-none");
const fresh = document.getElementById("log-new");
const { stream, seen } = box.dataset;
const pad = (n, width = 2) => String(n).padStart(width, "0");

let source = null;
let last = seen;
let attempt = 0;
let retry = null;
let wanted = Boolean(stream);
let unseen = 0;

/** The reader's own clock, to the millisecond. */
function localise(root) {
  for (const time of root.querySelectorAll("time.log-at")) {
    const at = new Date(time.dateTime);
    time.firstElementChild.textContent = `${pad(at.getMonth() + 1)}-${pad(at.getDate())} `;
    time.lastChild.data =
      `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}`;
    time.title = clockTime(at);
  }
}

/** In a box that is turned over, the end is at 0. */
function atEnd() {
  return Math.abs(box.scrollTop) < 8;
}

function toEnd() {
  box.scrollTop = 0;
  unseen = 0;
  fresh.hidden = true;
}

function trim() {
  // Where somebody reads what came before, it is not taken from under their eyes.
  if (!atEnd()) return;
  while (list.children.length > MOST) list.firstElementChild.remove();
}

function add(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  for (const row of template.content.querySelectorAll(".entry[id]")) {
    if (document.getElementById(row.id)) row.remove();
  }
  const rows = template.content.querySelectorAll(".entry").length;
  localise(template.content);
  const stays = atEnd();
  const from = box.scrollHeight;
  list.append(template.content);
  none.hidden = true;
  if (!stays) {
    // The distance from the end grew; what is read stays where it is.
    box.scrollTop -= box.scrollHeight - from;
    unseen += rows;
    fresh.textContent = say("js.logs.new", { n: unseen });
    fresh.hidden = false;
  }
  trim();
  count.textContent = say("js.logs.shown", { n: list.children.length });
}

function lost(sentence) {
  const row = document.createElement("li");
  row.className = "entry lost";
  row.textContent = sentence;
  list.append(row);
}

function tell(state) {
  tail.dataset.state = state;
  tail.textContent = say(`js.logs.${state}`);
}

function connect() {
  clearTimeout(retry);
  if (!wanted || document.hidden || source) return;
  const address = new URL(stream, location.href);
  if (last) address.searchParams.set("seen", last);
  source = new EventSource(address);
  const mine = source;
  mine.addEventListener("open", () => {
    attempt = 0;
    tell("following");
  });
  mine.addEventListener("rows", (event) => {
    last = event.lastEventId || last;
    add(event.data);
  });
  mine.addEventListener("lost", (event) => lost(event.data));
  mine.addEventListener("error", () => {
    mine.close();
    if (source !== mine) return;
    source = null;
    tell("lost");
    retry = setTimeout(connect, RETRY_MS[Math.min(attempt++, RETRY_MS.length - 1)]);
  });
}

function disconnect() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

function toggle() {
  wanted = !wanted;
  button.setAttribute("aria-pressed", String(wanted));
  if (wanted) connect();
  else {
    disconnect();
    tell("held");
  }
}

localise(list);
if (stream) {
  button.hidden = false;
  button.addEventListener("click", toggle);
  fresh.addEventListener("click", toEnd);
  box.addEventListener("scroll", () => atEnd() && toEnd(), { passive: true });
  document.addEventListener("visibilitychange", () => (document.hidden ? disconnect() : connect()));
  addEventListener("pagehide", disconnect);
  addEventListener("pageshow", (event) => event.persisted && connect());
  connect();
} else {
  document.querySelector(".entry.hit")?.scrollIntoView({ block: "center" });
}
// A choice of services is a choice; one need not look for the button.
const picker = document.getElementById("log-services");
if (picker) {
  picker.addEventListener("toggle", () => !picker.open && picker.dataset.changed && picker.closest("form").requestSubmit());
  picker.addEventListener("change", () => (picker.dataset.changed = "yes"));
  document.addEventListener("click", (event) => picker.open && !picker.contains(event.target) && (picker.open = false));
  picker.addEventListener("keydown", (event) => event.key === "Escape" && (picker.open = false));
}
