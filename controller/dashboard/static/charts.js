/* Charts that can be looked into. The server has drawn them; where scripts run, uPlot draws them anew
   from the same numbers, and all of a page point at the same moment and show the same time. */

import { say } from "./say.js";

const lang = document.documentElement.lang;
const SYNC = "charts";
const POINTS = 300;
const LEAST_S = 60;
const ROWS = 60;
const INCIDENTS = 50;
const INCIDENTS_MS = 30_000;
const DAY_S = 86_400;
const POWERS = Array.from({ length: 50 }, (_, n) => 2 ** n); // for bytes, which are counted in 1024s
const clock = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const exact = new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(lang, { month: "numeric", day: "numeric" });
const decimal = new Intl.NumberFormat(lang, { maximumFractionDigits: 1 });
const fine = new Intl.NumberFormat(lang, { maximumFractionDigits: 2 });

function bytes(value) {
  let unit = "B";
  for (const larger of ["kB", "MB", "GB", "TB"]) {
    if (value < 1024) break;
    [value, unit] = [value / 1024, larger];
  }
  return `${value >= 10 || unit === "B" ? Math.round(value) : decimal.format(value)} ${unit}`;
}

const FORMS = {
  percent: (v) => `${decimal.format(v)} %`,
  bytes,
  bytes_per_s: (v) => `${bytes(v)}/s`,
  ms: (v) => (v < 1000 ? `${decimal.format(v)} ms` : `${decimal.format(v / 1000)} s`),
  // Never rounded up to 100 %.
  ratio: (v) => (v >= 1 ? "100 %" : `${fine.format(Math.floor(v * 10_000) / 100)} %`),
};

function shown(unit, value) {
  return value == null ? say("js.chart.gap") : (FORMS[unit] ?? fine.format)(value);
}

/** A moment as exact as the distance of points makes sense. */
function moment(seconds, step, span) {
  const at = new Date(seconds * 1000);
  const time = (step < 60 ? exact : clock).format(at);
  return span > DAY_S / 2 ? `${day.format(at)} ${time}` : time;
}

/** What all charts of the page show: the last seconds, or a chosen piece. */
const view = { chosen: null };
const sections = [];

class Chart {
  #figure;
  #plot;
  #still;
  #read;
  #drawn = null;
  #unit;
  #lines = [];
  #step = 60;
  #kinds = [];
  #outages;

