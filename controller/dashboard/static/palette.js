/* The palette: type, choose, go. A combobox whose options the hub renders, driven by keys alone. */

import { singleKeys } from "./keys.js";
import { fetchFragment } from "./live.js";
import { announce, say } from "./say.js";

const dialog = document.getElementById("palette");
const words = document.getElementById("palette-words");
const list = document.getElementById("palette-list");

const AGAIN_MS = 250;
let asked = 0; // the newest question; answers to older ones are too late
let options = [];
let at = -1;

function pause() {
  return new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
}

/** Offer what fits the words as they are now. */
export async function ask() {
  const mine = ++asked;
  const address = `${document.body.dataset.fragments}palette?q=${encodeURIComponent(words.value)}`;
  const answer = () => fetchFragment(address).catch(() => null);
  // The machine's network changes whenever a container comes or goes: one loss says little.
  const html = (await answer()) ?? (mine === asked ? await pause().then(answer) : null);
  if (mine !== asked || !dialog.open) return;
  if (html === null) return announce(say("js.unreachable"));
  list.innerHTML = html; // our own server's rendering, escaped there
  options = [...list.querySelectorAll("[role=option]")];
  choose(options.length ? 0 : -1);
  announce(say("js.palette.found", { n: options.length }));
}

function choose(next) {
  options[at]?.setAttribute("aria-selected", "false");
  at = next;
  const option = options[at];
  if (!option) return words.removeAttribute("aria-activedescendant");
  option.setAttribute("aria-selected", "true");
  words.setAttribute("aria-activedescendant", option.id);
  option.scrollIntoView({ block: "nearest" });
}

function go(option) {
  const { href, sets, value, do: verb, ...rest } = option.dataset;
  dialog.close();
  if (href) location.assign(href);
  else if (sets === "keys") announce(say(singleKeys(!singleKeys()) ? "js.palette.keys_on" : "js.palette.keys_off"));
  else if (sets) prefer(sets, value);
  else act({ verb, ...rest });
}

/** The same form as the buttons in the head of the page. */
function prefer(name, value) {
  const button = document.querySelector(`.tools button[name="${name}"]`);
  button.value = value;
  button.click();
}

/** The same dialog as every button's: nothing happens without its plan and a confirmation. */
function act(asked) {
  const button = document.createElement("button");
  Object.assign(button.dataset, asked);
  button.hidden = true;
  document.body.append(button);
  button.click();
  button.remove();
}

words.addEventListener("input", ask);
words.addEventListener("keydown", (event) => {
  if (event.isComposing) return; // Enter ends a Korean syllable, not the choice
  const last = options.length - 1;
  if (event.key === "ArrowDown") choose(at < last ? at + 1 : 0);
  else if (event.key === "ArrowUp") choose(at > 0 ? at - 1 : last);
  else if (event.key === "PageDown") choose(Math.min(at + 8, last));
  else if (event.key === "PageUp") choose(Math.max(at - 8, 0));
  else if (event.key === "Enter") options[at] && go(options[at]);
  else return;
  event.preventDefault();
});
list.addEventListener("click", (event) => {
  const option = event.target.closest("[role=option]");
  if (option) go(option);
});
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
