// Preferences of this browser, in one cookie that the server reads as well, so
// that a page arrives in the right theme and zone and nothing flashes.
const vv = (window.vv = {});

(() => {
  "use strict";
  const root = document.documentElement;
  const name = "vv_prefs";

  const read = () => {
    const pair = document.cookie.split("; ").find((c) => c.startsWith(name + "="));
    return new URLSearchParams(pair ? pair.slice(name.length + 1) : "");
  };

  const write = (prefs) => {
    for (const [key, value] of [...prefs]) if (!value) prefs.delete(key);
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${name}=${prefs}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  };

  vv.prefs = read();

  vv.setPref = (key, value) => {
    vv.prefs.set(key, value);
    write(vv.prefs);
    apply();
  };

  const attribute = (key, value) => (value ? root.setAttribute(key, value) : root.removeAttribute(key));

  function apply() {
    attribute("data-theme", vv.prefs.get("theme"));
    attribute("data-density", vv.prefs.get("density"));
    for (const button of document.querySelectorAll("[data-prefs] [aria-pressed]")) {
      const chosen = vv.prefs.get(button.name) || "";
      const on = button.name === "zone" ? (button.value === "UTC") === (chosen === "") : button.value === chosen;
      button.setAttribute("aria-pressed", on);
    }
    document.dispatchEvent(new CustomEvent("vv:prefs"));
  }

  // localZone is what the browser takes for local, unless a zone was chosen before.
  vv.localZone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "";

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("[data-prefs]")) return;
    event.preventDefault();
    const data = new FormData(form, event.submitter);
    for (const key of ["theme", "density", "zone"]) {
      if (!data.has(key)) continue;
      let value = data.get(key).trim();
      if (key === "zone" && event.submitter?.name === "zone" && value === "") value = vv.localZone();
      if (value === "UTC" || (key === "zone" && !vv.knownZone(value))) value = "";
      vv.prefs.set(key, value);
    }
    if (data.has("all")) vv.prefs.set("keys", data.has("keys") ? "" : "off");
    write(vv.prefs);
    apply();
    vv.say("Saved for this browser.");
    form.closest("[popover]")?.hidePopover();
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-narrow]")) vv.setPref("rail", event.target.checked ? "narrow" : "");
  });

  // say tells those who hear the page what those who see it can see.
  vv.say = (text) => {
    const place = document.getElementById("vv-say");
    if (place) place.textContent = text;
  };

  addEventListener("DOMContentLoaded", apply);
})();
