// Pictures that are filtered by class, group, model and more; what is chosen stands in the address.
"use strict";

(function () {
  const state = window.state;

  function enhance(form) {
    const id = form.dataset.gallery;
    const shots = Array.from(document.getElementById(id).children);
    const texts = shots.map((shot) => shot.textContent.toLowerCase());
    const choices = Array.from(form.querySelectorAll("select"));
    const search = form.elements.q;
    const output = form.querySelector("output");
    const key = (name) => id + "." + name;

    function fits(shot, choice) {
      if (!choice.value) return true;
      const mark = choice.selectedOptions[0].dataset.mark;
      const has = shot.dataset[choice.name] || "";
      return choice.name === "model" ? has.includes(mark) : has === mark;
    }

    function filter() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      shots.forEach((shot, i) => {
        const is =
          words.every((word) => texts[i].includes(word)) &&
          choices.every((choice) => fits(shot, choice));
        shot.hidden = !is;
        shown += is;
      });
      output.textContent = shown === shots.length ? "" : shown + " of " + shots.length + " pictures";
    }

    function restore() {
      search.value = state.get(key("q"));
      for (const choice of choices) {
        choice.value = state.get(key(choice.name));
        // A link of an earlier site may name what is there no more.
        if (choice.selectedIndex < 0) choice.value = "";
      }
      filter();
    }

    search.addEventListener("input", function () {
      state.set(key("q"), search.value);
      filter();
    });
    for (const choice of choices) {
      choice.addEventListener("change", function () {
        state.set(key(choice.name), choice.value);
        filter();
      });
    }
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", function (event) {
      event.preventDefault();
      for (const name of ["q", ...choices.map((choice) => choice.name)]) state.set(key(name), "");
      restore();
    });
    form.hidden = false;
    restore();
  }

  for (const form of document.querySelectorAll("form.tools[data-gallery]")) enhance(form);
})();
