/* Ask, show the plan, act, follow: one dialog for every action, so none happens by a slip. */

import { fetchFragment, morph } from "./live.js";
import { announce, operationName, say, toast } from "./say.js";

const FOLLOW_MS = 2_000; // should an event be missed

const byId = (id) => document.getElementById(id);
const element = (tag, className, textContent = "") =>
  Object.assign(document.createElement(tag), { className, textContent });

/** A refusal in the hub's own words (problem+json), or in ours when it did not answer. */
class Refusal extends Error {
  constructor(title, detail, remedy) {
    super(detail || title);
    Object.assign(this, { title, detail, remedy });
  }
}

async function post(path) {
  let answer;
  try {
    // The hub speaks the page's language, which need not be the browser's.
    answer = await fetch(path, {
      method: "POST",
      headers: { Accept: "application/json", "Accept-Language": document.documentElement.lang },
      signal: AbortSignal.timeout(15_000),
    });
  } catch {
    throw new Refusal(say("js.unreachable"), "", say("js.unreachable.remedy"));
  }
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  const words = (value) => (typeof value === "string" ? value : "");
  throw new Refusal(
    words(body.title) || say("js.refused", { status: answer.status }),
    words(body.detail),
    words(body.remedy),
  );
}

/** Where an action is asked for; an empty service means the whole stack. */
function pathOf({ verb, service }) {
  return service
    ? `/orchestration/services/${encodeURIComponent(service)}/${verb}`
    : `/orchestration/${verb}-all`;
}

export class Actions {
  #dialog = byId("confirm");
  #body = byId("confirm-body");
  #go = byId("confirm-go");
  #close = byId("confirm-close");
  #problem = byId("confirm-problem");
  #asked = null; // what the dialog is about: the button's data
  #shown = null; // the operation whose progress the dialog shows
  #watched = new Set(); // operations of this tab that have not ended
  #timer = null;

