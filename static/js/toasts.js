// A toast stays ten seconds, longer while the pointer or the focus is on it. One
// that reports a failure stays until it is dismissed.
(() => {
  "use strict";
  const seconds = 10;

  const start = (toast) => {
    if (toast.dataset.toast === "stay") return;
    let left = seconds;
    const show = () => {
      const place = toast.querySelector("[data-left]");
      if (place) place.textContent = `, ${left} s`;
    };
    show();
    const timer = setInterval(() => {
      if (!toast.isConnected) return clearInterval(timer);
      if (toast.matches(":hover, :focus-within")) return;
      left -= 1;
      show();
      if (left <= 0) toast.remove();
    }, 1000);
  };

  vv.toast = (template) => {
    const source = document.getElementById(template);
    const place = document.getElementById("vv-toasts");
    if (!source || !place || place.querySelector(`[data-of="${template}"]`)) return;
    const toast = source.content.firstElementChild.cloneNode(true);
    toast.dataset.of = template;
    place.append(toast);
  };

  addEventListener("DOMContentLoaded", () => {
    const place = document.getElementById("vv-toasts");
    if (!place) return;
    place.querySelectorAll("[data-toast]").forEach(start);
    new MutationObserver((changes) => {
      for (const change of changes) for (const node of change.addedNodes) if (node.dataset?.toast !== undefined) start(node);
    }).observe(place, { childList: true });
  });

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-dismiss]")) event.target.closest("[data-toast]")?.remove();
  });
  document.addEventListener("htmx:after:request", (event) => {
    event.target.closest?.("[data-undo]")?.closest("[data-toast]")?.remove();
  });
})();
