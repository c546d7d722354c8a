// What every page has: theme, forms that send changes, parts that are drawn again, meters.
import { bytes, getText, getJson, post } from "./wire.js";

const root = document.documentElement;
document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch { /* not kept then */ }
  dispatchEvent(new Event("themechange"));
});

document.addEventListener("submit", (event) => {
  // Not form.dataset: a field may be called "dataset", and a form's fields hide its properties.
  const form = event.target, question = form.getAttribute("data-confirm"), busy = form.getAttribute("data-busy");
  if (question && !confirm(question)) { event.preventDefault(); return; }
  if (busy) {
    const button = form.querySelector("button[type=submit]");
    setTimeout(() => { button.disabled = true; button.textContent = busy; });
  }
});

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const source = document.querySelector(button.dataset.copy);
    try { await navigator.clipboard.writeText(source.textContent); } catch {
      getSelection().selectAllChildren(source);
      document.execCommand("copy");
    }
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  });
}

for (const part of document.querySelectorAll("[data-refresh]")) {
  setInterval(async () => {
    if (document.hidden || part.contains(document.activeElement)) return; // a hand is on it
    const text = await getText(part.dataset.refresh).catch(() => null);
    if (text !== null && text !== part.innerHTML) part.innerHTML = text;
  }, Number(part.dataset.every));
}

const current = document.querySelector(".bar [aria-current]"); // on a telephone it may be out of sight
if (current) {
  const nav = current.closest("nav");
  nav.scrollLeft = current.offsetLeft - nav.offsetLeft - (nav.clientWidth - current.offsetWidth) / 2;
}

const meters = document.querySelector("[data-meters]");
if (meters) {
  const set = (name, share, value, note) => {
    meters.querySelector(`[data-meter=${name}]`).textContent = value;
    meters.querySelector(`[data-bar=${name}]`).value = share;
    meters.querySelector(`[data-note=${name}]`).textContent = note;
  };
  const read = async () => {
    if (document.hidden) return;
    const m = await getJson("/api/meters").catch(() => null);
    if (!m) return;
    set("cpu", m.cpu_percent, `${Math.round(m.cpu_percent)}%`, `${m.cores} cores`);
    set("memory", 100 * m.memory_used / m.memory_total, bytes(m.memory_used), `of ${bytes(m.memory_total)}`);
    set("disk", 100 * (1 - m.disk_free / m.disk_total), bytes(m.disk_free), `free of ${bytes(m.disk_total)}`);
    if (!m.gpus.length) set("gpu", 0, "none", "runs use the processor");
    else {
      const busy = Math.max(...m.gpus.map((g) => g.percent ?? 0));
      set("gpu", busy, `${busy}%`, m.gpus.map((g) => `${g.name}, ${bytes(g.memory_used)}`).join("; "));
    }
  };
  read();
  setInterval(read, 2000);
}

const form = document.querySelector("[data-check]");
if (form) {
  const touched = new Set([...form.querySelectorAll(".field.bad")].map((field) => field.dataset.field));
  for (const input of form.querySelectorAll(".field :is(input, textarea)")) { // typed before this script was there
    if (input.value !== input.defaultValue) touched.add(input.closest(".field").dataset.field);
  }
  const label = (key) => form.querySelector(`[data-field="${key}"] label`)?.firstChild.textContent.trim() ?? key;
  // What is wrong, in the words of the labels; settings that share a message stand in for each other.
  const still = (problems) => {
    const groups = new Map();
    for (const [key, message] of Object.entries(problems)) {
      if (key) groups.set(message === "Required" ? key : message, [...groups.get(message) ?? [], label(key)]);
    }
    return groups.size ? `still needed or wrong: ${[...groups.values()].map((names) => names.join(" or ")).join(", ")}` : problems[""] ?? "…";
  };
  let timer, number = 0;
  const check = async () => {
    const mine = ++number;
    const values = new URLSearchParams(new FormData(form));
    values.delete("yaml");
    const said = await post(form.getAttribute("data-check"), values).catch(() => null);
    if (!said || mine !== number) return;
    for (const field of form.querySelectorAll(".field")) {
      const wrong = touched.has(field.dataset.field) ? said.problems[field.dataset.field] ?? "" : "";
      field.classList.toggle("bad", Boolean(wrong));
      field.querySelector("[data-error]").textContent = wrong;
      const input = field.querySelector("input, select, textarea");
      if (wrong) input.setAttribute("aria-invalid", "true"); else input.removeAttribute("aria-invalid");
    }
    const whole = form.querySelector("[data-whole]");
    whole.textContent = touched.size ? said.problems[""] ?? "" : "";
    whole.hidden = !whole.textContent;
    const line = document.getElementById("line");
    line.textContent = said.command || still(said.problems);
    line.classList.toggle("muted", !said.command);
  };
  form.addEventListener("keydown", (event) => { // a form is sent by its buttons, not by a key that slipped
    if (event.key === "Enter" && event.target.matches("input")) event.preventDefault();
  });
  form.addEventListener("input", (event) => {
    const field = event.target.closest(".field");
    if (field) touched.add(field.dataset.field);
    clearTimeout(timer);
    timer = setTimeout(check, 250);
  });
  check();
  const first = form.querySelector(".field.bad :is(input, select, textarea)");
  first?.scrollIntoView({ block: "center" });
  first?.focus({ preventScroll: true });
}
