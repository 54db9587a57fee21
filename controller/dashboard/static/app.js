/* Starts a page: connects the live part, the actions, and what a person is told about both. */

import { Actions } from "./actions.js";
import "./keys.js";
import { Live } from "./live.js";
import { announce, clockTime, localiseTimes, say } from "./say.js";
import { tick } from "./ticks.js";

const root = document.getElementById("live");
const link = document.getElementById("link");
const stale = document.getElementById("stale");
const title = document.title;
const { fragment, events, wakes } = document.body.dataset;

function headline() {
  return document.getElementById("headline")?.textContent ?? "";
}
let told = headline();

/** The tab's title counts what needs attention, so that a glance at the tabs is enough. */
function retitle() {
  const urgent = root.querySelectorAll(".urgent").length;
  document.title = urgent ? `(${urgent}) ${title}` : title;
}

/** The navigation stands outside the live part; it counts what is open. */
function recount(counted, shown) {
  const count = document.getElementById(counted);
  const pill = document.getElementById(shown);
  pill.hidden = count.dataset.n === "0";
  pill.textContent = count.dataset.n;
  pill.title = count.dataset.says;
}

function refreshed() {
  localiseTimes(root);
  tick(root);
  retitle();
  recount("open-count", "nav-open");
  recount("firing-count", "nav-firing");
  document.dispatchEvent(new Event("refreshed"));
  if (headline() !== told) announce((told = headline()));
}

/** A wide drawing begins where the run is. */
function showNow() {
  const now = root.querySelector(".dag .now");
  const box = now?.closest(".dag-box");
  if (box) box.scrollLeft = now.getBBox().x - box.clientWidth / 2;
}

function linked(state, fresh) {
  if (link.dataset.state === state) return;
  const wasLost = link.dataset.state === "lost";
  link.dataset.state = state;
  document.getElementById("link-word").textContent = say(`js.link.${state}`);
  const lost = state === "lost";
  document.body.toggleAttribute("data-stale", lost);
  stale.hidden = !lost;
  stale.textContent = lost ? say("js.stale", { time: clockTime(fresh) }) : "";
  if (wasLost) announce(say("js.back"));
}

localiseTimes(root);
tick(root);
setInterval(() => document.hidden || tick(root), 1_000);
retitle();
showNow();
const actions = new Actions();
new Live(root, {
  fragment,
  events,
  wakes,
  onRefresh: refreshed,
  onMoved: (id) => actions.moved(id),
  onLink: linked,
}).start();
