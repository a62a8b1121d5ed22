// A matrix of confusions of up to a thousand classes: many classes are drawn as blocks, and a click
// on a block shows what is in it. Which part is shown stands in the address (?at=row:column:size).
"use strict";

(function () {
  const { classes, cells } = window.confusions;
  const place = document.getElementById("zoom");
  const canvas = place.querySelector("canvas");
  const output = place.querySelector("output");
  const pen = canvas.getContext("2d");
  const SIDE = canvas.width;
  const MOST_BLOCKS = 60;
  const LEAST = Math.min(6, classes.length);
  const FONT = "12px system-ui, sans-serif";
  let view = { row: 0, column: 0, size: classes.length };

  function clamp(value, low, high) {
    return Math.min(high, Math.max(low, value));
  }

  function measureNames(n) {
    pen.font = FONT;
    const shown = [view.row, view.column].flatMap((from) => classes.slice(from, from + n));
    return Math.ceil(14 + Math.max(...shown.map((name) => pen.measureText(shorten(name)).width)));
  }

  function layOut() {
    const per = Math.ceil(view.size / MOST_BLOCKS);
    const n = Math.ceil(view.size / per);
    // Names have room where blocks are single classes and tall enough to be read.
    const edge = per === 1 && n <= 30 ? measureNames(n) : 14;
    return { per, n, edge, step: (SIDE - edge) / n };
  }

  function sum() {
    const { per, n } = layOut();
    const right = new Float64Array(n * n);
    const wrong = new Float64Array(n * n);
    for (const [row, column, count] of cells) {
      const i = Math.floor((row - view.row) / per);
      const j = Math.floor((column - view.column) / per);
      if (i < 0 || j < 0 || i >= n || j >= n) continue;
      (row === column ? right : wrong)[i * n + j] += count;
    }
    return { right, wrong };
  }

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function shorten(text) {
    return text.length > 24 ? text.slice(0, 23) + "…" : text;
  }

  function draw() {
    const { per, n, edge, step } = layOut();
    const { right, wrong } = sum();
    const strength = (count, most) => (count ? 0.25 + 0.75 * (Math.log1p(count) / Math.log1p(most)) : 0);
    const most = [right, wrong].map((all) => Math.max(1, ...all));
    pen.globalAlpha = 1;
    pen.fillStyle = colour("--panel");
    pen.fillRect(0, 0, SIDE, SIDE);
    for (let i = 0; i < n; i += 1) {
      for (let j = 0; j < n; j += 1) {
        const at = i * n + j;
        const isWrong = wrong[at] > 0;
        const count = isWrong ? wrong[at] : right[at];
        if (!count) continue;
        pen.globalAlpha = strength(count, most[isWrong ? 1 : 0]);
        pen.fillStyle = colour(isWrong ? "--c2" : "--c1");
        pen.fillRect(edge + j * step, edge + i * step, Math.max(1, step - 1), Math.max(1, step - 1));
        if (per === 1 && step >= 26) {
          pen.globalAlpha = 1;
          pen.fillStyle = colour(strength(count, most[isWrong ? 1 : 0]) > 0.6 ? "--back" : "--text");
          pen.font = FONT;
          pen.textAlign = "center";
          pen.fillText(String(count), edge + (j + 0.5) * step, edge + (i + 0.5) * step + 4);
        }
      }
    }
    pen.globalAlpha = 1;
    pen.fillStyle = colour("--text");
    pen.font = FONT;
    canvas.dataset.edge = edge;
    if (edge > 14) {
      for (let i = 0; i < n; i += 1) {
        pen.textAlign = "right";
        pen.fillText(shorten(classes[view.row + i] || ""), edge - 6, edge + (i + 0.5) * step + 4);
        pen.save();
        pen.translate(edge + (i + 0.5) * step + 4, edge - 6);
        pen.rotate(-Math.PI / 2);
        pen.textAlign = "left";
        pen.fillText(shorten(classes[view.column + i] || ""), 0, 0);
        pen.restore();
      }
    }
  }

  function nameRange(from, per) {
    const last = Math.min(classes.length, from + per) - 1;
    return last > from ? classes[from] + " to " + classes[last] : classes[from];
  }

  function find(event) {
    const { per, n, edge, step } = layOut();
    const box = canvas.getBoundingClientRect();
    const j = Math.floor((((event.clientX - box.left) / box.width) * SIDE - edge) / step);
    const i = Math.floor((((event.clientY - box.top) / box.height) * SIDE - edge) / step);
    if (i < 0 || j < 0 || i >= n || j >= n) return null;
    const [row, column] = [view.row + i * per, view.column + j * per];
    return row < classes.length && column < classes.length ? { i, j, row, column, per, n } : null;
  }

  function tell(found) {
    if (!found) return;
    const { right, wrong } = sum();
    const at = found.i * found.n + found.j;
    output.textContent =
      nameRange(found.row, found.per) + " taken for " + nameRange(found.column, found.per) + ": " +
      wrong[at] + " wrong" + (right[at] ? ", " + right[at] + " right" : "");
  }

  function go(row, column, size) {
    size = clamp(Math.round(size), LEAST, classes.length);
    view = {
      row: clamp(Math.round(row), 0, classes.length - size),
      column: clamp(Math.round(column), 0, classes.length - size),
      size,
    };
    const isAll = size === classes.length;
    window.state.set("at", isAll ? "" : [view.row, view.column, view.size].join(":"));
    draw();
  }

  function zoom(by) {
    const size = view.size * by;
    const move = (view.size - clamp(size, LEAST, classes.length)) / 2;
    go(view.row + move, view.column + move, size);
  }

  function move(down, across) {
    const step = Math.max(1, view.size / 4);
    go(view.row + down * step, view.column + across * step, view.size);
  }

  const ACTIONS = [
    ["Zoom in", "+", () => zoom(0.5)],
    ["Zoom out", "-", () => zoom(2)],
    ["Up", "ArrowUp", () => move(-1, 0)],
    ["Down", "ArrowDown", () => move(1, 0)],
    ["Left", "ArrowLeft", () => move(0, -1)],
    ["Right", "ArrowRight", () => move(0, 1)],
    ["All", "0", () => go(0, 0, classes.length)],
  ];
  for (const [name, , act] of ACTIONS) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", act);
    place.querySelector(".buttons").append(button);
  }
  canvas.addEventListener("keydown", function (event) {
    const action = ACTIONS.find(([, key]) => key === event.key);
    if (!action) return;
    event.preventDefault();
    action[2]();
  });
  canvas.addEventListener("mousemove", (event) => tell(find(event)));
  canvas.addEventListener("click", function (event) {
    const found = find(event);
    tell(found);
    if (found && found.per > 1) {
      const size = found.per * 8;
      const middle = (from) => from + found.per / 2 - size / 2;
      go(middle(found.row), middle(found.column), size);
    }
  });
  new MutationObserver(draw).observe(document.documentElement, { attributes: true });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  place.hidden = false;
  const at = window.state.get("at").split(":").map(Number);
  if (at.length === 3 && at.every(Number.isFinite)) go(...at);
  else draw();
})();
