// Charts in the page's colours, which follow the theme. A chart exists only once it has something to show.
import uPlot from "./vendor/uPlot.esm.js";
import { duration } from "./wire.js";

const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const WHOLE = new Intl.NumberFormat("en");
const DASHES = [[], [6, 4], [2, 3], [10, 4, 2, 4]];
const LIGHT = ["#0067b0", "#bf4a00", "#007457", "#98467f", "#59626d"];
const DARK = ["#5cb3f2", "#f59651", "#3cc9a0", "#e29acb", "#a3acb7"];
const isDark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};
export const colour = (i) => (isDark() ? DARK : LIGHT)[i % LIGHT.length];
const dash = (i) => DASHES[Math.floor(i / LIGHT.length) % DASHES.length];

export class Chart {
  // names: one a line; unit: "percent", "number" or "time"; points marks few values that stand apart, such as cycles.
  constructor(parent, title, names, { unit = "number", points = false, x = "step" } = {}) {
    this.names = names; this.unit = unit; this.points = points; this.x = x; this.data = null;
    this.figure = document.createElement("figure");
    this.figure.className = "chart";
    const caption = document.createElement("figcaption"), last = document.createElement("span");
    caption.append(title, last);
    last.className = "last";
    this.last = last;
    this.box = document.createElement("div");
    this.box.setAttribute("role", "img");
    this.title = title;
    this.figure.append(caption, this.box);
    if (names.length > 1) this.figure.append(this.legend = document.createElement("ul"));
    parent.append(this.figure);
    this.watch = new ResizeObserver(() => this.plot?.setSize(this.size()));
    this.watch.observe(this.box);
    addEventListener("themechange", () => this.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }
  remove() { this.watch.disconnect(); this.plot?.destroy(); this.data = null; this.figure.remove(); }
  size() { return { width: Math.max(200, this.box.clientWidth), height: 190 }; }
  write(value) {
    if (value === null || value === undefined) return "–";
    if (this.unit === "percent") return `${(100 * value).toFixed(Math.abs(value) < 0.1 && value ? 1 : 0)}%`;
    if (this.unit === "time") return value ? duration(value) : "0";
    const size = Math.abs(value);
    if (size && (size < 1e-3 || size >= 1e6)) return value.toExponential(1).replace("e+", "e");
    return size >= 1000 ? WHOLE.format(Math.round(value)) : String(Number(value.toPrecision(3)));
  }
  set(data) { // [xs, ys, ys, …]
    const first = this.data === null;
    this.data = data;
    const final = data[1].findLast((value) => value !== null && value !== undefined);
    this.read(null);
    this.box.setAttribute("aria-label", `${this.title}: ${data[0].length} points, last ${this.write(final)}`);
    if (first) { this.draw(); return; }
    for (const series of this.plot.series.slice(1)) series.width = this.width();
    this.plot.setData(data);
  }
  // Where several values share a pixel, a fine line shows more, and is painted in a third of the time.
  width() { return this.data[0].length > 2 * this.size().width ? 1 : 2; }
  // The values under the pointer, or the last one.
  read(place) {
    if (place === null || place === undefined || this.data[0][place] === undefined) {
      this.last.textContent = this.names.length === 1 ? this.write(this.data[1].findLast((v) => v !== null && v !== undefined)) : "";
      return;
    }
    this.last.textContent = `${this.x} ${this.data[0][place]}: ${this.data.slice(1).map((ys) => this.write(ys[place])).join(" · ")}`;
  }
  draw() {
    if (this.data === null) return;
    this.plot?.destroy();
    const axis = { stroke: variable("--muted"), grid: { stroke: variable("--rule"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const whole = (self, splits) => splits.map((v) => (Number.isInteger(v) ? WHOLE.format(v) : ""));
    const percent = this.unit === "percent";
    this.plot = new uPlot({
      ...this.size(),
      padding: [10, 8, 0, 0],
      legend: { show: false },
      hooks: { setCursor: [(self) => this.read(self.cursor.idx)] },
      cursor: { drag: { x: true, y: false }, points: { size: 6 } },
      scales: { x: { time: false }, y: { range: (self, low, high) => this.range(low, high, percent) } },
      axes: [{ ...axis, grid: { show: false }, values: whole, size: 30 }, { ...axis, size: 54, values: (self, splits) => splits.map((v) => this.write(v)) }],
      series: [{}, ...this.names.map((name, i) => ({ label: name, stroke: colour(i), width: this.width(), dash: dash(i), spanGaps: true, points: { show: this.points || this.data[0].length < 2, size: 6, fill: colour(i) } }))],
    }, this.data, this.box);
    if (this.legend) {
      this.legend.className = "legend";
      this.legend.replaceChildren(...this.names.map((name, i) => {
        const item = document.createElement("li"), mark = document.createElementNS("http://www.w3.org/2000/svg", "svg"), line = document.createElementNS("http://www.w3.org/2000/svg", "line");
        mark.setAttribute("viewBox", "0 0 18 8");
        for (const [key, value] of Object.entries({ x1: 0, x2: 18, y1: 4, y2: 4, stroke: colour(i), "stroke-width": 2.5, "stroke-dasharray": dash(i).join(" ") })) line.setAttribute(key, value);
        mark.append(line);
        item.append(mark, name);
        return item;
      }));
    }
  }
  range(low, high, percent) {
    if (low === null || high === null) return [0, 1];
    if (percent) return [0, Math.min(1, Math.max(0.05, high * 1.15))];
    const room = (high - low || Math.abs(high) || 1) * 0.1;
    return [low >= 0 && low - room < 0 ? 0 : low - room, high + room];
  }
}
