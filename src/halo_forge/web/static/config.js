// The editor of settings: line numbers, and each message at its line.
import { post } from "./wire.js";

const form = document.querySelector("[data-editor]"), text = document.getElementById("yaml");
const lines = form.querySelector(".lines"), messages = document.getElementById("messages"), command = document.getElementById("command");
const fill = form.querySelector("[data-fill]");
let wrong = new Set(), timer, number = 0;
function number_() {
  const count = text.value.split("\n").length;
  lines.replaceChildren(...Array.from({ length: count }, (_, i) => {
    const line = document.createElement("div");
    line.textContent = i + 1;
    if (wrong.has(i + 1)) line.className = "bad";
    return line;
  }));
  lines.scrollTop = text.scrollTop;
}
async function check() {
  const mine = ++number;
  const said = await post(form.dataset.editor, new URLSearchParams({ yaml: text.value, command: command.value })).catch(() => null);
  if (!said || mine !== number) return;
  wrong = new Set(said.messages.map((message) => message.line));
  number_();
  messages.replaceChildren(...said.messages.map(({ line, text: words }) => {
    const row = document.createElement("p"), jump = document.createElement("button");
    jump.type = "button"; jump.className = "quiet"; jump.textContent = `line ${line}`;
    jump.addEventListener("click", () => {
      const start = text.value.split("\n").slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
      text.focus();
      text.setSelectionRange(start, start + (text.value.split("\n")[line - 1] ?? "").length);
    });
    row.append(jump, ` ${words}`);
    return row;
  }));
  if (!said.messages.length) {
    const fine = document.createElement("p");
    fine.className = "fine";
    fine.textContent = `Valid for halo-forge ${command.value.replace("-", " ")}.`;
    messages.append(fine);
  }
}
const soon = () => { number_(); clearTimeout(timer); timer = setTimeout(check, 250); };
text.addEventListener("input", soon);
text.addEventListener("scroll", () => { lines.scrollTop = text.scrollTop; });
command.addEventListener("change", () => { fill.formAction = `/new/${command.value}/fill`; soon(); });
form.querySelector("[data-open]").addEventListener("change", async (event) => { text.value = await event.target.files[0].text(); soon(); });
number_();
check();
