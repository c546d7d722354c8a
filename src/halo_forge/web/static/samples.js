// Two ticked samples can be compared, also from different pages: the choice lasts as long as the tab.
const form = document.getElementById("pair");
if (form) {
  const button = form.querySelector("[data-pair]"), key = `pair ${form.getAttribute("action")}`;
  let chosen = [];
  try { chosen = JSON.parse(sessionStorage.getItem(key) ?? "[]"); } catch { /* begins empty */ }
  const boxes = [...form.querySelectorAll("input[type=checkbox][name=sample]")];
  const show = () => {
    for (const box of boxes) box.checked = chosen.includes(box.value);
    for (const old of form.querySelectorAll("input[type=hidden][name=sample]")) old.remove();
    for (const value of chosen.filter((each) => !boxes.some((box) => box.value === each))) {
      const field = document.createElement("input");
      Object.assign(field, { type: "hidden", name: "sample", value });
      form.prepend(field);
    }
    button.disabled = chosen.length !== 2;
    button.textContent = chosen.length === 1 ? "Compare with another" : "Compare two";
    try { sessionStorage.setItem(key, JSON.stringify(chosen)); } catch { /* lasts for this page only */ }
  };
  form.addEventListener("change", ({ target }) => {
    chosen = target.checked ? [...chosen, target.value].slice(-2) : chosen.filter((value) => value !== target.value);
    show();
  });
  form.addEventListener("submit", () => { try { sessionStorage.removeItem(key); } catch { /* nothing was kept */ } });
  show();
}

// A picture opens large over the page; one that cannot be read says so, and its address says why.
const enlarged = document.querySelector("dialog.enlarged"), large = enlarged?.querySelector("img");
document.addEventListener("click", (event) => {
  const link = event.target.closest("a.picture");
  if (event.target === enlarged || event.target === large) enlarged.close();
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  large.src = link.href;
  large.alt = link.firstElementChild.alt.replace(", opens large", "");
  enlarged.showModal();
});
for (const image of document.querySelectorAll("a.picture img")) {
  const failed = () => {
    image.parentElement.className = "small";
    image.replaceWith(image.alt.replace(", opens large", " cannot be shown: see why"));
  };
  if (image.complete && !image.naturalWidth && image.currentSrc) failed();
  else image.addEventListener("error", failed);
}
