/* Words, announcements and toasts. Everything foreign reaches the page as text, never as markup. */

const words = JSON.parse(document.getElementById("words").textContent);

/** The sentence of a key in the page's language; `{name}` is filled from `facts`. */
export function say(key, facts = {}) {
  return (words[key] ?? "").replace(/\{(\w+)\}/g, (_, name) => String(facts[name] ?? ""));
}

/** The name of a plan operation; one that the catalogue does not know is shown as it is. */
export function operationName(op) {
  return words[`op.${op}`] ?? op;
}

/** A moment today as the reader's clock shows it. */
export function clockTime(moment) {
  return new Intl.DateTimeFormat(document.documentElement.lang, { timeStyle: "medium" }).format(moment);
}

/** Tooltips in the reader's time zone, and the text of those moments that must be exact. */
export function localiseTimes(root) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, {
    dateStyle: "medium",
    timeStyle: "medium",
  });
  for (const element of root.querySelectorAll("time[datetime]")) {
    const local = format.format(new Date(element.dateTime));
    element.title = local;
    if (element.classList.contains("local")) element.textContent = local;
    if (element.classList.contains("clock")) element.textContent = clockTime(new Date(element.dateTime));
  }
}

/** Read aloud politely by screen readers; shown nowhere. A sentence stays for a while, since the
    next one often follows at once and must not take its place before it is read. */
export function announce(sentence) {
  const line = document.createElement("p");
  line.textContent = sentence;
  document.getElementById("announcer").append(line);
  setTimeout(() => line.remove(), 10000);
}

/** A message in the corner: good news leaves by itself, bad news waits to be dismissed. */
export function toast(sentence, tone, icon) {
  const box = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
  box.classList.add(`t-${tone}`);
  const line = box.querySelector("p");
  if (icon) line.append(icon);
  const words = document.createElement("span");
  words.textContent = sentence;
  line.append(words);
  box.querySelector("button").addEventListener("click", () => box.remove());
  document.getElementById("toasts").append(box);
  if (tone !== "bad") setTimeout(() => box.remove(), 7000);
}
