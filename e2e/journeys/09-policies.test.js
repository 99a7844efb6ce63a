// Rules of one's own: written with a mistake, held to a test, replayed on what
// the samples really did, published, felt at once, and taken back.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser } from "../browser.js";
import { installation } from "../installation.js";
import { signedIn } from "../people.js";
import { until } from "../until.js";

const here = await installation(after);
const browser = await Browser.open(here.url);
after(() => browser.close());

const rule = `@id("quiet")
@reason("The greeter is to leave profiles alone.")
forbid (
  principal == Plugin::"hello-greeter",
  action == Action::"operator.call",
  resource == Operation::"hello-publisher/get_profile"
);
`;
const request = {
  action: "operator.call",
  subject: { kind: "plugin", id: "hello-greeter", tenant: "default", state: "active", traits: ["handles_pii", "audit_required"] },
  target: { kind: "plugin", id: "hello-publisher", tenant: "default", state: "active", traits: [] },
  resource: { name: "get_profile", classes: ["pii"], declared: true, granted: true },
};

let admin, grace;
before(async () => {
  await here.setUp();
  admin = await here.signIn();
  grace = { storageState: await signedIn(browser) };
  await here.alive(); // there is something to replay
  const draft = (await admin.get("/admin/policies/draft")).json;
  const saved = await admin.put("/admin/policies/draft", { revision: draft.revision, text: "// No rules yet.\n", tests: [] });
  const first = await admin.post("/admin/policies/publish", { revision: saved.json.revision, comment: "A beginning" });
  assert.equal(first.status, 201, `${first}`);
});

test("a mistake is shown at its line, and nothing is saved", (t) =>
  browser.visit(t, grace, async (page, guard) => {
    guard.expect(/422/);
    await page.goto("/console/policies");
    await page.getByRole("link", { name: "Draft" }).click();
    const text = page.getByLabel("Rules in Cedar");
    await text.fill(rule.replace("forbid", "forbit"));
    await page.getByRole("button", { name: "Save the draft" }).click();
    const summary = page.getByRole("alert").filter({ hasText: "nothing was saved" });
    await summary.waitFor();
    assert.ok(await summary.evaluate((it) => it === document.activeElement), "the summary does not take the focus");
    assert.match(await text.inputValue(), /forbit/, "what was typed is lost");
    await summary.getByRole("link", { name: /^Line 3/ }).click();
    const marked = await text.evaluate((it) => it === document.activeElement && it.value.slice(it.selectionStart, it.selectionEnd));
    assert.match(String(marked), /^forbit/, "the link does not lead to the line");

    await text.fill(rule);
    await page.getByRole("button", { name: "Save the draft" }).click();
    await page.getByText("The draft is saved. It has no tests yet.").waitFor();
    await page.getByRole("link", { name: "admin.quiet" }).waitFor();
  }));

test("nothing is published while a test fails", (t) =>
  browser.visit(t, grace, async (page, guard) => {
    guard.expect(/422/);
    await page.goto("/console/policies/tests");
    await page.getByRole("link", { name: "Add a test" }).click();
    await page.getByLabel("What it shows").fill("The greeter reads profiles");
    await page.getByLabel("Request, as JSON").fill(JSON.stringify(request));
    await page.getByLabel("Has to be decided").selectOption("allow");
    await page.getByRole("button", { name: "Save the test" }).click();
    await page.getByText("It should allow, and the rules deny by admin.quiet.").waitFor();
    await page.getByRole("link", { name: /^Publish/ }).click();
    const dialog = page.getByRole("dialog", { name: "Publish the draft?" });
    await dialog.getByRole("button", { name: "Publish" }).click();
    await dialog.getByRole("alert").filter({ hasText: "The greeter reads profiles" }).waitFor();
    await dialog.getByRole("link", { name: "Cancel" }).click();

    await page.getByRole("link", { name: "Edit The greeter reads profiles" }).click();
    await page.getByLabel("Has to be decided").selectOption("deny");
    await page.getByLabel("By the rule").fill("admin.quiet");
    await page.getByRole("button", { name: "Save the test" }).click();
    await page.getByText("all 1 pass").waitFor();
  }));

test("a replay says what the draft would have changed", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/policies/shadow");
    await page.getByRole("button", { name: "Replay" }).click();
    const row = page.getByRole("table", { name: "Kinds of change" }).getByRole("row", { name: /Hello Greeter.*Denied/ });
    await row.filter({ hasText: "admin.quiet" }).first().waitFor({ timeout: 20_000 });
    await page.getByText("Done").first().waitFor();
    await row.first().getByRole("link").filter({ hasNotText: "Make it a test" }).last().click();
    await page.getByRole("heading", { name: /Hello Greeter called get_profile/ }).waitFor();
  }));

test("what is published counts at once, says why, and can be taken back", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/policies/draft");
    await page.getByRole("link", { name: /^Publish/ }).click();
    const dialog = page.getByRole("dialog", { name: "Publish the draft?" });
    assert.match(await dialog.textContent(), /all 1 pass.*decisions? changes?.*forbid/s);
    await dialog.getByLabel("Comment").fill("Profiles are private");
    await dialog.getByRole("button", { name: "Publish" }).click();
    await page.getByText(/Version \d+ is in force\./).first().waitFor();

    const began = new Date(Date.now() - 60_000).toISOString();
    const denied = await until("the greeter to be refused", async () => (await admin.audit({ since: began, rule: "admin.quiet", outcome: "deny" }))[0]);
    await page.goto(`/console/decisions/${denied.id}`);
    await page.getByRole("heading", { name: /Hello Greeter could not call get_profile/ }).waitFor();
    await page.getByText("The greeter is to leave profiles alone.").first().waitFor();

    await page.goto("/console/policies/versions");
    await page.getByRole("row", { name: /A beginning/ }).getByRole("link", { name: /^Restore/ }).click();
    await page.getByRole("dialog").getByRole("button", { name: /^Restore version/ }).click();
    await page.getByRole("row", { name: /in force.*Brings back version/ }).waitFor();
    await here.alive();
  }));
