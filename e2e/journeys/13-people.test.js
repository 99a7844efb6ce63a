// A person's whole stay: invited by a link, put into a group with a role made for
// it, given a trait for a day, changed together with others, looked as, suspended
// and deleted. The last administrator stays.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser } from "../browser.js";
import { administrator, installation } from "../installation.js";
import { joins, signedIn, signIn } from "../people.js";

const here = await installation(after);
const browser = await Browser.open(here.url);
after(() => browser.close());

const stamp = Date.now();
const role = `Clerk ${stamp}`, group = `Ward ${stamp}`;
let admin, grace, ines, omar, groupAt;
before(async () => {
  await here.setUp();
  admin = await here.signIn();
  grace = { storageState: await signedIn(browser) };
  ines = await joins(browser, admin, "Ines Incoming", []);
  omar = await joins(browser, admin, "Omar Other", []);
});

const idOf = async ({ email }) => (await admin.get(`/admin/users?q=${encodeURIComponent(email)}`)).json.items[0].id;
const toast = (page, text) => page.locator("#vv-toasts").getByText(text).waitFor();

/** asks opens a dialog and gives it to what answers it. */
async function asks(page, link, answers) {
  await page.getByRole("link", { name: link }).first().click();
  const dialog = page.getByRole("dialog");
  await dialog.waitFor();
  await answers(dialog);
}

test("a role of one's own is carried by a group", (t) =>
  browser.visit(t, grace, async (page, guard) => {
    guard.expect(/422/);
    await page.goto("/console/roles");
    await page.getByRole("link", { name: "New role" }).click();
    await page.getByLabel("Label").fill(role);
    await page.getByRole("button", { name: "Make the role" }).click();
    await page.getByRole("alert").getByText(/carries no trait/).waitFor();
    await page.getByRole("checkbox", { name: /^event_viewer/ }).check();
    await page.getByRole("button", { name: "Make the role" }).click();
    await page.getByRole("heading", { level: 1, name: role }).waitFor();

    await page.goto("/console/groups/new");
    await page.getByLabel("Name").fill(group);
    await page.getByRole("checkbox", { name: role }).check();
    await page.getByRole("button", { name: "Make the group" }).click();
    await page.getByRole("heading", { level: 1, name: group }).waitFor();
    groupAt = new URL(page.url()).pathname;
    await page.getByText("Nobody is in it").waitFor();
  }));

test("whoever joins the group for a week has what it carries, and the week counts down", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto(groupAt);
    await asks(page, /^Add a person/, async (dialog) => {
      await dialog.getByLabel("E-mail of the person").fill(ines.email);
      await dialog.getByLabel("For", { exact: true }).selectOption("7");
      await dialog.getByLabel("Reason").fill("November");
      await dialog.getByRole("button", { name: "Add" }).click();
    });
    const row = page.getByRole("table", { name: "Who is in it" }).getByRole("row", { name: new RegExp(ines.email) });
    assert.match(await row.textContent(), /November.*7 days/s);
    await browser.visit(t, {}, async (hers) => {
      await signIn(hers, ines);
      await hers.goto("/console/events");
      await hers.getByRole("heading", { level: 1, name: "Events" }).waitFor();
    });
  }));

test("a trait for a day is shown with its end, and where every trait comes from", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto(`/console/users/${await idOf(ines)}`);
    await asks(page, /^Give a role or trait/, async (dialog) => {
      await dialog.getByLabel("Role or trait").selectOption("traits:audit_viewer");
      await dialog.getByLabel("For", { exact: true }).selectOption("1");
      await dialog.getByLabel("Reason").fill("The report of March");
      await dialog.getByRole("button", { name: "Give" }).click();
    });
    await toast(page, /has the trait audit_viewer for 1 day/);
    const row = page.getByRole("table", { name: "Given by hand" }).getByRole("row", { name: /audit_viewer/ });
    assert.match(await row.textContent(), /The report of March.*1 day/s);
    const effective = await page.getByRole("region", { name: /^Effective traits/ }).textContent();
    assert.match(effective, new RegExp(`event_viewer.*group ${group} → role ${role}`, "s"));
    assert.match(effective, new RegExp(`audit_viewer.*granted by ${administrator.name}: The report of March`, "s"));
  }));

