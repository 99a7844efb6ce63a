// Texts with lines: their numbers stand beside them, and what names a line leads
// to it.
(() => {
  "use strict";
  const texts = "textarea[data-lines]";

  // number keeps as many numbers beside a text as it has lines.
  const number = (area) => {
    let gutter = area.previousElementSibling;
    if (!gutter?.matches("[data-gutter]")) {
      gutter = document.createElement("div");
      gutter.dataset.gutter = "";
      gutter.setAttribute("aria-hidden", "true");
      area.before(gutter);
    }
    const n = area.value.split("\n").length;
    if (gutter.childElementCount !== n) {
      gutter.replaceChildren(...Array.from({ length: n }, (_, i) => Object.assign(document.createElement("span"), { textContent: i + 1 })));
    }
    gutter.scrollTop = area.scrollTop;
  };
  const all = () => document.querySelectorAll(texts).forEach(number);
  const one = (event) => {
    if (event.target.matches?.(texts)) number(event.target);
  };
  addEventListener("DOMContentLoaded", all);
  document.addEventListener("htmx:after:swap", all);
  document.addEventListener("input", one);
  document.addEventListener("scroll", one, true);

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-line], a[href^='#line-']");
    const area = document.querySelector(texts);
    const line = Number(link?.dataset.line ?? link?.hash.slice("#line-".length));
    if (!area || !line) return;
    event.preventDefault();
    const lines = area.value.split("\n");
    const from = lines.slice(0, line - 1).reduce((n, text) => n + text.length + 1, 0);
    area.focus();
    area.setSelectionRange(from, from + (lines[line - 1]?.length ?? 0));
    area.scrollTop = (line - 4) * (area.scrollHeight / lines.length);
  });
})();