  /** `outages()` gives the incidents of what is drawn. */
  constructor(figure, outages) {
    this.#figure = figure;
    this.#outages = outages;
    this.#plot = figure.querySelector(".chart-plot");
    this.#still = this.#plot.querySelector(".chart-still");
    this.#read = figure.querySelector(".chart-read");
    this.#unit = figure.dataset.unit;
    for (let n = 1; this.#plot.dataset[`m${n}`]; n++) {
      this.#lines.push({ metric: this.#plot.dataset[`m${n}`], label: this.#plot.dataset[`l${n}`] });
    }
    const table = figure.querySelector(".chart-table");
    table.addEventListener("toggle", () => this.#tell());
    this.#plot.addEventListener("keydown", (event) => this.#key(event));
    this.#plot.addEventListener("blur", () => this.#read.setAttribute("aria-live", "off"));
    new ResizeObserver(() => this.#drawn?.setSize(this.#size())).observe(this.#plot);
  }

  get metrics() {
    return this.#lines.map((line) => line.metric);
  }

  /** Numbers of the hub: draw them, or move what is drawn. */
  show(answer) {
    this.#step = answer.step_s;
    const series = this.#lines.map((line) => answer.series.find((one) => one.metric === line.metric));
    if (series.some((one) => !one)) return;
    const begin = Date.parse(answer.since) / 1000;
    const times = series[0].values.map((_, n) => begin + n * this.#step);
    const columns = [times];
    const kinds = [];
    series.forEach((one, n) => {
      columns.push(one.values);
      kinds.push({ n: n + 1, label: this.#lines[n].label });
      if (one.earlier) {
        columns.push(one.earlier.values);
        kinds.push({ n: n + 1, label: say("js.chart.yesterday"), before: true });
      }
    });
    // The extremes within each point: of one line only, or they hide each other.
    if (series.length === 1 && series[0].high.length) {
      columns.push(series[0].high, series[0].low);
      kinds.push({ n: 1, edge: true }, { n: 1, edge: true });
    }
    if (this.#drawn && this.#kinds.length === kinds.length) {
      this.#drawn.setData(columns);
    } else {
      this.#drawn?.destroy();
      this.#draw(columns, kinds);
    }
    this.#kinds = kinds;
    const nothing = series.every((one) => one.values.every((value) => value == null));
    const told = this.#plot.querySelector(".chart-empty");
    if (told) told.hidden = !nothing;
    if (!nothing) this.#latest(series);
    this.#tell();
  }

  #latest(series) {
    const now = this.#figure.querySelector(".chart-now");
    const last = series[0].values.slice(-3).findLast((value) => value != null);
    if (now && last !== undefined && !view.chosen) now.textContent = shown(this.#unit, last);
  }

  #size() {
    return { width: Math.max(120, this.#plot.clientWidth), height: this.#plot.clientHeight };
  }

  #draw(columns, kinds) {
    this.#still.remove();
    this.#plot.tabIndex = 0;
    this.#plot.setAttribute("role", "application");
    this.#plot.setAttribute("aria-label", this.#plot.dataset.title);
    const ink = inks(this.#plot);
    const edges = kinds.flatMap((kind, n) => (kind.edge ? [n + 1] : []));
    this.#drawn = new globalThis.uPlot(
      {
        ...this.#size(),
        legend: { show: false },
        padding: [8, 6, 0, 0],
        cursor: {
          y: false,
          sync: { key: SYNC, setSeries: false },
          drag: { x: true, y: false, setScale: false },
          points: { size: 7 },
        },
        scales: { y: { range: (_, __, most) => [0, this.#unit === "ratio" ? 1 : most > 0 ? most * 1.08 : 1] } },
        axes: [
          {
            stroke: ink.faint, font: ink.font, size: 26, gap: 3, space: 64,
            grid: { show: false }, ticks: { stroke: ink.line, size: 4 },
            values: (_, splits, __, ___, step) => labels(splits, step),
          },
          {
            stroke: ink.faint, font: ink.font, size: 58, gap: 4, space: 34,
            grid: { stroke: ink.line, width: 1 }, ticks: { show: false },
            values: (_, splits) => splits.map((value) => shown(this.#unit, value)),
            ...(this.#unit.startsWith("bytes") ? { incrs: POWERS } : {}),
          },
        ],
        series: [{}, ...kinds.map((kind) => this.#style(kind, ink))],
        bands: edges.length ? [{ series: edges, fill: ink.band }] : [],
        hooks: {
          drawClear: [(plot) => this.#shade(plot, ink)],
          setCursor: [(plot) => this.#point(plot, kinds)],
          setSelect: [(plot) => plot.select.width > 4 && this.#zoom(plot)],
        },
      },
      columns,
      this.#plot,
    );
  }

  #style(kind, ink) {
    const stroke = kind.before ? ink.faint : ink.lines[kind.n - 1];
    if (kind.edge) return { stroke: "transparent", width: 0, points: { show: false } };
    return {
      stroke,
      width: kind.before ? 1 : 1.5,
      dash: kind.before ? [4, 4] : undefined,
      spanGaps: false,
      // A point that stands alone would not be seen.
      points: { show: () => false, size: 4, filter: (plot, n, isShown) => alone(plot.data[n], isShown) },
    };
  }

  #point(plot, kinds) {
    const at = plot.cursor.idx;
    if (at == null || plot.cursor.left < 0) {
      this.#read.replaceChildren();
      return;
    }
    const time = document.createElement("b");
    time.textContent = moment(plot.data[0][at], this.#step, this.#step * plot.data[0].length);
    const told = [];
    kinds.forEach((kind, n) => {
      const value = plot.data[n + 1][at];
      if (kind.edge || (kind.before && value == null)) return;
      if (kind.before) told[told.length - 1] += ` (${kind.label} ${shown(this.#unit, value)})`;
      else told.push(`${kind.label} ${shown(this.#unit, value)}`);
    });
    const instant = plot.data[0][at];
    const outage = this.#outages().find((one) => one.from < instant + this.#step && one.to >= instant);
    if (outage) told.push(`${say("js.chart.incident")}: ${outage.cause}`);
    this.#read.replaceChildren(time, ` ${told.join(" · ")}`);
  }

  /** When something was wrong with it, so that a peak has its reason beside it. */
  #shade(plot, ink) {
    const { left, top, width, height } = plot.bbox;
    plot.ctx.save();
    plot.ctx.fillStyle = ink.outage;
    for (const { from, to } of this.#outages()) {
      const begin = Math.max(left, plot.valToPos(from, "x", true));
      const end = Math.min(left + width, plot.valToPos(to, "x", true));
      if (end >= left && begin <= left + width) plot.ctx.fillRect(begin, top, Math.max(2, end - begin), height);
    }
    plot.ctx.restore();
  }

  #zoom(plot) {
    const from = plot.posToVal(plot.select.left, "x");
    const to = plot.posToVal(plot.select.left + plot.select.width, "x");
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    choose(from, to);
  }

  #key(event) {
    const plot = this.#drawn;
    if (!plot || event.ctrlKey || event.metaKey || event.altKey) return;
    const times = plot.data[0];
    const last = times.length - 1;
    const at = plot.cursor.left >= 0 && plot.cursor.idx != null ? plot.cursor.idx : last + 1;
    const steps = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last };
    if (event.key in steps) {
      const to = Math.min(last, Math.max(0, steps[event.key]));
      this.#read.setAttribute("aria-live", "polite");
      plot.setCursor({ left: plot.valToPos(times[to], "x"), top: 10 });
    } else if (event.key === "+" || event.key === "-") {
      const middle = times[Math.min(at, last)];
      const span = (times[last] - times[0]) * (event.key === "+" ? 0.25 : 1);
      choose(middle - span, Math.min(middle + span, Date.now() / 1000));
    } else if (event.key === "Escape" && view.chosen) {
      choose(null);
    } else {
      return;
    }
    event.preventDefault();
  }

  /** The numbers as a table, when it is unfolded. */
  #tell() {
    const box = this.#figure.querySelector(".chart-rows");
    if (!this.#drawn || !this.#figure.querySelector(".chart-table").open) return;
    const [times, ...columns] = this.#drawn.data;
    const heads = [say("js.chart.time")];
    const wanted = [];
    this.#kinds.forEach((kind, n) => {
      if (kind.edge) return;
      wanted.push(columns[n]);
      heads.push(kind.label);
    });
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const word of heads) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = word;
      head.append(cell);
    }
    const body = table.createTBody();
    const every = Math.ceil(times.length / ROWS);
    for (let i = times.length - 1; i >= 0; i -= every) {
      const row = body.insertRow();
      const cell = document.createElement("th");
      cell.scope = "row";
      cell.textContent = moment(times[i], this.#step, this.#step * times.length);
      row.append(cell);
      for (const column of wanted) row.insertCell().textContent = shown(this.#unit, column[i]);
    }
    box.replaceChildren(table);
  }

  /** Colours have changed. */
  forget() {
    this.#drawn?.destroy();
    this.#drawn = null;
  }
}

function alone(column, isShown) {
  if (isShown) return null;
  const found = [];
  for (let i = 0; i < column.length; i++) {
    if (column[i] != null && column[i - 1] == null && column[i + 1] == null) found.push(i);
  }
  return found;
}

/** Colours of the page as the browser computes them: a canvas knows no variables. */
function inks(plot) {
  const box = document.createElement("div");
  box.className = "chart-ink";
  const names = ["c1", "c2", "c3", "since", "outage"];
  box.append(...names.map((name) => Object.assign(document.createElement("i"), { className: name })));
  plot.append(box);
  const colours = [...box.children].map((child) => getComputedStyle(child).color);
  const { fontFamily } = getComputedStyle(plot);
  box.remove();
  const clear = (colour, share) => `color-mix(in srgb, ${colour} ${share}%, transparent)`;
  return {
    lines: colours.slice(0, 3),
    faint: colours[3],
    line: clear(colours[3], 22),
    band: clear(colours[0], 18),
    outage: clear(colours[4], 20),
    font: `11px ${fontFamily}`,
  };
}

/** Hours, and the day where one begins or where only days are told. */
function labels(splits, step) {
  return splits.map((seconds) => {
    const at = new Date(seconds * 1000);
    return step >= DAY_S || (at.getHours() === 0 && at.getMinutes() === 0) ? day.format(at) : clock.format(at);
  });
}

class Section {
  #root;
  #charts;
  #seen = false;
  #asking = null;
  #due = 0;
  #outages = [];
  #outagesAt = -INCIDENTS_MS;

  constructor(root) {
    this.#root = root;
    this.#charts = [...root.querySelectorAll(".chart")].map((figure) => new Chart(figure, () => this.#outages));
    new IntersectionObserver(([entry]) => {
      this.#seen = entry.isIntersecting;
      if (this.#seen && Date.now() >= this.#due) this.load();
    }, { rootMargin: "300px" }).observe(root);
  }

  /** Ask for the numbers, where anybody can see them. */
  async load() {
    if (!this.#seen || document.hidden) {
      this.#due = 0;
      return;
    }
    this.#asking?.abort();
    const mine = (this.#asking = new AbortController());
    try {
      const found = await ask(this.#address(), mine.signal);
      await this.#lookForOutages(mine.signal);
      this.#due = Date.now() + 1000 * Math.max(Number(this.#root.dataset.refresh), found.step_s / 4);
      for (const chart of this.#charts) chart.show(found);
      this.#root.querySelector(".charts-lost").hidden = true;
    } catch (error) {
      if (error.name !== "AbortError") this.#root.querySelector(".charts-lost").hidden = false;
    }
  }

  async #lookForOutages(signal) {
    const service = new URL(this.#root.dataset.address, location.href).searchParams.get("service");
    if (!service || performance.now() < this.#outagesAt + INCIDENTS_MS) return;
    const address = new URL("/incidents", location.href);
    address.searchParams.set("service", service);
    address.searchParams.set("limit", String(INCIDENTS));
    let found;
    try {
      found = await ask(address, signal);
    } catch (error) {
      if (error.name === "AbortError") throw error;
      return; // What was measured is shown all the same; the next time will tell.
    }
    this.#outagesAt = performance.now();
    this.#outages = found.map((one) => ({
      from: Date.parse(one.opened_at) / 1000,
      to: (one.closed_at ? Date.parse(one.closed_at) : Date.now()) / 1000,
      cause: one.cause,
    }));
  }

  /** New figures may be there. */
  tick() {
    if (Date.now() >= this.#due && !view.chosen) this.load();
  }

  renew() {
    for (const chart of this.#charts) chart.forget();
    this.load();
  }

  #address() {
    const address = new URL(this.#root.dataset.address, location.href);
    for (const chart of this.#charts) for (const metric of chart.metrics) address.searchParams.append("metric", metric);
    const now = Date.now() / 1000;
    const [from, to] = view.chosen ?? [now - Number(this.#root.dataset.range), null];
    address.searchParams.set("since", new Date(from * 1000).toISOString());
    if (to) address.searchParams.set("until", new Date(to * 1000).toISOString());
    address.searchParams.set("points", String(POINTS));
    return address;
  }
}

async function ask(address, signal) {
  const headers = { Accept: "application/json", "Accept-Language": lang };
  const answer = await fetch(address, { cache: "no-store", headers, signal });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

/** All charts show this time from now on; null is the whole range again. */
function choose(from, to) {
  if (from === null) view.chosen = null;
  else {
    const end = Math.min(to, Date.now() / 1000);
    view.chosen = [Math.min(from, end - LEAST_S), end];
  }
  const told = document.getElementById("chart-zoomed");
  const whole = document.getElementById("chart-whole");
  if (told && whole) {
    hint ??= told.textContent;
    whole.hidden = !view.chosen;
    const [begin, end] = view.chosen ?? [0, 0];
    told.textContent = view.chosen
      ? say("js.chart.zoom", { from: moment(begin, 1, DAY_S), to: moment(end, 1, DAY_S) })
      : hint;
  }
  for (const section of sections) section.load();
}
let hint = null;

sections.push(...[...document.querySelectorAll(".charts")].map((root) => new Section(root)));
document.getElementById("chart-whole")?.addEventListener("click", () => choose(null));
const service = document.getElementById("metrics-service");
service?.addEventListener("change", () => service.form.requestSubmit());
document.addEventListener("visibilitychange", () => document.hidden || sections.forEach((section) => section.tick()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => sections.forEach((section) => section.renew()));
setInterval(() => sections.forEach((section) => section.tick()), 1_000);
