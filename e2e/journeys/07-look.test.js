// Every page, in both themes, at a desk and on a phone; by keyboard; without
// scripts; under a strict policy and within its budgets.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { gzipSync } from "node:zlib";
import { Browser, phone } from "../browser.js";
import { installation } from "../installation.js";
import { inEachLook, inEveryLook } from "../look.js";
import { Pages, walked } from "../pages.js";
import { isLive, joins, signedIn, signIn } from "../people.js";
import { until } from "../until.js";

const here = await installation(after);
const browser = await Browser.open(here.url);
after(() => browser.close());

let admin, grace, denied, pages;
before(async () => {
  await here.setUp();
  admin = await here.signIn();
  grace = { storageState: await signedIn(browser) };
  await here.alive();
  const filter = { plugin: "hello-lurker", outcome: "deny", limit: "1" };
  [denied] = await until("a denial", async () => {
    const records = await admin.audit(filter);
    return records.length && records;
  }, 15_000);
  pages = new Pages(admin);
  await pages.make(await here.signIn(await joins(browser, admin, "Lou Stranger", ["viewer"])));
});
after(() => pages?.remove());

/** nameOf is what a picture of a page is called. */
const nameOf = (route) => route.replace("/console", "").replace(/\W+/g, "-").replace(/^-/, "") || "overview";

describe("every page", { concurrency: 2 }, () => {
  /** opens clicks what opens a dialog, and waits for it. */
  const opens = (role, name) => async (page) => {
    await page.getByRole(role, { name }).first().click();
    await page.locator("dialog[open], :popover-open").first().waitFor();
  };
  const states = [
    ["overview-live", () => "/console", isLive],
    ["plugins-none", () => "/console/plugins?q=no+such+plugin"],
    ["plugin-disable-dialog", () => "/console/plugins/hello-publisher", opens("link", /^Disable/)],
    ["plugin-unregister-dialog", () => "/console/plugins/hello-lurker", opens("link", /^Unregister/)],
    ["events-live", () => "/console/events", isLive],
    ["audit-filter", () => "/console/audit?plugin=hello-lurker&outcome=deny", opens("button", /^Filter$/)],
    ["audit-open", () => "/console/audit?plugin=hello-lurker&outcome=deny", async (page) => {
      await page.getByRole("link", { name: /^Record \d/ }).first().click();
      await page.locator("tr.detail").waitFor();
    }],
    ["audit-verified", () => "/console/audit?plugin=hello-lurker&outcome=deny", async (page) => {
      await page.getByRole("button", { name: /^Verify/ }).click();
      await page.getByText(/records recomputed in/).waitFor();
    }],
    ["audit-none", () => "/console/audit?q=no+such+record"],
    ["decision-lane", () => `/console/decisions/${denied.id}`],
    ["user-invite-dialog", () => "/console/users", opens("link", /^Invite a person/)],
    ["account-key-dialog", () => "/console/account", opens("link", /^New key/)],
    ["palette-dialog", () => "/console/users", async (page) => {
      await page.keyboard.press("Control+k");
      await page.locator("#vv-palette [role=option]").first().waitFor();
    }],
    ["shortcuts", () => "/console/users", async (page) => {
      await page.keyboard.press("?");
      await page.locator("#vv-keys[open]").waitFor();
    }],
    ["nothing", () => "/console/nothing-here"],
  ];
  for (const route of walked()) {
    const name = nameOf(route);
    test(`${name}: readable in each look`, (t) =>
      browser.visit(t, grace, async (page) => {
        const answer = await page.goto(pages.path(route));
        assert.equal(answer.status(), 200, pages.path(route));
        await inEachLook(page, name);
      }));
  }
  for (const [name, path, prepare] of states) {
    test(`${name}: readable in every look`, (t) =>
      browser.visit(t, grace, async (page, guard) => {
        if (name === "nothing") guard.expect(/404/);
        await page.goto(path());
        await prepare?.(page);
        await inEveryLook(page, name);
      }));
  }

  test("sign-in: readable in every look, also after a mistake", (t) =>
    browser.visit(t, {}, async (page, guard) => {
      guard.expect(/401|410/);
      await page.goto("/sign-in");
      await inEveryLook(page, "sign-in");
      await page.getByLabel("E-mail").fill("nobody@example.com");
      await page.getByLabel("Password").fill("not a password");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("alert").waitFor();
      await inEveryLook(page, "sign-in-refused");
      await page.goto("/invite?token=spent");
      await inEveryLook(page, "invite-gone");
    }));

  test("on a phone the navigation opens and leads on", (t) =>
    browser.visit(t, { ...grace, viewport: phone, hasTouch: true }, async (page) => {
      await page.goto("/console");
      await page.getByRole("button", { name: "Open navigation" }).tap();
      const rail = page.getByRole("navigation", { name: "Main" });
      await rail.getByRole("link", { name: "Govern" }).tap();
      await page.getByRole("heading", { level: 1, name: "Policies" }).waitFor();
    }));
});

