// The curves of several runs over each other.
import { Chart } from "./charts.js";
import { getJson } from "./wire.js";

const place = document.querySelector("[data-compare-curves]"), box = place.querySelector("[data-charts]");
const runs = await getJson(place.dataset.compareCurves);
function over(title, key, options) { // key gives a run's [[x, y], …]
  const lines = runs.map((run) => new Map(key(run).filter(([, y]) => y !== null))), shown = runs.filter((run, i) => lines[i].size);
  if (!shown.length || Math.max(...lines.map((line) => line.size)) < 2) return; // a point is no curve
  const xs = [...new Set(lines.flatMap((line) => [...line.keys()]))].sort((a, b) => a - b);
  const ys = lines.filter((line) => line.size).map((line) => xs.map((x) => line.get(x) ?? null));
  new Chart(box, title, shown.map((run) => run.name), options).set([xs, ...ys]);
}
over("Held-out pass@1 by cycle", (run) => run.cycles, { unit: "percent", points: true, x: "cycle" });
over("Loss by reading", (run) => run.losses.map((y, i) => [i + 1, y]));
over("pass@k by k", (run) => run.pass_at, { unit: "percent", points: true, x: "k" });
