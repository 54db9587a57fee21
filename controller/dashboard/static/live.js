/* Keeps the live part equal to what the hub says. Events only wake: the server renders, we morph. */

const PAIR_MS = 400; // at most five refreshes a second, of which two may follow at once: a death
// that comes right after something of no matter is not to wait for it
const POLL_MS = 20_000; // measures and "ago" texts move on without an event
const GRACE_MS = 2_000; // a hub that restarts quickly is not worth an alarm
const ANSWER_MS = 5_000;
const RETRY_MS = [500, 1_000, 2_000, 4_000, 8_000];

const keepOpen = {
  morphStyle: "innerHTML",
  callbacks: {
    // What a reader unfolded stays unfolded, and rows that were narrowed away stay away.
    beforeAttributeUpdated: (name, node) =>
      !(name === "open" && node.tagName === "DETAILS") && !(name === "hidden" && node.dataset.row),
    // What a reader is choosing in a form stays chosen; a row of the same version is the same.
    beforeNodeMorphed: (node, next) =>
      !node.matches?.("form[data-keep]") && !(node.dataset?.v && node.dataset.v === next.dataset?.v),
  },
};

/**
 * Replace the content of `root` by `html` with the least change; focus and scroll stay. Where the
 * focused button itself goes (Stop became Start), the focus stays with its service.
 */
export function morph(root, html) {
  keepingPlace(() => globalThis.Idiomorph.morph(root, html, keepOpen));
}

function keepingPlace(change) {
  const row = document.activeElement?.closest("[data-row]");
  change();
  if (row?.isConnected && !row.contains(document.activeElement)) row.focus({ preventScroll: true });
}

/** What the hub takes for shown is not: the next answer is a whole one. */
function forget(root, missing) {
  root.querySelector("[data-seen]").removeAttribute("data-seen");
  throw new Error(`${missing} is not shown`);
}

/** Bring `root` up to a fragment, which may hold only those pieces that changed. */
function update(root, html) {
  const fragment = document.createElement("template");
  fragment.innerHTML = html; // our own server's rendering, escaped there
  if (!fragment.content.querySelector("[data-partial]")) return morph(root, html);
  keepingPlace(() => {
    for (const piece of fragment.content.querySelectorAll("[data-piece]")) {
      const shown = document.getElementById(piece.id);
      if (!shown) return forget(root, piece.id);
      globalThis.Idiomorph.morph(shown, piece, { ...keepOpen, morphStyle: "outerHTML" });
    }
  });
}

/** The text of a fragment. Throws when the hub does not answer, or not with 200. */
export async function fetchFragment(url) {
  const answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.text();
}

/** One page's connection. Calls `onRefresh()`, `onMoved(id)`, `onLink("live"|"lost", since)`. */
export class Live {
  #root;
  #fragment;
  #events;
  #wakes;
  #hooks;
  #source = null;
  #attempt = 0;
  #fresh = new Date();
  #fetched = true;
  #lost = null;
  #last = [-PAIR_MS, -PAIR_MS]; // when the last two refreshes began
  #due = null;
  #fetching = false;
  #again = false;
  #poll = null;
  #retry = null;

  /** `wakes` says which runs the page shows: an id, "all", or nothing. */
  constructor(root, { fragment, events, wakes, ...hooks }) {
    this.#root = root;
    this.#fragment = fragment;
    this.#events = events;
    this.#wakes = wakes;
    this.#hooks = hooks;
    // A hidden tab holds no connection: browsers allow six to one host, and tabs pile up.
    document.addEventListener("visibilitychange", () => (document.hidden ? this.stop() : this.start()));
    addEventListener("pagehide", () => this.stop());
    addEventListener("pageshow", (event) => event.persisted && this.start());
  }

  start() {
    if (document.hidden || this.#poll) return;
    this.#poll = setInterval(() => this.changed(), POLL_MS);
    this.#connect();
  }

  stop() {
    clearInterval(this.#poll);
    clearTimeout(this.#retry);
    clearTimeout(this.#due);
    clearTimeout(this.#lost);
    this.#poll = this.#retry = this.#due = this.#lost = null;
    this.#source?.close();
    this.#source = null;
  }

  /** Something changed: refresh now, or as soon as the gap allows. */
  changed() {
    if (this.#fetching) {
      this.#again = true;
    } else if (!this.#due) {
      const wait = Math.max(0, this.#last[0] + PAIR_MS - performance.now());
      this.#due = setTimeout(() => this.#refresh(), wait);
    }
  }

  #connect() {
    const source = new EventSource(this.#events);
    this.#source = source;
    source.addEventListener("open", () => {
      this.#attempt = 0;
      this.changed(); // whatever happened meanwhile
      this.#judge();
    });
    // The browser's own retry gives up on an HTTP error, so the retry is ours.
    source.addEventListener("error", () => {
      source.close();
      if (this.#source !== source) return;
      const wait = RETRY_MS[Math.min(this.#attempt++, RETRY_MS.length - 1)];
      this.#retry = setTimeout(() => this.#connect(), wait);
      this.#judge();
    });
    for (const name of ["service", "orphans", "engine", "config", "incident", "alert", "hub"]) {
      source.addEventListener(name, () => this.changed());
    }
    source.addEventListener("run", (event) => this.#ran(identifier(event.data)));
    // Too many at once to name each.
    source.addEventListener("runs", () => this.#ran(this.#wakes));
    for (const name of ["operation", "rehearsal"]) {
      source.addEventListener(name, (event) => {
        this.changed();
        this.#hooks.onMoved(identifier(event.data));
      });
    }
  }

  /** There may be a hundred runs a second; only a page that shows them cares. */
  #ran(id) {
    if (this.#wakes === "all" || (this.#wakes && this.#wakes === id)) this.changed();
  }

  /** Where the page says what it shows, only what differs from that is sent. */
  #address() {
    const seen = this.#root.querySelector("[data-seen]")?.dataset.seen;
    if (!seen) return this.#fragment;
    return `${this.#fragment}${this.#fragment.includes("?") ? "&" : "?"}since=${encodeURIComponent(seen)}`;
  }

  async #refresh() {
    this.#due = null;
    this.#fetching = true;
    this.#last = [this.#last[1], performance.now()];
    try {
      update(this.#root, await fetchFragment(this.#address()));
      this.#fresh = new Date();
      this.#fetched = true;
      this.#hooks.onRefresh();
    } catch {
      this.#fetched = false;
    }
    this.#fetching = false;
    this.#judge();
    if (!this.#fetched && this.#poll) {
      // The machine's network changes whenever a container comes or goes: one loss says little.
      this.#due = setTimeout(() => this.#refresh(), RETRY_MS[1]);
    } else if (this.#again) {
      this.#again = false;
      this.changed();
    }
  }

  /** Live only while the stream is open and the last refresh worked; lost after a short grace. */
  #judge() {
    if (this.#source?.readyState === EventSource.OPEN && this.#fetched) {
      clearTimeout(this.#lost);
      this.#lost = null;
      this.#hooks.onLink("live", this.#fresh);
    } else if (!this.#lost && this.#poll) {
      this.#lost = setTimeout(() => this.#hooks.onLink("lost", this.#fresh), GRACE_MS);
    }
  }
}

function identifier(data) {
  try {
    return String(JSON.parse(data)?.id ?? "");
  } catch {
    return "";
  }
}
