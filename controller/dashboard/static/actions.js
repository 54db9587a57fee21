/* Ask, show the plan, act, follow: one dialog for every action, so none happens by a slip. */

import { fetchFragment, morph } from "./live.js";
import { announce, operationName, say, toast } from "./say.js";

const FOLLOW_MS = 2_000; // should an event be missed

const byId = (id) => document.getElementById(id);
const element = (tag, className, textContent = "") =>
  Object.assign(document.createElement(tag), { className, textContent });

/** A refusal in the hub's own words (problem+json), or in ours when it did not answer (status 0). */
class Refusal extends Error {
  constructor(status, title, detail, remedy) {
    super(detail || title);
    Object.assign(this, { status, title, detail, remedy });
  }
}

async function post(path, sent) {
  const headers = { Accept: "application/json", "Accept-Language": document.documentElement.lang };
  if (sent) headers["Content-Type"] = "application/json";
  let answer;
  try {
    // The hub speaks the page's language, which need not be the browser's.
    answer = await fetch(path, {
      method: "POST",
      headers,
      body: sent && JSON.stringify(sent),
      signal: AbortSignal.timeout(15_000),
    });
  } catch {
    throw new Refusal(0, say("js.unreachable"), "", say("js.unreachable.remedy"));
  }
  const body = await answer.json().catch(() => ({}));
  if (answer.ok) return body;
  const words = (value) => (typeof value === "string" ? value : "");
  throw new Refusal(
    answer.status,
    words(body.title) || say("js.refused", { status: answer.status }),
    words(body.detail),
    words(body.remedy),
  );
}

const HARMLESS = ["start", "resume", "run", "run-retry", "run-resume"];
const RUNS = "/dashboard/workflows/runs/";
const SWITCHES = { pause: "js.paused", resume: "js.resumed" };

/** Where an action on services is asked for; an empty service means the whole stack. */
function pathOf({ verb, service }) {
  if (verb in SWITCHES) return `/orchestration/${verb}`;
  if (verb === "remove_orphans") return "/orchestration/orphans/remove";
  return service
    ? `/orchestration/services/${encodeURIComponent(service)}/${verb}`
    : `/orchestration/${verb}-all`;
}

/** Which containers it is about, where it is about those of no service. */
const bodyOf = ({ containers }) => containers && { containers: containers.split(",") };

export class Actions {
  #dialog = byId("confirm");
  #body = byId("confirm-body");
  #go = byId("confirm-go");
  #close = byId("confirm-close");
  #problem = byId("confirm-problem");
  #asked = null; // what the dialog is about: the button's data
  #shown = null; // the operation or rehearsal whose progress the dialog shows
  #watched = new Map(); // those of this tab that have not ended: id to the fragment that tells
  #timer = null;

  constructor() {
    document.addEventListener("click", (event) => this.#clicked(event));
    this.#go.addEventListener("click", () => this.#next());
    this.#dialog.addEventListener("close", () => this.#closed());
  }

  /** An operation or a rehearsal moved: follow it if it is ours. */
  moved(id) {
    if (this.#watched.has(id)) this.#follow(id);
  }

  #clicked(event) {
    if (event.target === this.#dialog) return this.#dialog.close(); // the backdrop
    const button = event.target.closest("button[data-verb]");
    if (!button) return;
    event.preventDefault(); // without us it would post its form
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
    this.#go.classList.toggle("takes-down", !HARMLESS.includes(asked.verb));
    this.#close.textContent = say("js.cancel");
    this.#dialog.showModal();
    this.#close.focus();
    if (asked.verb === "rehearse") this.#choose();
    else if (asked.verb in SWITCHES || asked.path) this.#settle();
    else this.#plan();
  }

  /** Nothing to plan: the note says what it means. */
  #settle() {
    this.#problem.hidden = true;
    this.#body.replaceChildren();
    this.#go.hidden = false;
    this.#offer(this.#asked.label, "act");
  }

  /** Which fault? None is chosen beforehand, for each of them disturbs. */
  #choose() {
    this.#settle();
    this.#go.disabled = true;
    this.#body.replaceChildren(byId("rehearse-choices").content.cloneNode(true));
    const asked = this.#asked;
    this.#body.querySelector("fieldset").addEventListener("change", (event) => {
      asked.fault = event.target.value;
      this.#go.disabled = false;
    });
    // Enter on a choice would submit the form by its first button, which cancels.
    this.#body.querySelector("fieldset").addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      if (!this.#go.disabled) this.#go.focus();
    });
  }

  async #plan() {
    const asked = this.#asked;
    this.#wait(say("js.plan.loading"));
    try {
      const { plan = [], settled = {} } = await post(`${pathOf(asked)}?dry_run=true`, bodyOf(asked));
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

  /** Ask for it. Gives the id to follow and the fragment that tells of it; none is done at once. */
  async #request({ verb, fault, ...asked }, force) {
    const path = pathOf({ verb, ...asked });
    if (verb in SWITCHES) return [await post(path).then(() => ""), ""];
    if (verb === "rehearse") return [(await post(path, { fault, force })).id, "rehearsals"];
    return [(await post(`${path}?wait=false`, bodyOf(asked))).operation, "operations"];
  }

  /** Something about a run: what is new has a page of its own, what is ours goes on here. */
  async #run({ verb, path, service }) {
    const run = await post(path, verb === "run" ? {} : undefined);
    if (run.id !== service) return location.assign(RUNS + encodeURIComponent(run.id));
    this.#dialog.close();
    toast(say(verb.replace("run-", "js.run.")), "ok");
  }

  async #act(force = false) {
    const asked = this.#asked;
    this.#wait(say("js.asking"));
    try {
      if (asked.path) return await this.#run(asked);
      const [id, part] = await this.#request(asked, force);
      if (id) {
        this.#watched.set(id, part);
        if (this.#asked === asked) this.#shown = id;
        this.#timer ??= setInterval(() => [...this.#watched.keys()].forEach((i) => this.#follow(i)), FOLLOW_MS);
        await this.#follow(id);
      } else {
        this.#dialog.close();
        toast(say(SWITCHES[asked.verb] ?? "js.accepted"), "ok");
      }
    } catch (refusal) {
      if (this.#asked === asked) this.#refused(refusal, "act");
      else toast(`${refusal.title} ${refusal.detail ?? ""}`, "bad");
    }
  }

  /** Show where it stands; say so when it ends, in the dialog or, if closed, beside. */
  async #follow(id) {
    const address = `${document.body.dataset.fragments}${this.#watched.get(id)}/${encodeURIComponent(id)}`;
    const html = await fetchFragment(address).catch(() => null);
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
    const { next } = this.#go.dataset;
    if (next === "plan") this.#plan();
    else this.#act(next === "force");
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

  #refused({ status, title, detail, remedy }, next) {
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
    // A rehearsal that the hub thinks unwise is still the person's to decide, now that they know why.
    if (status === 409 && this.#asked.verb === "rehearse") this.#offer(say("js.rehearse_anyway"), "force");
    else this.#offer(say("js.retry"), next);
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
