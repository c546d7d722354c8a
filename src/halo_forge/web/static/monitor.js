// One run, live: asks for what was added since the last answer, and draws it.
import { Chart } from "./charts.js";
import { bytes, duration, getJson, getText } from "./wire.js";

const page = document.querySelector("[data-run]");
const api = `/api/runs/${page.dataset.run}`;
const cyclesAsked = Number(page.dataset.cycles);
const OVER = new Set(["succeeded", "failed", "stopped", "lost"]);
const $ = (name) => page.querySelector(`[data-${name}]`);

// Charts ----------------------------------------------------------------------------------------------------------
const places = $("charts"), charts = new Map();
function chart(key, title, names, options) {
  if (charts.has(key) && String(charts.get(key).names) !== String(names)) { charts.get(key).remove(); charts.delete(key); }
  if (!charts.has(key)) charts.set(key, new Chart(places, title, names, options));
  return charts.get(key);
}
const steps = { x: [], loss: [], rate: [], speed: [] };
const drawing = { x: [], pass: [], speed: [] };
const held = { x: [], pass: [], drawn: [] };
const kept = { x: [], count: [] };
let first = { cycle: null, step: 0, shift: 0 };
let phase = null;
let cycle = { number: null, began: null }, lengths = [], finished = 0; // seconds of the cycles of this attempt

function take(event) {
  const m = event.m ?? {};
  if (event.type === "run_started") { phase = null; lengths = []; cycle = { number: null, began: null }; }
  if (event.type === "phase_started" && event.cycle > 0 && event.cycle !== cycle.number) cycle = { number: event.cycle, began: event.t };
  if (event.type === "phase_started") phase = { name: event.phase, cycle: event.cycle, total: m.total ?? null, done: m.done ?? 0, before: m.done ?? 0, t0: event.t, t: event.t, passed: 0, verified: 0 };
  if (phase && event.phase === phase.name && (event.type === "step" || event.type === "progress")) {
    phase.done = event.step ?? phase.done;
    phase.total = m.total ?? phase.total;
    phase.t = event.t;
    phase.speed = m.tokens_per_s ?? phase.speed;
    phase.passed += m.passed ?? 0;
    phase.verified += m.verified ?? 0;
    if (m.loss !== undefined) phase.loss = m.loss;
  }
  if (event.type === "phase_finished" && phase && event.phase === phase.name) phase.over = true;
  if (event.type === "step" && m.loss !== undefined) {
    if (event.cycle !== first.cycle) first = { cycle: event.cycle, shift: steps.x.at(-1) ?? 0 };
    const x = first.shift + event.step;
    while (steps.x.length && steps.x.at(-1) >= x) for (const list of Object.values(steps)) list.pop(); // trained again
    steps.x.push(x); steps.loss.push(m.loss); steps.rate.push(m.learning_rate ?? null); steps.speed.push(m.tokens_per_s ?? null);
  }
  if (event.type === "progress" && m.verified !== undefined) {
    drawing.x.push(drawing.x.length + 1);
    drawing.pass.push(m.verified ? m.passed / m.verified : null);
    drawing.speed.push(m.tokens_per_s ?? null);
  }
  if (event.type === "cycle_finished" && event.phase === undefined) {
    const at = held.x.indexOf(event.cycle);
    if (at >= 0) for (const list of [...Object.values(held), ...Object.values(kept)]) list.splice(at);
    held.x.push(event.cycle); held.pass.push(m.holdout_pass_at_1 ?? null); held.drawn.push(m.pass_at_1 ?? null);
    kept.x.push(event.cycle); kept.count.push(event.cycle ? m.kept ?? null : null);
    if (event.cycle === cycle.number) lengths.push(event.t - cycle.began);
    finished += 1;
  }
}
const some = (list) => list.some((value) => value !== null && value !== undefined);
function draw() {
  if (some(held.pass) || some(held.drawn)) chart("held", "pass@1 by cycle", ["held out", "drawn"], { unit: "percent", points: true, x: "cycle" }).set([held.x, held.pass, held.drawn]);
  if (some(steps.loss)) chart("loss", "Loss by step", ["loss"]).set([steps.x, steps.loss]);
  if (some(drawing.pass)) chart("drawn", "Pass rate of what is drawn, by chunk", ["pass rate"], { unit: "percent", x: "chunk" }).set([drawing.x, drawing.pass]);
  if (some(kept.count)) chart("kept", "Kept by cycle", ["kept"], { points: true, x: "cycle" }).set([kept.x, kept.count]);
  if (some(steps.rate)) chart("rate", "Learning rate by step", ["learning rate"]).set([steps.x, steps.rate]);
  if (some(steps.speed)) chart("speed", "Tokens a second, training", ["tokens a second"]).set([steps.x, steps.speed]);
  if (some(drawing.speed)) chart("gspeed", "Tokens a second, drawing", ["tokens a second"], { x: "chunk" }).set([drawing.x, drawing.speed]);
  $("nocharts").hidden = charts.size > 0;
  time();
}
let timed = 0;
async function time() { // what events do not say: the phases of each cycle
  if (finished === timed) return;
  timed = finished;
  const cycles = await getJson(`${api}/cycles`).catch(() => []);
  const names = ["draw and verify", "train", "evaluate"].filter((name) => cycles.some((each) => each.phases[name] !== undefined));
  if (names.length && cycles.length > 1) chart("time", "Time by cycle", names, { unit: "time", points: true, x: "cycle" }).set([cycles.map((each) => each.cycle), ...names.map((name) => cycles.map((each) => each.phases[name] ?? null))]);
}

