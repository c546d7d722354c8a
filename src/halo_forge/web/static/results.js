// Ticked runs can be compared, however many.
const form = document.getElementById("chosen");
const button = form?.querySelector("[data-compare]");
form?.addEventListener("change", () => {
  const ticked = form.querySelectorAll("input[name=run]:checked").length;
  button.disabled = ticked < 2;
  button.textContent = ticked < 2 ? "Compare" : `Compare ${ticked} runs`;
});