describe("by keyboard", () => {
  test("the first stop is the skip link, which leads to the content", (t) =>
    browser.visit(t, grace, async (page) => {
      await page.goto("/console/plugins");
      await page.keyboard.press("Tab");
      const skip = page.locator(":focus");
      assert.equal(await skip.textContent(), "Skip to content");
      assert.ok((await skip.boundingBox()).y >= 0, "the skip link cannot be seen");
      await page.keyboard.press("Enter");
      assert.equal(await page.locator(":focus").getAttribute("id"), "main");
    }));

  test("everything that can be reached shows that it is", (t) =>
    browser.visit(t, grace, async (page) => {
      await page.goto("/console/plugins");
      const stops = [];
      for (let n = 0; n < 40; n++) {
        await page.keyboard.press("Tab");
        const stop = await page.evaluate(() => {
          const at = document.activeElement;
          const rings = [at, at.closest("label") ?? at].map((element) => getComputedStyle(element));
          const box = at.getBoundingClientRect();
          return {
            what: at === document.body ? "" : at.outerHTML.slice(0, 120),
            seen: rings.some(({ outlineStyle, outlineWidth }) => outlineStyle !== "none" && parseFloat(outlineWidth) >= 2),
            inside: box.top >= 0 && box.bottom <= innerHeight + 1,
          };
        });
        if (stop.what === "") break;
        stops.push(stop);
      }
      assert.ok(stops.length > 15, `only ${stops.length} stops`);
      assert.deepEqual(stops.filter(({ seen }) => !seen).map(({ what }) => what), [], "no visible focus");
      assert.deepEqual(stops.filter(({ inside }) => !inside).map(({ what }) => what), [], "focus outside the window");
    }));

  test("the palette finds pages and plugins, and goes there", (t) =>
    browser.visit(t, grace, async (page) => {
      await page.goto("/console");
      await page.keyboard.press("Control+k");
      const palette = page.locator("#vv-palette");
      await palette.locator("[role=option]").first().waitFor();
      await page.keyboard.type("lurk");
      await palette.locator("[role=option].on", { hasText: /Lurker/ }).waitFor();
      assert.equal(await palette.locator("[role=option]", { hasText: "Overview" }).count(), 0);
      await page.keyboard.press("Enter");
      await page.waitForURL("**/console/plugins/hello-lurker**");
      await page.keyboard.press("/");
      await palette.locator("[role=option]").first().waitFor();
      await page.keyboard.press("Escape");
      assert.equal(await palette.evaluate((dialog) => dialog.open), false);
    }));

  test("g and a letter go to a page, ? says which, and all of it can be turned off", (t) =>
    browser.visit(t, grace, async (page) => {
      await page.goto("/console");
      for (const [key, path] of [["p", "plugins"], ["e", "events"], ["a", "audit"], ["u", "users"]]) {
        await page.keyboard.press("g");
        await page.keyboard.press(key);
        await page.waitForURL(`**/console/${path}`);
      }
      await page.keyboard.press("?");
      const keys = page.getByRole("dialog", { name: "Keyboard shortcuts" });
      await keys.waitFor();
      await page.keyboard.press("Escape");

      await page.goto("/console/account");
      await page.getByRole("switch", { name: "Keyboard shortcuts" }).uncheck();
      await page.getByRole("button", { name: "Save appearance" }).click();
      await page.goto("/console");
      await page.keyboard.press("?");
      await page.keyboard.press("g");
      await page.keyboard.press("p");
      await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
      assert.equal(await keys.isVisible(), false);
    }));
});

