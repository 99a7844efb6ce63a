// Steering: one button closes all three lanes for a plugin at once, another opens
// them again, and the audit has every one of those decisions with its reason.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { Browser } from "../browser.js";
import { artifacts, binary, environment, installation } from "../installation.js";
import { signedIn, withoutReload } from "../people.js";
import { manifest, Plugin } from "../plugin.js";
import { until } from "../until.js";

const here = await installation(after);
const browser = await Browser.open(here.url);
after(() => browser.close());

let admin, grace, parrot;
before(async () => {
  await here.setUp();
  admin = await here.signIn();
  grace = { storageState: await signedIn(browser) };
  await here.alive();
  // It has what the greeter has, and a token that the test holds.
  parrot = await Plugin.register(
    here.url,
    manifest("e2e-parrot", {
      name: "Parrot",
      traits: ["handles_pii", "audit_required", "external_service"],
      dependencies: ["hello-publisher"],
      allowed_domains: ["pages.hello.test"],
      endpoints: { say: { path: "/say", method: "GET", summary: "Says it again", data_classification: ["internal"] } },
      events: { publishes: [{ type: "parrot.said", classification: ["internal"] }], subscribes: ["greeting.requested"], delivery: "stream" },
      security: { authentication_required: true, data_classification: ["pii", "internal"] },
    }),
    (_, response) => response.end('{"said":"hello"}'),
  );
});
after(async () => {
  parrot?.close();
  await admin?.delete("/plugins/e2e-parrot");
});

/** lanes tries everything a plugin and those around it can do, and returns the statuses. */
async function lanes() {
  const site = JSON.parse(here.lines("hello-site").findLast((line) => line.includes('"pages"'))).pages;
  const answers = {
    publish: await parrot.api.post("/messaging/events", { event_type: "parrot.said", payload: {} }),
    call: await parrot.api.get("/gateway/hello-publisher/get_profile?id=ada"),
    egress: await parrot.api.post("/gateway/proxy", { url: `${site}/hello/en`, method: "GET" }),
    heartbeat: await parrot.api.post("/plugins/heartbeat", { status: "healthy" }),
    called: await admin.get("/gateway/e2e-parrot/say"),
  };
  return Object.fromEntries(Object.entries(answers).map(([what, { status, json }]) => [what, status < 300 ? status : `${status} ${json.code}`]));
}

const open = { publish: 202, call: 200, egress: 200, heartbeat: 200, called: 200 };
const closed = { publish: "401 plugin.disabled", call: "401 plugin.disabled", egress: "401 plugin.disabled", heartbeat: "401 plugin.disabled", called: "503 target.disabled" };

test("disabling in the console closes all three lanes at once, and enabling opens them", (t) =>
  browser.visit(t, grace, async (page) => {
    assert.deepEqual(await lanes(), open);
    const heard = [];
    const stream = (async () => {
      for await (const event of parrot.listen("greeting.requested")) heard.push(event);
      return "ended by the core";
    })();
    await until("an event for the parrot", () => heard.length > 0);

    await page.goto("/console/plugins");
    const row = page.getByRole("row", { name: /Parrot/ });
    await withoutReload(page, async () => {
      await row.getByRole("button", { name: /Disable/ }).click();
      await page.locator("#vv-toasts").getByText("Parrot is disabled.").waitFor();
      await row.getByText("Disabled").waitFor();
    });

    // Closed is closed, from the moment the page says so.
    const deaf = heard.length;
    assert.deepEqual(await lanes(), closed);
    assert.equal(await stream, "ended by the core");
    assert.equal((await here.api.post("/plugins/token", { refresh_token: parrot.registration.refresh_token })).status, 403);
    await assert.rejects(parrot.listen("greeting.requested").next(), /401/);
    const [closing] = await admin.audit({ action: "plugin.disable", plugin: "e2e-parrot", limit: "1" });
    await here.alive(); // others go on
    const since = (await admin.audit({ action: "event.deliver", since: closing.at, outcome: "allow" })).filter((record) => record.receivers.includes("e2e-parrot"));
    assert.deepEqual(since, [], "an event was delivered to a disabled plugin");
    assert.equal(heard.length, deaf);

    await withoutReload(page, async () => {
      await row.getByRole("button", { name: /Enable/ }).click();
      await page.locator("#vv-toasts").getByText("Parrot is enabled.").waitFor();
    });
    assert.deepEqual(await lanes(), open, "the same token does not work again");
    const ears = parrot.listen("greeting.requested");
    assert.equal((await ears.next()).value.type, "greeting.requested");
    await ears.return();
  }));

test("the greeter falls silent and greets again; undo takes a disable back", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/plugins/hello-greeter");
    const [before] = await admin.audit({ action: "plugin.disable", plugin: "hello-greeter", limit: "1" });
    await page.getByRole("button", { name: /^Disable/ }).click();
    await page.getByRole("heading", { level: 1, name: /Disabled/ }).waitFor();
    const told = here.lines("hello-greeter").length;
    await until("the greeter to be told so", () => here.lines("hello-greeter").slice(told - 1).some((line) => /plugin\.disabled|closed it/.test(line)));
    const refused = await admin.get("/gateway/hello-greeter/health");
    assert.equal(refused.json.code, "target.disabled", refused);
    assert.ok(refused.json.decision_id);
    const requested = () => here.lines("hello-publisher").filter((line) => line.includes("greeting requested")).length;
    const [was, sent] = [requested(), here.lines("hello-greeter").filter((line) => line.includes(" sent in ")).length];
    await until("two more requests", () => requested() >= was + 2);
    assert.equal(here.lines("hello-greeter").filter((line) => line.includes(" sent in ")).length, sent, "a disabled greeter greeted");

    await page.getByRole("button", { name: /Undo/ }).click();
    await page.getByRole("heading", { level: 1, name: /Healthy|Active|Unknown/ }).waitFor();
    await here.alive();
    const [change] = await admin.audit({ action: "plugin.disable", plugin: "hello-greeter", limit: "1" });
    assert.notEqual(change.seq, before?.seq);
    assert.equal(change.actor_name, "Grace Hopper");
  }));

