// Two tasks of the reader's choice against each other: ?x=…&y=… in the address.
"use strict";

(function () {
  const NS = "http://www.w3.org/2000/svg";
  const WIDTH = 620;
  const HEIGHT = 420;
  const EDGE = { left: 60, right: 16, top: 12, bottom: 48 };
  const form = document.getElementById("choose");
  const place = document.getElementById("chosen");
  const names = Object.keys(window.scores.tasks);

  function make(kind, attributes, text) {
    const element = document.createElementNS(NS, kind);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function scaleOf(values, from, to) {
    const low = Math.min(...values);
    const high = Math.max(...values);
    const room = 0.04 * (high - low || 1);
    const at = (value) => from + ((value - low + room) / (high - low + 2 * room)) * (to - from);
    const ticks = [0, 1, 2, 3, 4].map((i) => low + (i * (high - low)) / 4);
    return { at, ticks };
  }

  function draw() {
    const [x, y] = [form.elements.x.value, form.elements.y.value];
    const shared = window.scores.models
      .map((model, i) => ({ model, a: window.scores.tasks[x][i], b: window.scores.tasks[y][i] }))
      .filter((one) => one.a && one.b);
    place.replaceChildren();
    if (!shared.length) {
      place.append("No model has both.");
      return;
    }
    const across = scaleOf(shared.flatMap((one) => one.a), EDGE.left, WIDTH - EDGE.right);
    const upright = scaleOf(shared.flatMap((one) => one.b), HEIGHT - EDGE.bottom, EDGE.top);
    const svg = make("svg", {
      viewBox: "0 0 " + WIDTH + " " + HEIGHT,
      role: "img",
      "aria-label": x + " against " + y + ", " + shared.length + " models",
      "font-size": 12,
    });
    for (const tick of across.ticks) {
      const at = across.at(tick);
      svg.append(
        make("line", { x1: at, x2: at, y1: EDGE.top, y2: HEIGHT - EDGE.bottom, stroke: "var(--line)" }),
        make("text", { x: at, y: HEIGHT - EDGE.bottom + 18, "text-anchor": "middle", fill: "var(--dim)" },
          tick.toFixed(2)),
      );
    }
    for (const tick of upright.ticks) {
      const at = upright.at(tick);
      svg.append(
        make("line", { x1: EDGE.left, x2: WIDTH - EDGE.right, y1: at, y2: at, stroke: "var(--line)" }),
        make("text", { x: EDGE.left - 8, y: at + 4, "text-anchor": "end", fill: "var(--dim)" }, tick.toFixed(2)),
      );
    }
    for (const { a, b } of shared) {
      svg.append(
        make("line", { x1: across.at(a[1]), x2: across.at(a[2]), y1: upright.at(b[0]), y2: upright.at(b[0]),
          stroke: "var(--text)", opacity: 0.2 }),
        make("line", { x1: across.at(a[0]), x2: across.at(a[0]), y1: upright.at(b[1]), y2: upright.at(b[2]),
          stroke: "var(--text)", opacity: 0.2 }),
      );
    }
    for (const { model, a, b } of shared) {
      const tip = model + ": " + a[0].toFixed(3) + ", " + b[0].toFixed(3);
      svg.append(make("circle", { cx: across.at(a[0]), cy: upright.at(b[0]), r: 4, fill: "var(--c1)", "data-tip": tip }));
    }
    svg.append(
      make("text", { x: (EDGE.left + WIDTH) / 2, y: HEIGHT - 8, "text-anchor": "middle", fill: "var(--text)" }, x),
      make("text", { x: -(HEIGHT - EDGE.bottom) / 2, y: 14, "text-anchor": "middle", fill: "var(--text)",
        transform: "rotate(-90)" }, y),
    );
    const figure = document.createElement("figure");
    figure.className = "chart";
    figure.id = "chosen-pair";
    figure.append(svg);
    place.append(figure);
    window.enhanceFigure(figure);
  }

  form.elements.x.value = names.includes(window.state.get("x")) ? window.state.get("x") : names[0];
  form.elements.y.value = names.includes(window.state.get("y")) ? window.state.get("y") : names[1];
  for (const name of ["x", "y"]) {
    form.elements[name].addEventListener("change", function () {
      window.state.set(name, form.elements[name].value);
      draw();
    });
  }
  form.hidden = false;
  draw();
})();