describe("the navigation", () => {
  test("has at most seven groups; its keys are different, and ? lists them", (t) =>
    browser.visit(t, grace, async (page) => {
      await page.goto("/console");
      const groups = await page.locator("nav[aria-label=Main] li:has(> ul)").count();
      assert.ok(groups <= 7, `${groups} groups`);
      const keys = await page.locator("nav[aria-label=Main] [data-key]").evaluateAll((links) => links.map((link) => link.dataset.key));
      assert.ok(keys.length >= 10, `only ${keys.length} keys`);
      assert.deepEqual([...new Set(keys)], keys, "two pages have the same key");
      const listed = await page.locator("#vv-keys dt").allTextContents();
      for (const key of keys) assert.ok(listed.includes(`g ${key}`), `? does not list g ${key}`);
    }));
});

describe("as one likes it", () => {
  test("the theme that was chosen stays, whatever the system says", (t) =>
    browser.visit(t, { ...grace, colorScheme: "light" }, async (page) => {
      const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      await page.goto("/console/plugins");
      const light = await background();
      await page.getByRole("button", { name: "Theme" }).click();
      await page.getByRole("button", { name: "Dark" }).click();
      const dark = await background();
      assert.notEqual(dark, light);
      await page.goto("/console/account");
      assert.equal(await background(), dark, "the theme does not persist");
      // The server knows it too: the page is dark before any script runs.
      assert.match(await (await page.context().request.get("/console")).text(), /<html[^>]* data-theme="dark"/);
    }));

  test("times are shown in UTC or in the zone of the browser, and the offset stands beside them", (t) =>
    browser.visit(t, grace, async (page) => {
      await page.goto("/console/audit");
      const time = page.getByRole("table", { name: "Audit records" }).locator("time").first();
      const [at, utc] = [await time.getAttribute("datetime"), (await time.textContent()).trim()];
      assert.ok(at.includes(utc.slice(0, 8)), `${utc} is not ${at} in UTC`);
      await page.getByRole("button", { name: /^Local/ }).click();
      const local = (await time.textContent()).trim();
      const [hour] = new Date(at).toLocaleTimeString("en-GB", { timeZone: "America/New_York" }).split(":");
      assert.ok(local.includes(`${hour}:`) && local !== utc, `${local} is not ${at} in New York`);
      await page.reload();
      assert.match((await page.getByRole("table", { name: "Audit records" }).locator("th").nth(1).textContent()).trim(), /[−+]0\d:00/);
      assert.equal(await page.getByRole("button", { name: /^Local/ }).getAttribute("aria-pressed"), "true", "the zone does not persist");
    }));
});

describe("without scripts", () => {
  const plain = { javaScriptEnabled: false };

  test("a person signs in, disables and enables a plugin", (t) =>
    browser.visit(t, plain, async (page) => {
      await page.goto("/console/plugins/hello-lurker");
      await signIn(page);
      await page.getByRole("button", { name: /^Disable/ }).click();
      await page.getByRole("heading", { level: 1, name: /Disabled/ }).waitFor();
      assert.equal((await here.plugin(admin, "hello-lurker")).status, "disabled");
      await page.getByRole("button", { name: /^Enable/ }).click();
      await page.getByRole("heading", { level: 1, name: /Healthy|Active|Unknown/ }).waitFor();
      assert.equal((await here.plugin(admin, "hello-lurker")).status, "active");

      await page.goto("/console/plugins/hello-publisher");
      await page.getByRole("link", { name: /^Disable/ }).click();
      await page.getByRole("heading", { level: 1, name: "Disable Hello Publisher?" }).waitFor();
      await page.getByRole("link", { name: "Cancel" }).click();
      await page.getByRole("heading", { level: 1, name: /Hello Publisher/ }).waitFor();
    }));

  test("a person filters the audit, opens a record and goes back in time", (t) =>
    browser.visit(t, { ...grace, ...plain }, async (page) => {
      await page.goto("/console/audit");
      await page.getByRole("button", { name: "Filter", exact: true }).click();
      await page.getByLabel("Plugin", { exact: true }).selectOption("hello-lurker");
      await page.getByLabel("Outcome", { exact: true }).selectOption("deny");
      await page.getByRole("button", { name: "Apply" }).click();
      await page.waitForURL(/plugin=hello-lurker.*outcome=deny|outcome=deny.*plugin=hello-lurker/);
      const outcomes = await page.locator('td[data-label="Outcome"]').allTextContents();
      assert.ok(outcomes.length > 0 && outcomes.every((text) => text.includes("Denied")));
      await page.getByRole("link", { name: /^Record \d/ }).first().click();
      await page.locator("tr.detail").waitFor();
      await page.getByRole("link", { name: "Clear all" }).click();
      await page.getByRole("link", { name: "Older" }).click();
      await page.waitForURL(/cursor=/);
      await page.getByRole("button", { name: /^Verify/ }).click();
      await page.getByText(/records recomputed in/).waitFor();
    }));

  test("a person chooses the theme and invites somebody", (t) =>
    browser.visit(t, { ...grace, ...plain }, async (page) => {
      await page.goto("/console/account");
      await page.getByLabel("Theme", { exact: true }).last().selectOption("dark");
      await page.getByRole("button", { name: "Save appearance" }).click();
      assert.equal(await page.locator("html").getAttribute("data-theme"), "dark");
      await page.goto("/console/users");
      await page.getByRole("link", { name: /^Invite a person/ }).click();
      await page.getByLabel("E-mail").fill(`plain-${Date.now()}@viewer.test`);
      await page.getByLabel("Name", { exact: true }).fill("Plain Person");
      await page.getByRole("button", { name: "Make the link" }).click();
      assert.match(await page.getByLabel("Invitation link").inputValue(), /\/invite\?token=/);
    }));
});

