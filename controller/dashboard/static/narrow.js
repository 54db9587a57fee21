/* Narrows the table of services to what is looked for, here in the browser: no answer is awaited. */

import { say } from "./say.js";

const form = document.getElementById("narrow");
const words = document.getElementById("narrow-words");
const state = document.getElementById("narrow-state");
const count = document.getElementById("narrow-count");

/** What a row is found by: its state, its name and the reason, as they are shown. */
function says(row) {
  return `${row.cells[0].textContent} ${row.cells[1].textContent}`.toLowerCase();
}

function narrow() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  const tones = state.value ? state.value.split(" ") : null;
  let all = 0;
  let shown = 0;
  for (const row of document.querySelectorAll("#services-table tbody > tr")) {
    const text = wanted.length ? says(row) : "";
    const fits = (!tones || tones.includes(row.dataset.tone)) && wanted.every((word) => text.includes(word));
    if (row.hidden === fits) row.hidden = !fits;
    all += 1;
    shown += fits;
  }
  count.textContent = shown === all ? "" : say("js.narrow.shown", { n: shown, all });
}

/** The address remembers, so that a reload or the way back shows the same. */
function remember() {
  const address = new URL(location.href);
  for (const [name, value] of [["find", words.value], ["state", state.value]]) {
    if (value) address.searchParams.set(name, value);
    else address.searchParams.delete(name);
  }
  history.replaceState(null, "", address);
}

if (form) {
  const asked = new URL(location.href).searchParams;
  words.value = asked.get("find") ?? "";
  state.value = asked.get("state") ?? "";
  if (state.selectedIndex < 0) state.selectedIndex = 0;
  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const field of [words, state]) {
    field.addEventListener("input", narrow);
    field.addEventListener("change", remember);
  }
  document.addEventListener("refreshed", narrow);
  narrow();
}
