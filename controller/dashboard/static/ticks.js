/* Counts on what goes on between two answers of the hub, from its own count: our clock may be wrong. */

import { say } from "./say.js";

const bases = new WeakMap(); // element to [what the hub said, when we heard it]

/** `12 s`, `3 min 12 s`, `1 h 3 min`, as the hub itself writes it. */
function spoken(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  const days = Math.floor(hours / 24);
  const unit = (name, n) => say(`unit.${name}`, { n });
  const pair = (large, n, small, m) => unit(large, n) + (m ? ` ${unit(small, m)}` : "");
  if (days) return pair("d", days, "h", hours % 24);
  if (hours) return pair("h", hours, "min", minutes % 60);
  if (minutes) return `${unit("min", minutes)} ${unit("s", seconds % 60)}`;
  return unit("s", seconds);
}

/** Bring every count under `root` up to now. */
export function tick(root) {
  const now = performance.now();
  for (const element of root.querySelectorAll("[data-elapsed]")) {
    const said = element.dataset.elapsed;
    let base = bases.get(element);
    if (base?.[0] !== said) bases.set(element, (base = [said, now]));
    const text = spoken(Number(said) + now - base[1]);
    if (element.textContent !== text) element.textContent = text;
  }
}