test("several are changed together, and each outcome is told", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/users?q=viewer.test");
    for (const { name, email } of [ines, omar]) await page.getByRole("row", { name: new RegExp(email) }).getByRole("checkbox", { name: `Mark ${name}` }).check();
    await page.getByLabel("With those marked").selectOption("give_role");
    await page.getByRole("button", { name: /^Go on/ }).click();
    const question = page.locator(".vv-dialog");
    await question.getByLabel("Role", { exact: true }).selectOption("viewer");
    await question.getByRole("button", { name: "Give a role" }).click();
    const outcomes = page.getByRole("table", { name: "What became of each" });
    await outcomes.waitFor();
    assert.deepEqual((await outcomes.locator("td[data-label=Outcome]").allTextContents()).map((text) => text.trim()), ["Done", "Done"]);
    assert.deepEqual((await admin.get(`/admin/users/${await idOf(omar)}`)).json.roles, ["viewer"]);
  }));

test("looking as somebody shows what they see, changes nothing, and is on record", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto(`/console/users/${await idOf(omar)}`);
    await asks(page, /^View as/, async (dialog) => {
      await dialog.getByLabel("Reason").fill("He says a page is missing");
      await dialog.getByRole("button", { name: "Start" }).click();
    });
    await page.getByText("You look as Omar Other").waitFor();
    const rail = page.getByRole("navigation", { name: "Main" });
    assert.equal(await rail.getByRole("link", { name: "Users" }).count(), 0, "the rail shows more than he sees");
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByText("You look as Omar Other").waitFor({ state: "detached" });
    assert.equal((await admin.audit({ action: "view_as.start", limit: "1" }))[0].actor_name, administrator.name);
  }));

test("suspended, deleted and gone; the name stays in the audit", (t) =>
  browser.visit(t, grace, async (page) => {
    const id = await idOf(ines);
    await page.goto(`/console/users/${id}`);
    await asks(page, /^Suspend/, async (dialog) => {
      await dialog.getByLabel("Reason").fill("Left");
      await dialog.getByRole("button", { name: "Suspend" }).click();
    });
    await page.getByRole("heading", { level: 1, name: /Suspended/ }).waitFor();
    await asks(page, /^Delete/, async (dialog) => {
      await dialog.getByLabel(/^Type/).fill(ines.email);
      await dialog.getByRole("button", { name: "Delete" }).click();
    });
    await toast(page, "Ines Incoming is deleted.");
    assert.equal((await admin.get(`/admin/users?q=${encodeURIComponent(ines.email)}`)).json.items.length, 0);
    assert.equal((await here.api.post("/auth/login", ines)).status, 401);
    await page.goto(`/console/audit?range=24h&actor=${id}`);
    await page.getByRole("table", { name: "Audit records" }).getByText("Ines Incoming").first().waitFor();
  }));

test("deleting the group and its role says whom it touches", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto(groupAt);
    await asks(page, /^Delete/, async (dialog) => {
      await dialog.getByText("0 people").waitFor();
      await dialog.getByLabel(/^Type/).fill(group);
      await dialog.getByRole("button", { name: "Delete" }).click();
    });
    await toast(page, `The group ${group} is deleted.`);
    await page.goto("/console/roles");
    await page.getByRole("table", { name: "People by role" }).getByRole("link", { name: role }).click();
    await asks(page, /^Delete/, async (dialog) => {
      await dialog.getByRole("button", { name: "Delete" }).click();
    });
    await toast(page, `The role ${role} is deleted.`);
  }));

test("the last administrator cannot lock himself out", (t) =>
  browser.visit(t, grace, async (page, guard) => {
    guard.expect(/422/);
    await page.goto(`/console/users/${(await admin.get("/auth/me")).json.id}`);
    for (const name of [/^Suspend/, /^Delete/]) assert.equal(await page.getByRole("button", { name }).isDisabled(), true, `${name} is offered`);
    await page.getByRole("checkbox", { name: /^Administrator/ }).uncheck();
    await page.getByRole("button", { name: "Save roles" }).click();
    await page.getByText(/the last active administrator/).waitFor();
    assert.ok((await admin.get("/auth/me")).json.traits.includes("admin"));
  }));

test("a registration token is shown once, and ends when it is revoked", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/registration-tokens");
    await asks(page, /^New token/, async (dialog) => {
      await dialog.getByLabel("Label").fill(`look ${stamp}`);
      await dialog.getByRole("button", { name: "Make the token" }).click();
      await page.getByRole("dialog", { name: "The token is ready" }).waitFor();
    });
    const secret = await page.getByLabel("Registration token", { exact: true }).inputValue();
    assert.match(secret, /^vvp_/);
    await page.getByRole("link", { name: "Done" }).click();
    const row = page.getByRole("table", { name: "Registration tokens" }).getByRole("row", { name: new RegExp(`look ${stamp}`) });
    await row.getByText("Open").waitFor();
    assert.ok(!(await page.content()).includes(secret), "the token is shown again");
    await row.getByRole("link", { name: /^Revoke/ }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await row.getByText("Revoked").waitFor();
  }));
