// Two models of the reader's choice: to their page, or the command that compares them.
"use strict";

(function () {
  const form = document.getElementById("pick");
  const { a, b } = form.elements;
  const output = form.querySelector("output");
  const rows = Array.from(document.querySelectorAll("#pairs tbody tr"));

  function show() {
    output.replaceChildren();
    if (a.value === b.value) {
      output.append("choose two models");
      return;
    }
    const row = rows.find(({ dataset }) =>
      [dataset.a, dataset.b].every((name) => name === a.value || name === b.value));
    if (row) {
      const link = document.createElement("a");
      link.href = row.querySelector("a").href;
      link.textContent = "what they differ by";
      output.append(link);
    } else {
      output.append("not compared when this site was made; the command below does it");
    }
  }

  const names = Array.from(a.options, (option) => option.value);
  a.value = names.includes(window.state.get("a")) ? window.state.get("a") : names[0];
  b.value = names.includes(window.state.get("b")) ? window.state.get("b") : names[1];
  for (const [key, choice] of [["a", a], ["b", b]]) {
    choice.addEventListener("change", function () {
      window.state.set(key, choice.value);
      show();
    });
  }
  form.hidden = false;
  show();
})();
