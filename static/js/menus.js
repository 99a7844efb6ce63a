// Menus are popovers and need no script. Here are their place where the browser
// cannot anchor them, and copying.
(() => {
  "use strict";

  if (!CSS.supports("position-area", "block-end")) {
    document.addEventListener("toggle", (event) => {
      const menu = event.target;
      if (event.newState !== "open" || !menu.matches?.(".vv-pop")) return;
      const button = document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
      if (!button) return;
      const at = button.getBoundingClientRect();
      menu.style.position = "fixed";
      menu.style.insetBlockStart = `${Math.min(at.bottom, Math.max(0, innerHeight - menu.offsetHeight - 8))}px`;
      menu.style.insetInlineStart = `${Math.max(8, Math.min(at.left, innerWidth - menu.offsetWidth - 8))}px`;
    }, true);
  }

  const toClipboard = async (text) => {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const area = document.createElement("textarea"); // plain http on a trusted network
    area.value = text;
    area.className = "vv-sr";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  };

  const iconOf = (button, name) => {
    const use = button.querySelector("use");
    const before = use?.getAttribute("href");
    use?.setAttribute("href", before.replace(/#.*/, "#" + name));
    return () => use?.setAttribute("href", before);
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const text = button.dataset.copy === "location" ? location.href : button.dataset.copy;
    try {
      await toClipboard(text);
      vv.say("Copied.");
      const back = iconOf(button, "check");
      setTimeout(back, 1500);
    } catch {
      vv.say("Not copied: the browser refused.");
    }
  });

  // A shortened identifier is whole when copied by hand.
  document.addEventListener("copy", (event) => {
    const selection = getSelection();
    const shown = selection.toString().trim();
    const element = selection.anchorNode?.parentElement?.closest("span[data-copy]");
    if (!element || element.textContent.trim() !== shown) return;
    event.clipboardData.setData("text/plain", element.dataset.copy);
    event.preventDefault();
  });

  document.addEventListener("focusin", (event) => {
    if (event.target.matches("[data-select]")) event.target.select();
  });
})();
