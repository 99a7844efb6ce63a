// Watching: what plugins tell each other, who receives it whole, who does not and
// why; and that what was withheld really never arrived.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser } from "../browser.js";
import { installation } from "../installation.js";
import { isLive, signedIn, withoutReload } from "../people.js";
import { manifest, Plugin } from "../plugin.js";
import { until } from "../until.js";

const here = await installation(after);
const browser = await Browser.open(here.url);
after(() => browser.close());

/** people are those the publisher knows. */
const people = /Lovelace|Kowalewskaja|Noether|Germain|Agnesi|Mirzakhani|Cornaro|Ayrton|Chien-Shiung|Katherine|Rózsa|Daubechies|@example\.com/;

let admin, grace;
before(async () => {
  await here.setUp();
  admin = await here.signIn();
  grace = { storageState: await signedIn(browser) };
  await here.alive();
});

test("the tail shows events as they happen, and can be held still", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/events");
    await isLive(page);
    const rows = page.locator("#events-rows tr");
    const newest = () => rows.first().getAttribute("id");
    await withoutReload(page, async () => {
      const first = await newest();
      await until("a newer event on top", async () => (await newest()) !== first);
      for (const type of ["greeting.requested", "greeting.sent"]) await rows.filter({ hasText: type }).first().waitFor();

      await page.getByRole("button", { name: "Pause" }).click();
      const held = await newest();
      await page.getByRole("button", { name: /Resume, [1-9]\d* new/ }).waitFor();
      assert.equal(await newest(), held, "a paused tail moved");
      await page.getByRole("button", { name: /Resume/ }).click();
      await until("what was held back", async () => (await newest()) !== held);
    });
    const ids = await rows.evaluateAll((all) => all.map((row) => row.id));
    assert.equal(new Set(ids).size, ids.length, "an event stands there twice");
  }));

test("the tail keeps to its filter, which lives in the address", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/events?type=greeting.sent");
    await isLive(page);
    const rows = page.locator("#events-rows tr");
    const before = await rows.first().getAttribute("id");
    await until("a newer event", async () => (await rows.first().getAttribute("id")) !== before);
    const types = await rows.locator('td[data-label="Type"]').allTextContents();
    assert.ok(types.length > 0 && types.every((type) => type.trim() === "greeting.sent"), types.join());
    await page.getByRole("link", { name: /remove filter/ }).click();
    await page.waitForURL((url) => !url.search.includes("type="));
  }));

test("an event's page says who received it whole, who did not, and why", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/events?type=greeting.requested");
    await page.locator("#events-rows tr a.vv-mono").nth(1).click();
    await page.getByRole("heading", { level: 1, name: "greeting.requested" }).waitFor();
    const receivers = page.getByRole("table", { name: "Receivers" });
    await receivers.getByRole("row", { name: /Hello Greeter.*Delivered/ }).waitFor();
    const lurker = receivers.getByRole("row", { name: /Hello Lurker/ });
    const told = await lurker.textContent();
    for (const part of [/Redacted/, /without its pii fields/, /email/, /name/, /handles_pii/]) assert.match(told, part);

    // An administrator manages plugins, and still may not read what they carry.
    const payload = page.getByRole("table", { name: "Payload" });
    for (const field of ["name", "email"]) await payload.getByRole("row", { name: new RegExp(`^${field}.*Redacted for you`) }).waitFor();
    assert.ok(!people.test(await page.content()), "a protected value is in the page");

    await page.getByRole("link", { name: "How it was decided" }).click();
    await page.getByRole("heading", { name: "How it was decided" }).waitFor();
    await page.goBack();
    await page.getByRole("link", { name: "Trace", exact: true }).click();
    await page.waitForURL(/traces\/[0-9a-f]{32}/);
    const actions = await page.getByRole("table", { name: "Steps of the trace" }).locator('td[data-label="Action"]').allTextContents();
    for (const action of ["event.publish", "event.deliver", "operator.call", "proxy.request"]) {
      assert.ok(actions.some((text) => text.trim() === action), `the trace does not show ${action}: ${actions.join()}`);
    }
  }));

