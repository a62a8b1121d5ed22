// Figures: what a point stands for, when it is pointed at; a figure as SVG and PNG, made of what is shown.
"use strict";

(function () {
  const STYLES = ["fill", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-size",
    "font-family", "font-weight"];
  const SCALE = 3;

  // A file knows no style sheet of the page: what it says is written into each element.
  function standAlone(svg) {
    const copy = svg.cloneNode(true);
    const originals = [svg, ...svg.querySelectorAll("*")];
    [copy, ...copy.querySelectorAll("*")].forEach((element, i) => {
      const style = getComputedStyle(originals[i]);
      for (const name of STYLES) element.style.setProperty(name, style.getPropertyValue(name));
    });
    const box = svg.viewBox.baseVal;
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    copy.setAttribute("width", box.width);
    copy.setAttribute("height", box.height);
    copy.style.background = getComputedStyle(document.body).backgroundColor;
    return new XMLSerializer().serializeToString(copy);
  }

  function save(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function savePng(svg, name) {
    const image = new Image();
    const box = svg.viewBox.baseVal;
    image.onload = function () {
      const canvas = document.createElement("canvas");
      canvas.width = SCALE * box.width;
      canvas.height = SCALE * box.height;
      const pen = canvas.getContext("2d");
      pen.fillStyle = getComputedStyle(document.body).backgroundColor;
      pen.fillRect(0, 0, canvas.width, canvas.height);
      pen.drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob((blob) => save(blob, name + ".png"), "image/png");
    };
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(standAlone(svg));
  }

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("aria-hidden", "true");
  document.body.append(tip);

  function point(event) {
    const mark = event.target.closest("[data-tip]");
    tip.hidden = !mark;
    if (!mark) return;
    const box = mark.getBoundingClientRect();
    tip.textContent = mark.dataset.tip;
    const left = window.scrollX + box.left + box.width / 2;
    tip.style.left = Math.min(left, document.documentElement.clientWidth - tip.offsetWidth - 8) + "px";
    tip.style.top = window.scrollY + box.top - tip.offsetHeight - 6 + "px";
  }

  window.enhanceFigure = function (figure) {
    const svg = figure.querySelector("svg");
    const tools = document.createElement("p");
    tools.className = "save";
    for (const kind of ["SVG", "PNG"]) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = kind;
      button.setAttribute("aria-label", "Save the figure as " + kind);
      button.addEventListener("click", function () {
        if (kind === "PNG") savePng(svg, figure.id);
        else save(new Blob([standAlone(svg)], { type: "image/svg+xml" }), figure.id + ".svg");
      });
      tools.append(button);
    }
    figure.append(tools);
    svg.addEventListener("mouseover", point);
    svg.addEventListener("mouseleave", () => (tip.hidden = true));
  };

  for (const figure of document.querySelectorAll("figure.chart")) window.enhanceFigure(figure);
})();
