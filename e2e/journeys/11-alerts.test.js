// Somebody tries passwords: an alert opens by itself, the bell counts it, a person
// silences and acknowledges it, and the audit shows every step as it is written.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser } from "../browser.js";
import { installation } from "../installation.js";
import { signedIn } from "../people.js";
import { until } from "../until.js";

const here = await installation(after);
const browser = await Browser.open(here.url);
after(() => browser.close());

let admin, grace;
before(async () => {
  await here.setUp();
  admin = await here.signIn();
  grace = { storageState: await signedIn(browser) };
});

const failures = async (n) => {
  for (let i = 0; i < n; i++) {
    await fetch(`${here.url}/auth/login`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ email: `nobody-${i}@example.org`, password: "guessed wrong" }),
    });
  }
};

test("an alert opens, tells why, and is silenced and acknowledged", (t) =>
  browser.visit(t, grace, async (page) => {
    await failures(12);
    await until("the alert is open", async () => (await admin.get("/admin/alerts?rule=core.sign-in-failed")).json.items.length > 0);
    await page.goto("/console");
    await page.getByRole("link", { name: /open alert/ }).click();
    await page.getByRole("link", { name: "Sign-ins fail again and again: 127.0.0.1", exact: true }).click();
    await page.getByText("One address tries passwords.").waitFor();
    await page.getByRole("link", { name: "All like these" }).waitFor();

    await page.getByRole("link", { name: "Silence…" }).click();
    await page.getByLabel("Reason").fill("A test of the doors.");
    await page.getByRole("dialog").getByRole("button", { name: "Silence" }).click();
    await page.getByText("is silenced.").waitFor();
    await page.getByRole("link", { name: "Acknowledge…" }).click();
    await page.getByLabel("Note").fill("It is us.");
    await page.getByRole("dialog").getByRole("button", { name: "Acknowledge" }).click();
    await page.getByText("It is us.").waitFor();
  }));

test("a rule is tried on the past before it is added", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/alerts/rules/new");
    await page.getByLabel("Name").fill("Any failed sign-in");
    await page.getByLabel("Action").first().fill("auth.login");
    await page.getByLabel("Outcome").first().selectOption("failed");
    await page.getByRole("button", { name: "Try on the past" }).click();
    await page.getByText("would have been opened").waitFor();
    await page.getByText("Nothing was saved, and nobody was told.").waitFor();
    await page.getByRole("button", { name: "Add the rule" }).click();
    await page.getByText("Any failed sign-in is added.").waitFor();
  }));

test("the audit shows records as they are written, and waits while somebody reads", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/audit?action=auth.login&outcome=failed");
    await page.locator("#vv-live").getByText("Live").waitFor();
    const rows = page.locator("#audit-rows > tr");
    const before = await rows.count();
    await failures(1);
    await until("the row is there", async () => (await rows.count()) > before);
    await page.getByRole("button", { name: "Pause" }).click();
    const shown = await rows.count();
    await failures(1);
    await page.getByRole("button", { name: /Resume, \d+ new/ }).waitFor();
    assert.equal(await rows.count(), shown, "rows came although it was held still");
    await page.getByRole("button", { name: /Resume/ }).click();
    await until("the rest is there", async () => (await rows.count()) > shown);
  }));
