// Tables that sort, search, filter and let columns be picked. The page has them whole: without this
// script nothing is missing but the tools. Sorting follows the pattern of the ARIA Authoring
// Practices: a button in the head, aria-sort on its cell.
"use strict";

(function () {
  const state = window.state;

  function valueOf(row, index, kind) {
    const cell = row.cells[index];
    const text = cell.dataset.v !== undefined ? cell.dataset.v : cell.textContent.trim();
    if (kind === "text") return text.toLowerCase();
    const number = parseFloat(text.replace(/,/g, ""));
    return Number.isNaN(number) ? null : number;
  }

  function compare(a, b, sign) {
    // What is missing comes last, whatever the direction.
    if (a === null || b === null) return (a === null) - (b === null);
    return sign * (typeof a === "string" ? a.localeCompare(b) : a - b);
  }

  function enhance(form) {
    const id = form.dataset.table;
    const table = document.getElementById(id);
    const body = table.tBodies[0];
    const rows = Array.from(body.rows);
    const heads = Array.from(table.tHead.rows[table.tHead.rows.length - 1].cells);
    const output = form.querySelector("output");
    const key = (name) => id + "." + name;
    const facets = Array.from(form.querySelectorAll("select"));
    const search = form.elements.q;
    const texts = rows.map((row) => row.cells[0].textContent.toLowerCase());

    function sort() {
      const [wanted, direction] = state.get(key("sort")).split(":");
      const index = heads.findIndex((head) => head.dataset.key === wanted);
      const order = rows.map((row, i) => i);
      for (const head of heads) head.removeAttribute("aria-sort");
      if (index >= 0) {
        const sign = direction === "down" ? -1 : 1;
        const kind = heads[index].dataset.sort;
        const values = rows.map((row) => valueOf(row, index, kind));
        order.sort((i, j) => compare(values[i], values[j], sign) || i - j);
        heads[index].setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
      }
      body.append(...order.map((i) => rows[i]));
    }

    function filter() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      rows.forEach((row, i) => {
        const fits =
          words.every((word) => texts[i].includes(word)) &&
          facets.every((facet) => !facet.value || row.dataset[facet.name] === facet.value);
        row.hidden = !fits;
        shown += fits;
      });
      output.textContent = shown === rows.length ? "" : shown + " of " + rows.length + " rows";
    }

    function pick() {
      const gone = new Set(state.get(key("hide")).split(",").filter(Boolean));
      heads.forEach((head, index) => {
        if (!index) return;
        const hidden = gone.has(head.dataset.key);
        head.hidden = hidden;
        for (const row of rows) row.cells[index].hidden = hidden;
      });
    }

    function nameOf(head) {
      const copy = head.cloneNode(true);
      for (const part of copy.querySelectorAll("button.sort, .ci")) part.remove();
      return copy.textContent.trim();
    }

    function addSorting(head) {
      const name = nameOf(head);
      const first = head.dataset.sort === "down" ? "down" : "up";
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      if (head.querySelector("a")) {
        button.setAttribute("aria-label", "Sort by " + name);
        head.append(button);
      } else {
        button.append(...head.childNodes);
        head.append(button);
      }
      button.addEventListener("click", function () {
        const [was, direction] = state.get(key("sort")).split(":");
        const other = first === "up" ? "down" : "up";
        const next = was !== head.dataset.key ? first : direction === first ? other : "";
        state.set(key("sort"), next && head.dataset.key + ":" + next);
        sort();
      });
    }

    function addColumns(place) {
      for (const head of heads.slice(1)) {
        const label = document.createElement("label");
        const box = document.createElement("input");
        box.type = "checkbox";
        box.value = head.dataset.key;
        label.append(box, " " + nameOf(head));
        place.append(label);
        box.addEventListener("change", function () {
          const boxes = Array.from(place.querySelectorAll("input"));
          const gone = boxes.filter((one) => !one.checked).map((one) => one.value);
          state.set(key("hide"), gone.join(","));
          pick();
        });
      }
    }

    function restore() {
      search.value = state.get(key("q"));
      for (const facet of facets) facet.value = state.get(key(facet.name));
      const gone = new Set(state.get(key("hide")).split(","));
      for (const box of form.querySelectorAll(".columns input")) box.checked = !gone.has(box.value);
      sort();
      filter();
      pick();
    }

    const columns = form.querySelector(".columns > div");
    if (columns) addColumns(columns);
    for (const head of heads) if (head.dataset.key) addSorting(head);
    search.addEventListener("input", function () {
      state.set(key("q"), search.value);
      filter();
    });
    for (const facet of facets) {
      facet.addEventListener("change", function () {
        state.set(key(facet.name), facet.value);
        filter();
      });
    }
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", function (event) {
      event.preventDefault();
      for (const name of ["q", "sort", "hide", ...facets.map((facet) => facet.name)]) {
        state.set(key(name), "");
      }
      restore();
    });
    form.hidden = false;
    restore();
  }

  for (const form of document.querySelectorAll("form.tools[data-table]")) enhance(form);
})();
