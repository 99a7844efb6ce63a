// Forms: edits are not lost by accident, what is wrong takes the focus, an empty
// filter leaves no trace in the address, and a refusal never replaces the page.
(() => {
  "use strict";
  const dirty = new Set();

  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (form?.matches("[data-guard], [data-prefs]:not(.vv-pop, .vv-seg)")) dirty.add(form);
  });
  document.addEventListener("submit", (event) => dirty.delete(event.target));
  document.addEventListener("reset", (event) => dirty.delete(event.target));
  addEventListener("beforeunload", (event) => {
    if ([...dirty].some((form) => form.isConnected)) event.preventDefault();
  });

  const focusErrors = (event) => {
    if (!event.target.matches?.("[data-live]")) document.querySelector("[data-focus]")?.focus();
  };
  addEventListener("DOMContentLoaded", focusErrors);
  document.addEventListener("htmx:after:swap", focusErrors);

  document.addEventListener("htmx:config:request", (event) => {
    const { ctx } = event.detail;
    if (!ctx.sourceElement.matches?.("[data-filter]")) return;
    for (const [key, value] of [...ctx.request.body]) if (value === "") ctx.request.body.delete(key);
  });
  document.addEventListener("submit", (event) => {
    if (event.target.matches("[data-filter]")) event.target.querySelector("[popover]:popover-open")?.hidePopover();
  });

  const busy = (event, on) => {
    const { ctx } = event.detail;
    const button = ctx.request?.submitter ?? (ctx.sourceElement?.matches?.("a.vv-btn") ? ctx.sourceElement : null);
    if (on) button?.setAttribute("aria-busy", "true");
    else button?.removeAttribute("aria-busy");
  };
  document.addEventListener("htmx:before:request", (event) => busy(event, true));
  document.addEventListener("htmx:finally:request", (event) => busy(event, false));

  // 422 brings the form back. Any other refusal leaves the page alone; its answer
  // says why in a toast, and if it does not, we say that it was refused.
  document.addEventListener("htmx:response:error", (event) => {
    const { ctx } = event.detail;
    if (ctx.response.status === 422 || ctx.hx?.retarget || ctx.hx?.redirect) return;
    ctx.swap = "none";
    ctx.push = ctx.replace = null;
    if (!/<hx-partial/i.test(ctx.text ?? "")) vv.toast("vv-refused");
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx && !event.detail.ctx.response && !event.target.matches?.("[data-live]")) vv.toast("vv-silent");
  });
})();
