// The state of a page lives in its address, so that every view is a link: ?theme=dark&t0.sort=c1.
"use strict";

window.state = {
  get(key) {
    return new URLSearchParams(location.search).get(key) || "";
  },
  set(key, value) {
    const all = new URLSearchParams(location.search);
    if (value) all.set(key, value);
    else all.delete(key);
    const query = all.toString();
    history.replaceState(null, "", location.pathname + (query ? "?" + query : "") + location.hash);
  },
};

(function () {
  const root = document.documentElement;
  const names = { "": "auto", light: "light", dark: "dark" };
  let theme = window.state.get("theme");

  function show() {
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
  }

  // What was chosen goes along to the site's other pages.
  function carry() {
    for (const link of document.querySelectorAll("a[href]")) {
      const href = link.getAttribute("href");
      if (href.startsWith("#") || link.hasAttribute("download") || /^[a-z]+:/i.test(href)) continue;
      const [, path, query, hash] = href.match(/^([^?#]*)(\?[^#]*)?(#.*)?$/);
      const all = new URLSearchParams(query || "");
      if (theme) all.set("theme", theme);
      else all.delete("theme");
      const rest = all.toString();
      link.setAttribute("href", path + (rest ? "?" + rest : "") + (hash || ""));
    }
  }

  show();
  document.addEventListener("DOMContentLoaded", function () {
    const button = document.getElementById("theme");
    const label = () => {
      button.textContent = "Theme: " + names[theme];
    };
    button.hidden = false;
    label();
    button.addEventListener("click", function () {
      const order = Object.keys(names);
      theme = order[(order.indexOf(theme) + 1) % order.length];
      window.state.set("theme", theme);
      show();
      label();
      carry();
    });
    if (!(theme in names)) theme = "";
    if (theme) carry();
  });
})();
