// Texts with lines: their numbers stand beside them, and what names a line leads
// to it.
(() => {
  "use strict";
  const number = (area) => {
    const gutter = area.previousElementSibling;
    const n = area.value.split("\n").length;
    if (gutter?.childElementCount === n) return;
    gutter?.replaceChildren(...Array.from({ length: n }, (_, i) => Object.assign(document.createElement("span"), { textContent: i + 1 })));
  };
  const dress = () => {
    for (const area of document.querySelectorAll("textarea[data-lines]")) {
      if (area.previousElementSibling?.matches("[data-gutter]")) {
        number(area);
        continue;
      }
      const gutter = document.createElement("div");
      gutter.dataset.gutter = "";
      gutter.setAttribute("aria-hidden", "true");
      area.before(gutter);
      area.addEventListener("input", () => number(area));
      area.addEventListener("scroll", () => (gutter.scrollTop = area.scrollTop));
      number(area);
    }
  };
  addEventListener("DOMContentLoaded", dress);
  document.addEventListener("htmx:after:swap", dress);

  const goTo = (area, line) => {
    const lines = area.value.split("\n");
    const from = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    area.focus();
    area.setSelectionRange(from, from + (lines[line - 1]?.length ?? 0));
    area.scrollTop = (line - 4) * (area.scrollHeight / lines.length);
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-line], a[href^='#line-']");
    const area = document.querySelector("textarea[data-lines]");
    const line = Number(link?.dataset.line ?? link?.hash.slice("#line-".length));
    if (!area || !line) return;
    event.preventDefault();
    goTo(area, line);
  });
})();