describe("under a strict policy, within budgets", () => {
  const paths = () => [...walked().map((route) => pages.path(route)), `/console/decisions/${denied.id}`, "/console/nothing-here", "/sign-in"];
  /** reader is who sees a page: whoever is signed in does not see the sign-in page. */
  const reader = (path) => (path === "/sign-in" ? here.api : admin);

  test("every page forbids what is inline or from elsewhere, and has none of it", async () => {
    for (const path of paths()) {
      const { headers, text } = await reader(path).get(path, { Accept: "text/html" });
      const policy = headers.get("content-security-policy");
      assert.match(policy ?? "", /default-src 'none'/, path);
      assert.doesNotMatch(policy, /unsafe|\*|https?:/, path);
      for (const [name, value] of [["x-content-type-options", "nosniff"], ["referrer-policy", "same-origin"], ["x-frame-options", "DENY"], ["cross-origin-opener-policy", "same-origin"]]) assert.equal(headers.get(name), value, `${path}: ${name}`);
      assert.match(headers.get("cache-control") ?? "", /no-store|private/, path);
      for (const inline of [/<script(?![^>]*\ssrc=)[^>]*>/, /<style[\s>]/, /\sstyle\s*=\s*["']/, /\son\w+\s*=\s*["']/, /javascript:/, /(?:src|href)="(?:https?:)?\/\//]) {
        assert.ok(!inline.test(text), `${path} has ${inline}: ${text.match(inline)?.[0]}`);
      }
    }
  });

  test("no page is larger than 60 KB, all scripts together than 60 KB and all styles than 14 KB", async () => {
    const assets = new Map();
    for (const path of paths()) {
      const { text } = await reader(path).get(path, { Accept: "text/html" });
      assert.match(text, /<h1[\s>]/, `${path} has no title without scripts`);
      assert.ok(text.length <= 60 * 1024, `${path} has ${text.length} bytes`);
      for (const [, asset] of text.matchAll(/(?:src|href)="(\/static\/[^"]+\.(?:js|css))"/g)) assets.set(asset, null);
    }
    const size = { js: 0, css: 0 };
    for (const asset of assets.keys()) {
      const answer = await here.api.get(asset);
      assert.match(answer.headers.get("cache-control"), /immutable/, asset);
      size[asset.split(".").pop()] += gzipSync(answer.text, { level: 9 }).length;
    }
    assert.ok(size.js > 0 && size.js <= 60 * 1024, `scripts have ${size.js} bytes`);
    assert.ok(size.css > 0 && size.css <= 14 * 1024, `styles have ${size.css} bytes`);
  });

  test("nothing moves while a page loads", (t) =>
    browser.visit(t, grace, async (page) => {
      await page.addInitScript(() => {
        window.shifts = [];
        new PerformanceObserver((list) => window.shifts.push(...list.getEntries().filter((entry) => !entry.hadRecentInput).map((entry) => entry.value))).observe({ type: "layout-shift", buffered: true });
      });
      for (const path of paths().slice(0, -2)) {
        await page.goto(path, { waitUntil: "load" });
        await page.evaluate(() => document.fonts.ready);
        const shift = await page.evaluate(() => window.shifts.reduce((sum, value) => sum + value, 0));
        assert.ok(shift < 0.01, `${path} shifts by ${shift}`);
      }
    }));
});
