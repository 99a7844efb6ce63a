// Why can't she? From a refusal to the decision, a grant for a day, and success;
// and the other way round: she asks, and a second person says yes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser } from "../browser.js";
import { administrator, installation } from "../installation.js";
import { signedIn, signIn } from "../people.js";

const here = await installation(after);
const browser = await Browser.open(here.url);
after(() => browser.close());

const nora = { email: `nora-${Date.now()}@viewer.test`, name: "Nora Novak", password: "i only look at things" };
let admin, grace, id;
before(async () => {
  await here.setUp();
  admin = await here.signIn();
  const invited = (await admin.post("/admin/users", { email: nora.email, name: nora.name, roles: ["viewer"] })).json;
  id = invited.user.id;
  await browser.visit({ name: "nora comes in" }, {}, async (page) => {
    await page.goto(invited.invite_url);
    await page.getByLabel("Password").fill(nora.password);
    await page.getByRole("button", { name: "Create the account" }).click();
    await page.waitForURL(/\/console|\/sign-in/);
  });
  grace = { storageState: await signedIn(browser) };
});

test("a refusal leads to the decision, a grant for a day, and success: in six clicks", (t) =>
  browser.visit(t, {}, async (hers, guard) => {
    guard.expect(/403/);
    await signIn(hers, nora);
    let clicks = 0;
    const click = (target) => (clicks++, target.click());

    assert.equal((await hers.goto("/console/events")).status(), 403);
    await click(hers.locator("#main").getByRole("link", { name: "Why", exact: true }));
    await hers.waitForURL(/\/console\/decisions\//);
    const decision = new URL(hers.url()).pathname;
    assert.match(await hers.locator("#main").textContent(), /console\.access.*event_viewer is missing/s);
    assert.match(await hers.locator("#main").textContent(), /Comes along with admin/);
    assert.equal(await hers.getByRole("link", { name: /^Grant/ }).count(), 0, "who may not grant is offered to");

    await browser.visit(t, grace, async (desk) => {
      await desk.goto(decision);
      await click(desk.getByRole("link", { name: /^Grant for some days/ }));
      const dialog = desk.getByRole("dialog", { name: "Grant what was missing?" });
      assert.equal(await dialog.getByLabel("For", { exact: true }).inputValue(), "1");
      await dialog.getByLabel("Reason").fill("she watches the events today");
      await click(dialog.getByRole("button", { name: "Grant" }));
      await desk.getByText("It would pass now.").waitFor();
    });

    await hers.goto("/console/events");
    assert.match(hers.url(), /\/sign-in/, "rights changed, and the session goes on");
    await hers.getByLabel("E-mail").fill(nora.email);
    await hers.getByLabel("Password").fill(nora.password);
    await click(hers.getByRole("button", { name: "Sign in" }));
    await hers.getByRole("heading", { level: 1, name: "Events" }).waitFor();
    assert.ok(clicks <= 6, `it took ${clicks} clicks`);

    const [denied] = await admin.audit({ actor: nora.name, action: "event.view", outcome: "deny", limit: "1" });
    assert.equal(`/console/decisions/${denied.id}`, decision);
    const [granted] = await admin.audit({ action: "user.grant", object: id, limit: "1" });
    assert.equal(granted.actor_name, administrator.name);
    assert.match(JSON.stringify(granted.detail), /she watches the events today/);
    await admin.delete(`/admin/users/${id}/traits/event_viewer`);
  }));

test("on a lane, the refusal and what it became are both on record", async () => {
  const call = (api) => api.get("/gateway/hello-publisher/get_profile?id=1");
  const refused = await call(await here.signIn(nora));
  assert.equal(refused.status, 403, `${refused}`);
  const { decision_id: decision } = refused.json;
  const given = await admin.post(`/admin/decisions/${decision}/grant`, { days: 1, reason: "support call" });
  assert.equal(given.status, 201, `${given}`);
  const passed = await call(await here.signIn(nora));
  assert.notEqual(passed.status, 403, `${passed}`);
  const records = await admin.audit({ actor: nora.name, action: "operator.call" });
  assert.ok(records.some(({ id, outcome }) => id === decision && outcome === "deny"));
  assert.ok(records.some(({ outcome }) => outcome === "allow"), "the call that passed is not on record");
});

test("she asks for a trait, and a second person says yes", (t) =>
  browser.visit(t, {}, async (hers, guard) => {
    guard.expect(/403/);
    await signIn(hers, nora);
    await hers.goto("/console/audit");
    await hers.locator("#main").getByRole("link", { name: "Why", exact: true }).click();
    await hers.getByRole("link", { name: /^Request it/ }).click();
    const dialog = hers.getByRole("dialog", { name: "Ask for what was missing?" });
    await dialog.getByLabel("Reason").fill("the report of March");
    await dialog.getByRole("button", { name: "Ask" }).click();
    await hers.getByRole("link", { name: "Your request waits" }).click();
    await hers.getByRole("heading", { level: 1, name: /Nora Novak asks for audit_viewer/ }).waitFor();
    assert.equal(await hers.getByRole("link", { name: /^Approve/ }).count(), 0, "she is offered to decide");

    await browser.visit(t, grace, async (desk) => {
      await desk.goto("/console");
      const waits = desk.getByRole("region", { name: /attention/i }).or(desk.locator("#main")).first();
      assert.match(await waits.textContent(), /wait.? for your word/);
      await desk.getByRole("navigation", { name: "Main" }).getByRole("link", { name: /^Approvals/ }).click();
      const row = desk.getByRole("row", { name: /Nora Novak asks for audit_viewer/ });
      await row.getByRole("link", { name: /^Approve/ }).click();
      const word = desk.getByRole("dialog", { name: /Approve: Nora Novak asks for audit_viewer/ });
      await word.getByLabel("Reason").fill("agreed for the report");
      await word.getByRole("button", { name: "Approve" }).click();
      await desk.locator("#vv-toasts").getByText(/Approved: Nora Novak asks for audit_viewer/).waitFor();
    });

    await hers.goto("/console/approvals");
    await signIn(hers, nora);
    await hers.goto("/console/approvals?tab=mine");
    await hers.getByRole("row", { name: /Nora Novak asks for audit_viewer.*Approved/ }).waitFor();
    await hers.goto("/console/audit");
    await hers.getByRole("heading", { level: 1, name: "Audit" }).waitFor();
    for (const action of ["approval.ask", "approval.approve", "user.grant"]) {
      assert.ok((await admin.audit({ action, limit: "50" })).some(({ object }) => object.includes(id)), `${action} is not on record`);
    }
  }));
