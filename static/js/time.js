// Times are written by the server in the reader's zone; here they are written
// anew when the zone changes, and where a live part was drawn for another zone.
// The forms are those of the server: clock, ms, min, day, full, age and left.
(() => {
  "use strict";

  vv.knownZone = (zone) => {
    try {
      return !!zone && !!new Intl.DateTimeFormat("en", { timeZone: zone });
    } catch {
      return false;
    }
  };

  const zone = () => vv.prefs.get("zone") || "UTC";
  const formats = new Map();

  const parts = (date, timeZone) => {
    if (!formats.has(timeZone)) {
      formats.set(timeZone, new Intl.DateTimeFormat("en-US", {
        timeZone, hourCycle: "h23", year: "numeric", month: "long", day: "numeric",
        hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, timeZoneName: "longOffset",
      }));
    }
    return Object.fromEntries(formats.get(timeZone).formatToParts(date).map((p) => [p.type, p.value]));
  };

  const offset = (p) => (p.timeZoneName.slice(3) || "+00:00").replace("-", "−");

  const age = (ms) => {
    const s = Math.max(0, Math.floor(ms / 1000)), m = Math.floor(s / 60), h = Math.floor(m / 60), d = Math.floor(h / 24);
    if (s < 60) return `${s} s`;
    if (m < 60) return `${m} min`;
    if (h < 24) return m % 60 ? `${h} h ${m % 60} min` : `${h} h`;
    return d === 1 ? "1 day" : `${d} days`;
  };

  // left is to the nearest unit it is shown in, as the server writes it.
  const left = (ms) => {
    const to = (unit) => Math.round(ms / unit) * unit, minute = 60_000, day = 86_400_000;
    if (ms <= 0) return "over";
    return age(ms >= day - minute / 2 ? to(day) : ms >= minute - 500 ? to(minute) : ms);
  };

  const written = (date, form, now) => {
    if (form === "age") return age(Date.now() - date);
    if (form === "left") return left(date - Date.now());
    const p = parts(date, zone());
    const clock = `${p.hour}:${p.minute}:${p.second}`;
    if (form === "day") return `${p.day} ${p.month} ${p.year}`;
    if (form === "full") return `${p.day} ${p.month} ${p.year}, ${clock}`;
    const time = form === "ms" ? `${clock}.${p.fractionalSecond}` : form === "min" ? clock.slice(0, 5) : clock;
    if (p.year !== now.year) return `${p.day} ${p.month.slice(0, 3)} ${p.year} ${time}`;
    return p.day === now.day && p.month === now.month ? time : `${p.day} ${p.month.slice(0, 3)} ${time}`;
  };

  const put = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };

  // asServed is true while the page is in the zone it was drawn for, and nothing
  // need be written anew; so nothing moves when a page arrives.
  let asServed = true;

  function rewrite(times) {
    const now = parts(new Date(), zone());
    for (const element of times) {
      const date = new Date(element.dateTime);
      if (!isNaN(date)) put(element, written(date, element.dataset.f, now));
    }
  }

  function relabel() {
    const now = parts(new Date(), zone());
    for (const element of document.querySelectorAll("[data-zone]")) put(element, zone() === "UTC" ? "UTC" : offset(now));
    for (const element of document.querySelectorAll("[data-offset]")) {
      const local = zone() === "UTC" ? vv.localZone() : zone();
      if (vv.knownZone(local)) put(element, offset(parts(new Date(), local)));
    }
  }

  const refresh = () => {
    if (zone() !== (document.documentElement.dataset.zoneId || "UTC")) asServed = false;
    if (!asServed) rewrite(document.querySelectorAll("time[datetime]"));
    relabel();
  };
  document.addEventListener("vv:prefs", refresh);
  document.addEventListener("htmx:after:swap", refresh);
  setInterval(() => rewrite(document.querySelectorAll('time:is([data-f="age"], [data-f="left"])')), 5000);
})();
