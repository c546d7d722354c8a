// Two ticked samples can be compared.
const form = document.getElementById("pair");
form?.addEventListener("change", () => {
  const ticked = form.querySelectorAll("input[name=sample]:checked");
  form.querySelector("[data-pair]").disabled = ticked.length !== 2;
});
