// The keyboard: the palette, the list of shortcuts, and g followed by the key of
// a page in the rail. Single keys do nothing in a field, or when turned off.
(() => {
  "use strict";
  const palette = () => document.getElementById("vv-palette");
  const results = () => [...palette().querySelectorAll('[role="option"]:not([aria-disabled])')];
  let afterG = 0;

  const openPalette = () => {
    const dialog = palette();
    if (!dialog || dialog.open) return;
    dialog.showModal();
    const input = dialog.querySelector("input");
    input.value = "";
    htmx.trigger(input, "vv:open");
  };

  const choose = (index) => {
    const all = results();
    const at = all.length ? (index + all.length) % all.length : -1;
    all.forEach((option, i) => {
      option.id = `vv-option-${i}`;
      option.classList.toggle("on", i === at);
      option.setAttribute("aria-selected", i === at);
    });
    all[at]?.scrollIntoView({ block: "nearest" });
    const input = palette().querySelector("input");
    if (at >= 0) input.setAttribute("aria-activedescendant", all[at].id);
    else input.removeAttribute("aria-activedescendant");
  };
  const chosen = () => results().findIndex((option) => option.classList.contains("on"));

  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx?.target?.id === "vv-palette-results") choose(0);
  });

  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-palette]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    openPalette();
  });

  document.addEventListener("submit", (event) => {
    if (event.target.closest("#vv-palette")) {
      event.preventDefault();
      results()[chosen()]?.click();
    }
  });

  const inField = (target) => target.closest?.("input, textarea, select, [contenteditable]");

  const commands = {
    "/": openPalette,
    "?": () => document.getElementById("vv-keys")?.showModal(),
    g: () => (afterG = Date.now()),
  };

  document.addEventListener("keydown", (event) => {
    if ((event.metaKey || event.ctrlKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      return openPalette();
    }
    if (palette()?.open) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) {
        event.preventDefault();
        choose(chosen() + step);
      }
      return;
    }
    if (vv.prefs.get("keys") === "off" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (inField(event.target) || document.querySelector("dialog[open]")) return;
    if (Date.now() - afterG < 1200) {
      afterG = 0;
      const link = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
      if (link) {
        event.preventDefault();
        return link.click();
      }
    }
    if (commands[event.key]) {
      event.preventDefault();
      commands[event.key]();
    }
  });

  addEventListener("DOMContentLoaded", () => {
    const mac = /Mac|iPhone|iPad/.test(navigator.platform);
    for (const key of document.querySelectorAll("[data-mod]")) key.textContent = mac ? "⌘K" : "Ctrl K";
  });
})();