// Progress --------------------------------------------------------------------------------------------------------
function tell(standing) {
  const card = $("progress");
  card.hidden = OVER.has(standing) || standing === "queued";
  if (card.hidden) return;
  const bar = $("bar");
  if (!phase || standing === "starting") {
    $("phase").textContent = standing === "starting" ? "starting: libraries and model are loaded" : "preparing";
    bar.removeAttribute("value");
    $("eta").textContent = "";
    return;
  }
  const where = phase.cycle ? `cycle ${phase.cycle}${cyclesAsked ? ` of ${cyclesAsked}` : ""} · ` : "";
  $("phase").textContent = `${where}${phase.name}${phase.total ? ` · ${phase.done.toLocaleString("en")} of ${phase.total.toLocaleString("en")}` : ""}`;
  if (phase.total) { bar.max = phase.total; bar.value = phase.done; } else bar.removeAttribute("value");
  const pace = (phase.done - phase.before) / (phase.t - phase.t0);
  const left = phase.total && pace > 0 && phase.done < phase.total ? [`about ${duration((phase.total - phase.done) / pace)} left in this phase`] : [];
  if (lengths.length && cyclesAsked >= cycle.number) {
    const usual = lengths.slice(-3).reduce((a, b) => a + b) / lengths.slice(-3).length;
    left.push(`at most ${duration(Math.max(0, usual * (cyclesAsked - cycle.number + 1) - (phase.t - cycle.began)))} in all`);
  }
  $("eta").textContent = left.join(", ");
  strip();
}
let taken = null;
function strip() {
  const facts = [];
  if (phase?.verified) facts.push(["passed", `${(100 * phase.passed / phase.verified).toFixed(1)}%`]);
  if (phase?.loss !== undefined && phase.loss !== null) facts.push(["loss", phase.loss.toFixed(4)]);
  if (phase?.speed) facts.push(["tokens a second", Math.round(phase.speed).toLocaleString("en")]);
  if (taken?.memory) facts.push(["memory", bytes(taken.memory)], ["processes", taken.processes]);
  for (const gpu of taken?.gpus ?? []) facts.push([gpu.name, `${gpu.percent ?? "–"}%, ${bytes(gpu.memory_used)}`]);
  if (taken?.cores !== undefined) facts.push(["cores", taken.cores.toFixed(1)]);
  $("strip").replaceChildren(...facts.map(([name, value]) => {
    const pair = document.createElement("div"), dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = name; dd.textContent = value;
    pair.append(dt, dd);
    return pair;
  }));
}
async function measure() {
  if (document.hidden || $("progress").hidden) return;
  const now = await getJson(`${api}/meters`).catch(() => null);
  if (!now?.t) return;
  const spent = taken?.t ? (now.cpu_s - taken.cpu_s) / (now.t - taken.t) : undefined;
  taken = { ...now, cores: spent >= 0 ? spent : undefined };
  strip();
}