test("each denial of the lurker is in the audit with its reason and a decision to look up", async () => {
  for (const [action, rule] of [["operator.call", "operator.grant"], ["proxy.request", "proxy.trait"]]) {
    const record = await until(`a denied ${action}`, async () => (await admin.audit({ plugin: "hello-lurker", outcome: "deny", action }))[0], 15_000);
    assert.equal(record.rule, rule);
    const decision = (await admin.get(`/admin/decisions/${record.id}`)).json;
    const denied = decision.detail.reasons.find(({ outcome }) => outcome === "deny");
    assert.equal(denied.rule, rule);
    assert.match(denied.sentence, /hello-lurker/);
    // What the plugin was answered names the same decision.
    assert.ok(here.lines("hello-lurker").some((line) => line.includes(record.id)), "the plugin was told another decision");
  }
});

test("a decision's page is readable by its address", (t) =>
  browser.visit(t, grace, async (page) => {
    const [record] = await admin.audit({ plugin: "hello-lurker", outcome: "deny", action: "proxy.request", limit: "1" });
    await page.goto(`/console/decisions/${record.id}`);
    await page.getByRole("heading", { level: 1, name: /Hello Lurker could not/ }).waitFor();
    await page.getByText("hello-lurker may not reach the outside: external_service is missing.").first().waitFor();
    await page.getByRole("heading", { name: "What would allow it" }).waitFor();
  }));

test("a canary in a protected field reaches those with the trait and nobody else", async () => {
  const canary = `Tweety-${crypto.randomUUID()}`;
  const events = (traits, classes) => ({ traits, security: { authentication_required: true, data_classification: classes } });
  const publisher = await Plugin.register(here.url, manifest("e2e-aviary", {
    ...events(["handles_pii", "audit_required"], ["pii"]),
    events: {
      publishes: [{ type: "greeting.canary", classification: ["pii"], schema: { type: "object", properties: { name: { type: "string", "x-class": "pii" }, cage: { type: "string" }, kin: { type: "array", items: { type: "object", properties: { name: { type: "string", "x-class": "pii" }, age: { type: "integer" } } } } } } }],
    },
  }));
  const listener = (id, more) => Plugin.register(here.url, manifest(id, { ...more, events: { subscribes: ["greeting.canary"], delivery: "stream" } }));
  const keeper = await listener("e2e-keeper", events(["handles_pii", "audit_required"], ["pii"]));
  const burglar = await listener("e2e-burglar", events(["handles_internal"], ["internal"]));
  const plugins = [publisher, keeper, burglar];
  const listening = new AbortController();
  try {
    const heard = new Map([[keeper, []], [burglar, []]]);
    const broken = []; // why a stream is not there any more
    const first = (plugin) => {
      if (broken.length) throw new Error(broken.join("; "));
      return heard.get(plugin)[0];
    };
    for (const [plugin, into] of heard) {
      (async () => {
        for await (const event of plugin.listen("greeting.canary", listening.signal)) into.push(event);
        if (!listening.signal.aborted) broken.push(`the core ended the stream of ${plugin.id}`);
      })().catch((error) => listening.signal.aborted || broken.push(`${plugin.id}: ${error.message}`));
    }
    const sent = await publisher.api.post("/messaging/events", { event_type: "greeting.canary", payload: { name: canary, cage: "3", kin: [{ name: canary, age: 2 }] } });
    assert.equal(sent.status, 202, sent);
    const whole = await until("the keeper to hear of it", () => first(keeper));
    assert.deepEqual(whole.data.data, { name: canary, cage: "3", kin: [{ name: canary, age: 2 }] });
    const rest = await until("the burglar to hear of it", () => first(burglar));
    assert.deepEqual(rest.data.data, { cage: "3", kin: [{ age: 2 }] });
    assert.ok(!rest.raw.includes(canary), "the canary is somewhere in what the burglar received");

    await until("the lurker to hear of it", () => here.lines("hello-lurker").some((line) => line.includes(sent.json.event_id)));
    for (const process of ["hello-lurker", "core"]) assert.ok(!here.lines(process).some((line) => line.includes(canary)), `the canary is in the log of ${process}`);
    assert.ok(!(await admin.get("/admin/audit/export?format=jsonl")).text.includes(canary), "the canary is in the audit");
    const page = await admin.get(`/console/events/${sent.json.event_id}`, { Accept: "text/html" });
    assert.equal(page.status, 200, page);
    assert.ok(!page.text.includes(canary), "the canary is in the page of someone without the trait");
  } finally {
    listening.abort();
    for (const { id } of plugins) await admin.delete(`/plugins/${id}`);
  }
});

test("no name of a person is in anything the lurker ever logged", () => {
  const lines = here.lines("hello-lurker");
  assert.ok(lines.length > 5);
  assert.deepEqual(lines.filter((line) => people.test(line)), []);
});