test("disabling what others depend on asks first, and says whom it hits", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/plugins/hello-publisher");
    await page.getByRole("link", { name: /^Disable/ }).click();
    const dialog = page.getByRole("dialog", { name: /Disable Hello Publisher/ });
    await dialog.waitFor();
    assert.match(await dialog.textContent(), /Hello Greeter/);
    await dialog.getByLabel(/Reason/).fill("only looking");
    await page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
    assert.equal((await here.plugin(admin, "hello-publisher")).status, "active", "cancelling disabled it");
  }));

test("what cannot be undone wants the plugin's name typed", (t) =>
  browser.visit(t, grace, async (page) => {
    await Plugin.register(here.url, manifest("e2e-mayfly", { name: "Mayfly" }));
    await page.goto("/console/plugins/e2e-mayfly");
    await page.getByRole("link", { name: /^Unregister/ }).click();
    const dialog = page.getByRole("dialog");
    const button = dialog.getByRole("button", { name: /Unregister/ });
    assert.equal(await button.isDisabled(), true);
    await dialog.locator("[data-typed]").fill("e2e-mayfl");
    assert.equal(await button.isDisabled(), true);
    await dialog.locator("[data-typed]").fill("e2e-mayfly");
    await button.click();
    await page.waitForURL("**/console/plugins");
    await page.locator("#vv-toasts").getByText("Mayfly is unregistered.").waitFor();
    assert.equal((await admin.get("/plugins/e2e-mayfly")).status, 404);
  }));

test("the audit page has each of these decisions, filtered by plugin and outcome", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/audit");
    const records = page.getByRole("table", { name: "Audit records" });
    await withoutReload(page, async () => {
      await page.getByRole("button", { name: "Filter", exact: true }).click();
      await page.getByLabel("Plugin", { exact: true }).selectOption("e2e-parrot");
      await page.waitForURL(/plugin=e2e-parrot/);
      await page.getByLabel("Outcome", { exact: true }).selectOption("deny");
      await page.waitForURL(/outcome=deny/);
      await page.keyboard.press("Escape");
    });
    for (const chip of [/Plugin\s+is Parrot/, /Outcome\s+is Denied/]) await page.locator(".vv-fchip", { hasText: chip }).waitFor();
    const outcomes = await records.locator('td[data-label="Outcome"]').allTextContents();
    assert.ok(outcomes.length >= 4 && outcomes.every((text) => /Denied/.test(text)), outcomes.join());
    assert.ok(outcomes.some((text) => text.includes("core.active")), `nobody was denied for being disabled: ${outcomes.join()}`);

    // The address is the whole state: somebody else sees the same.
    const address = page.url();
    await page.reload();
    assert.equal(page.url(), address);
    assert.deepEqual(await records.locator('td[data-label="Outcome"]').allTextContents(), outcomes);

    await records.getByRole("row", { name: /operator\.call/ }).first().getByRole("link", { name: /^Record/ }).first().click();
    await page.getByText(/is disabled/).first().waitFor();

    await page.getByRole("link", { name: /Outcome.*remove filter/ }).click();
    await page.waitForURL((url) => !url.search.includes("outcome="));
    await records.getByRole("row", { name: /plugin\.disable.*e2e-parrot|plugin\.disable.*Parrot/ }).first().waitFor();
    await page.getByRole("link", { name: "Clear all" }).click();
    await page.waitForURL((url) => !url.search.includes("plugin="));
  }));

test("a person sees that the chain is whole, and proves it again offline", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/audit?plugin=e2e-parrot");
    await page.getByRole("button", { name: /^Verify/ }).click();
    const chain = page.locator("#chain");
    await chain.getByText(/records recomputed in/).waitFor();
    assert.equal(await chain.getAttribute("data-tone"), "ok", await chain.textContent());
    assert.match(await chain.textContent(), /change/);
    assert.match(await chain.textContent(), /lane\//);

    await page.getByRole("button", { name: "Export this filter" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "As JSON lines" }).click()]);
    const file = join(artifacts, "audit.jsonl");
    await download.saveAs(file);
    const text = readFileSync(file, "utf8");
    assert.ok(text.split("\n").some((line) => line.includes("e2e-parrot")));

    const verify = () => promisify(execFile)(binary, ["audit", "verify", "--file", file], { env: environment() });
    await verify();
    const at = text.indexOf('"e2e-parrot"', text.length / 3) + 1;
    writeFileSync(file, `${text.slice(0, at)}f${text.slice(at + 1)}`);
    await assert.rejects(verify(), (error) => error.code === 1, "one edited byte was not noticed");
  }));
