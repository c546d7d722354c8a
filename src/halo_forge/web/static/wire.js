// Talking to the server, and figures in words.
const csrf = () => document.querySelector("meta[name=csrf]").content;

async function answered(response) {
  if (!response.ok) throw new Error((await response.text()).slice(0, 300));
  return response;
}
export const getJson = async (address) => (await answered(await fetch(address))).json();
export const getText = async (address) => (await answered(await fetch(address))).text();
export async function post(address, values) {
  values.delete("csrf");
  const response = await fetch(address, { method: "POST", body: values, headers: { "X-CSRF-Token": csrf() } });
  return (await answered(response)).json();
}
export function bytes(count) {
  if (count === null || count === undefined) return "–";
  for (const unit of ["B", "KB", "MB", "GB"]) {
    if (count < 1000) return `${unit === "B" ? count : count.toFixed(1)} ${unit}`;
    count /= 1000;
  }
  return `${count.toFixed(1)} TB`;
}
export function duration(seconds) {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds), two = (n) => String(n).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}