// Polling ---------------------------------------------------------------------------------------------------------
let at = 0, standing = page.dataset.standing;
async function poll() {
  let wait = 1000;
  try {
    const said = await getJson(`${api}/live?at=${at}`);
    if (said.at < at) location.reload(); // begun anew
    at = said.at;
    said.events.forEach(take);
    if (said.events.length && !said.more) draw();
    if (said.standing !== standing) {
      const before = standing;
      standing = said.standing;
      if (OVER.has(standing) || OVER.has(before) || before === "queued") { location.reload(); return; } // other buttons, new figures
      const mark = document.createElement("span");
      mark.className = `state ${standing}`;
      mark.textContent = standing;
      $("state").replaceChildren(mark);
    }
    tell(standing);
    if (said.more) wait = 0;
    else if (OVER.has(standing)) wait = 5000;
    else if (document.hidden) wait = 3000;
    if (!said.more) $("nocharts").hidden = charts.size > 0;
  } catch { wait = 3000; } // the server is away; the run goes on
  setTimeout(poll, wait);
}

// Log -------------------------------------------------------------------------------------------------------------
const log = $("log"), lines = $("lines"), box = log.querySelector(".log-box"), note = $("lognote");
const file = log.querySelector("select"), query = log.querySelector("input");
let begin = Number(lines.dataset.begin), end = Number(lines.dataset.end), paused = false, searching = false;
const follow = () => box.scrollHeight - box.scrollTop - box.clientHeight < 60;
function note_() { note.textContent = searching ? note.textContent : lines.textContent ? "" : "Nothing has been written yet."; $("earlier").hidden = searching || begin === 0; }
async function tail() {
  if (!paused && !searching && !(document.hidden && end !== null)) {
    try {
      const piece = await getJson(`${api}/log?file=${file.value}${end === null ? "" : `&after=${end}`}`);
      const bottom = end === null || follow();
      if (end === null || piece.begin !== end) { lines.textContent = piece.text; begin = piece.begin; }
      else if (piece.text) {
        lines.append(piece.text);
        if (lines.childNodes.length > 400) { lines.normalize(); const text = lines.textContent; if (text.length > 2e6) { const cut = text.indexOf("\n", text.length - 1e6) + 1; lines.textContent = text.slice(cut); begin = -1; } }
      }
      end = piece.end;
      note_();
      if (bottom) box.scrollTop = box.scrollHeight;
    } catch { /* asked again */ }
  }
  setTimeout(tail, OVER.has(standing) ? 4000 : 1000);
}
$("earlier").addEventListener("click", async () => {
  if (begin < 0) { end = null; return; }
  const piece = await getJson(`${api}/log?file=${file.value}&before=${begin}`);
  const height = box.scrollHeight;
  lines.prepend(piece.text);
  begin = piece.begin;
  note_();
  box.scrollTop += box.scrollHeight - height;
});
$("pause").addEventListener("click", (event) => {
  paused = !paused;
  event.currentTarget.setAttribute("aria-pressed", paused);
  event.currentTarget.textContent = paused ? "Go on" : "Pause";
});
file.addEventListener("change", () => {
  end = null; lines.textContent = "";
  $("download").href = `/runs/${page.dataset.run}/files/${file.value}.log`;
  search();
});
let timer;
query.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(search, 250); });
async function search() {
  const text = query.value.trim();
  if (!text) { if (searching) { searching = false; end = null; lines.textContent = ""; } return; }
  searching = true;
  const found = await getJson(`${api}/log/search?file=${file.value}&q=${encodeURIComponent(text)}`);
  if (text !== query.value.trim()) return;
  lines.replaceChildren(...found.hits.flatMap(({ line }) => {
    const place = line.toLowerCase().indexOf(text.toLowerCase());
    if (place < 0) return [line, "\n"];
    const mark = document.createElement("mark");
    mark.textContent = line.slice(place, place + text.length);
    return [line.slice(0, place), mark, line.slice(place + text.length), "\n"];
  }));
  note.textContent = found.hits.length ? `${found.hits.length}${found.more ? " and more" : ""} lines hold “${text}”.` : `No line holds “${text}”.`;
  $("earlier").hidden = true;
  box.scrollTop = 0;
}

note_();
box.scrollTop = box.scrollHeight; // the page came with the end of the log
setTimeout(tail, 1000);
poll();
measure();
setInterval(measure, 2500);
