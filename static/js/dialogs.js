// A question before something that cannot be undone arrives as a dialog in
// #vv-ask and is opened here. Without scripts the same address is a page.
(() => {
  "use strict";
  const ask = () => document.getElementById("vv-ask");

  const gate = (input) => {
    const button = input.form?.querySelector('button[type="submit"]');
    if (button) button.disabled = input.value.trim() !== input.dataset.typed;
  };

  document.addEventListener("htmx:after:swap", () => {
    const dialog = ask()?.querySelector("dialog[data-modal]");
    if (!dialog || dialog.open) return;
    dialog.showModal();
    for (const input of dialog.querySelectorAll("[data-typed]")) gate(input);
    (dialog.querySelector("[aria-invalid=true], [data-focus], [data-typed], input:not([type=hidden]), select") ?? dialog).focus();
  });

  // The action is done and the page has changed: the question goes.
  document.addEventListener("htmx:after:swap", (event) => {
    if (event.detail.ctx?.target?.id === "main") ask()?.querySelector("dialog")?.close();
  });

  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-typed]")) gate(event.target);
  });

  document.addEventListener("click", (event) => {
    const close = event.target.closest("dialog [data-close]");
    if (close) {
      event.preventDefault();
      close.closest("dialog").close();
    }
    const reload = event.target.closest("dialog [data-reload]");
    if (reload) {
      event.preventDefault();
      location.reload();
    }
    if (event.target.closest("[data-help]")) {
      event.target.closest("[popover]")?.hidePopover();
      document.getElementById("vv-keys")?.showModal();
    }
    // A click beside the dialog closes it, unless something was typed into it.
    if (event.target.matches?.("dialog[open]") && !event.target.querySelector("[data-modal] :user-valid, [data-typed]")) {
      const box = event.target.getBoundingClientRect();
      const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
      if (!inside) event.target.close();
    }
  });

  // What was shown once is gone now; the list behind it has a new row.
  document.addEventListener("close", (event) => {
    if (event.target.parentElement !== ask()) return;
    const shown = event.target.querySelector(".vv-once");
    event.target.remove();
    if (shown) location.reload();
  }, true);
})();
