/* Keys that work on every page. What they open is only loaded when it is first asked for. */

const palette = document.getElementById("palette");
const SWITCH = "heal7-single-keys";

/** Single letters can be turned off: dictation and shaky hands press them by accident. */
export function singleKeys(on) {
  if (on !== undefined) localStorage.setItem(SWITCH, on ? "on" : "off");
  return localStorage.getItem(SWITCH) !== "off";
}

/** It opens before its script is there, so that what is typed meanwhile is not lost. */
function togglePalette() {
  if (palette.open) return palette.close();
  const words = document.getElementById("palette-words");
  words.value = "";
  palette.showModal();
  words.focus();
  import("./palette.js").then((script) => script.ask());
}

function writing(target) {
  return target.closest?.("input, textarea, select, [contenteditable]") !== null;
}

function find() {
  const field = [...document.querySelectorAll('main input[type="search"]')].find((f) => f.checkVisibility());
  field?.focus();
  field?.select();
  return Boolean(field);
}

document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    if (!document.querySelector("dialog[open]:not(#palette)")) togglePalette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || writing(event.target)) return;
  if (!singleKeys() || document.querySelector("dialog[open]")) return;
  if (event.key === "?") document.getElementById("shortcuts").showModal();
  else if (event.key !== "/" || !find()) return;
  event.preventDefault();
});
document.getElementById("palette-open").addEventListener("click", togglePalette);
