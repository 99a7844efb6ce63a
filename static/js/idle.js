// A session ends after a pause. Two minutes before, a dialog asks; another tab may
// have used the session meanwhile, so the core is asked first, which is no use of it.
(() => {
  "use strict";
  const warn = 120;
  const dialog = () => document.getElementById("vv-idle");
  let timer = 0;
  let ends = 0; // when the session does, as this clock shows it

  const left = () => Math.round((ends - Date.now()) / 1000);
  const show = (over) => {
    for (const part of dialog().querySelectorAll("[data-idle-soon]")) part.hidden = over;
    for (const part of dialog().querySelectorAll("[data-idle-over]")) part.hidden = !over;
    if (!dialog().open) dialog().showModal();
  };
  const shut = () => dialog()?.open && dialog().close();

  const over = () => {
    if (document.querySelector("[data-guard] :user-valid, [data-guard] :user-invalid")) return show(true);
    shut();
    location.assign(dialog().dataset.signIn + "?notice=ended&next=" + encodeURIComponent(location.pathname + location.search));
  };

  const tick = () => {
    clearTimeout(timer);
    const s = left();
    if (s <= 0) return over();
    dialog().querySelector("[data-idle-left]").textContent = s >= 60 ? Math.ceil(s / 60) + " min" : s + " s";
    show(false);
    timer = setTimeout(tick, 1000);
  };

  const look = async () => {
    clearTimeout(timer);
    if (!dialog()) return;
    try {
      const reply = await fetch(dialog().dataset.idleAt, { headers: { Accept: "application/json" } });
      if (reply.status === 401) return over();
      if (reply.ok) ends = Date.now() + (await reply.json()).ends_in * 1000;
    } catch { /* it is asked again */ }
    if (left() <= warn && left() > 0) return tick();
    shut();
    timer = setTimeout(look, Math.max(5, Math.min(left() - warn, 3600)) * 1000);
  };

  const used = () => {
    if (!dialog() || dialog().open) return;
    clearTimeout(timer);
    const longest = Number(dialog().dataset.idle);
    ends = Date.now() + longest * 1000;
    timer = setTimeout(look, Math.max(1, longest - warn - 60) * 1000);
  };

  addEventListener("DOMContentLoaded", used);
  document.addEventListener("htmx:after:request", (event) => {
    if (!event.target.matches?.("[data-live]")) used();
  });
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && dialog() && look());
  document.addEventListener("click", async (event) => {
    if (event.target.closest("[data-idle-close]")) return shut();
    if (!event.target.closest("[data-idle-stay]")) return;
    clearTimeout(timer);
    await fetch(dialog().dataset.idleAt + "?stay=1", { method: "POST", headers: { Accept: "application/json" } }).catch(() => {});
    shut();
    look();
  });
})();