  constructor() {
    document.addEventListener("click", (event) => this.#clicked(event));
    this.#go.addEventListener("click", () => this.#next());
    this.#dialog.addEventListener("close", () => this.#closed());
  }

  /** An operation moved: follow it if it is ours. */
  moved(id) {
    if (this.#watched.has(id)) this.#follow(id);
  }

  #clicked(event) {
    if (event.target === this.#dialog) return this.#dialog.close(); // the backdrop
    const button = event.target.closest("button[data-verb]");
    if (!button) return;
    if (button.getAttribute("aria-disabled") === "true") {
      announce(say("js.busy"));
      return;
    }
    this.#open({ ...button.dataset, opener: button });
  }

  #open(asked) {
    this.#asked = asked;
    this.#shown = null;
    byId("confirm-title").textContent = asked.title;
    const note = byId("confirm-note");
    note.textContent = asked.note;
    note.hidden = !asked.note;
    this.#go.textContent = asked.label;
    this.#go.classList.toggle("takes-down", asked.verb !== "start");
    this.#close.textContent = say("js.cancel");
    this.#dialog.showModal();
    this.#close.focus();
    this.#plan();
  }

  async #plan() {
    const asked = this.#asked;
    this.#wait(say("js.plan.loading"));
    try {
      const { plan = [], settled = {} } = await post(`${pathOf(asked)}?dry_run=true`);
      if (this.#asked !== asked) return;
      this.#showPlan(plan, Object.keys(settled));
      this.#offer(asked.label, "act");
      // Starting is harmless: one more Enter does it. What takes down needs a deliberate move.
      if (asked.verb === "start") this.#go.focus();
    } catch (refusal) {
      if (this.#asked === asked) this.#refused(refusal, "plan");
    }
  }

  #showPlan(plan, settled) {
    const parts = [];
    if (plan.length) {
      parts.push(element("h3", "", say("js.plan.steps")), this.#planList(plan));
    } else {
      parts.push(element("p", "calm", say("js.plan.empty")));
    }
    if (plan.length && settled.length) {
      parts.push(element("p", "settled", say("js.plan.settled", { services: settled.join(", ") })));
    }
    this.#body.replaceChildren(...parts);
    this.#body.scrollTop = 0;
  }

  /** Numbered as a person reads it; "after 1, 2" points at those numbers. */
  #planList(plan) {
    const number = new Map(plan.map((step, index) => [step.id, index + 1]));
    const list = element("ol", "plan");
    for (const step of plan) {
      const item = byId("plan-step").content.firstElementChild.cloneNode(true);
      const after = (step.after ?? []).map((id) => number.get(id)).filter(Boolean);
      item.querySelector("b").textContent = operationName(step.op);
      item.querySelector(".name").textContent = step.service ?? "";
      item.querySelector(".plan-cause").textContent = step.cause ?? "";
      item.querySelector(".plan-after").textContent = after.length
        ? say("js.plan.after", { steps: after.join(", ") })
        : "";
      list.append(item);
    }
    return list;
  }

  async #act() {
    const asked = this.#asked;
    this.#wait(say("js.asking"));
    try {
      const { operation } = await post(`${pathOf(asked)}?wait=false`);
      if (operation) {
        this.#watched.add(operation);
        if (this.#asked === asked) this.#shown = operation;
        this.#timer ??= setInterval(() => this.#watched.forEach((id) => this.#follow(id)), FOLLOW_MS);
        await this.#follow(operation);
      } else {
        this.#dialog.close();
        toast(say("js.accepted"), "ok");
      }
    } catch (refusal) {
      if (this.#asked === asked) this.#refused(refusal, "act");
      else toast(`${refusal.title} ${refusal.detail ?? ""}`, "bad");
    }
  }

  /** Show where an operation stands; say so when it ends, in the dialog or, if closed, beside. */
  async #follow(id) {
    const html = await fetchFragment(`${document.body.dataset.fragments}operations/${encodeURIComponent(id)}`)
      .catch(() => null);
    if (html === null || !this.#watched.has(id)) return; // asked again by the next event or tick
    const fragment = document.createElement("template");
    fragment.innerHTML = html; // our own server's rendering, escaped there
    const state = fragment.content.firstElementChild;
    const ended = state.dataset.status !== "running";
    if (this.#shown === id) {
      morph(this.#body, html);
      this.#go.hidden = true;
      this.#close.textContent = say(ended ? "js.close" : "js.background");
      if (document.activeElement === document.body || ended) this.#close.focus();
    }
    if (!ended) return;
    this.#watched.delete(id);
    if (!this.#watched.size) {
      clearInterval(this.#timer);
      this.#timer = null;
    }
    announce(state.dataset.summary);
    if (this.#shown !== id) toast(state.dataset.summary, state.dataset.tone, state.querySelector(".icon"));
  }

  #next() {
    if (this.#go.dataset.next === "plan") this.#plan();
    else this.#act();
  }

  #wait(sentence) {
    const line = element("p", "calm");
    line.append(byId("waiting-icon").content.cloneNode(true), sentence);
    this.#body.replaceChildren(line);
    this.#problem.hidden = true;
    this.#go.hidden = false;
    this.#go.disabled = true;
  }

  #offer(label, next) {
    this.#go.textContent = label;
    this.#go.dataset.next = next;
    this.#go.disabled = false;
  }

  #refused({ title, detail, remedy }, next) {
    const lines = [element("b", "", title)];
    if (detail) lines.push(element("p", "", detail));
    if (remedy) {
      const line = element("p", "remedy");
      line.append(element("b", "", `${say("js.remedy")}: `), remedy);
      lines.push(line);
    }
    this.#problem.replaceChildren(...lines);
    this.#problem.hidden = false;
    this.#body.replaceChildren();
    this.#offer(say("js.retry"), next);
    this.#close.focus();
  }

  #closed() {
    // The event comes a moment after the closing: a quick hand may have opened it anew by then.
    if (this.#dialog.open) return;
    const { opener, service } = this.#asked ?? {};
    this.#asked = this.#shown = null;
    if (opener?.isConnected) return opener.focus();
    // The button may be gone (Start became Stop): stay with the service.
    const row = [...document.querySelectorAll("[data-row]")].find((r) => r.dataset.row === service);
    (row ?? byId("main")).focus();
  }
}
