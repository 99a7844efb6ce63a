// People: invited by a link, seeing only what their traits let them see, told why
// where something is not for them, and gone at once when they are suspended.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser } from "../browser.js";
import { administrator, installation } from "../installation.js";
import { signedIn, signIn } from "../people.js";
import { until } from "../until.js";

const here = await installation(after);
const browser = await Browser.open(here.url);
after(() => browser.close());

const viola = { email: `viola-${Date.now()}@viewer.test`, name: "Viola Viewer", password: "i only look at things" };
let admin, grace, link, violaState;
before(async () => {
  await here.setUp();
  admin = await here.signIn();
  grace = { storageState: await signedIn(browser) };
});

test("inviting a person makes a link that is shown once", (t) =>
  browser.visit(t, grace, async (page, guard) => {
    guard.expect(/422/);
    await page.goto("/console/users");
    await page.getByRole("link", { name: /^Invite a person/ }).click();
    const dialog = page.getByRole("dialog", { name: "Invite a person" });
    await dialog.getByLabel("E-mail").fill("not an address@");
    await dialog.getByLabel("Name").fill(viola.name);
    // What the browser would refuse by itself reaches the server here.
    await dialog.locator("form").evaluate((form) => (form.noValidate = true));
    await dialog.getByRole("button", { name: "Make the link" }).click();
    await dialog.getByRole("alert").waitFor();
    assert.equal(await dialog.getByLabel("Name").inputValue(), viola.name, "what was typed is lost");

    await dialog.getByLabel("E-mail").fill(viola.email);
    await dialog.getByRole("checkbox", { name: /^Viewer/ }).check();
    await dialog.getByRole("button", { name: "Make the link" }).click();
    const ready = page.getByRole("dialog", { name: "The invitation is ready" });
    link = await ready.getByLabel("Invitation link").inputValue();
    assert.ok(link.startsWith(`${here.url}/invite?token=`), link);
    await ready.getByRole("link", { name: "Done" }).click();
    await page.getByRole("row", { name: new RegExp(`${viola.email}.*Invited`) }).waitFor();
    const [, token] = link.split("token=");
    assert.ok(!(await page.content()).includes(token), "the link is shown again");
    assert.ok(!(await admin.get("/admin/audit/export?format=jsonl&since=" + new Date(Date.now() - 60_000).toISOString())).text.includes(token), "the link is in the audit");
  }));

test("the link makes the account, once", (t) =>
  browser.visit(t, {}, async (page, guard) => {
    guard.expect(/4(10|04|22)/);
    await page.goto(link);
    assert.match(await page.locator("#main").textContent(), new RegExp(`invited.*${viola.email} as Viewer`));
    await page.getByLabel("Password").fill(viola.password);
    await page.getByRole("button", { name: "Create the account" }).click();
    await page.waitForURL(/\/console|\/sign-in/);
    if (page.url().includes("/sign-in")) await signIn(page, viola);
    violaState = await page.context().storageState();
    await page.goto(link);
    await page.getByRole("heading", { name: "This invitation no longer works" }).waitFor();
  }));

test("a viewer sees fewer pages, and what is not for them is disabled with the reason", (t) =>
  browser.visit(t, { storageState: violaState }, async (page) => {
    await page.goto("/console");
    const rail = page.getByRole("navigation", { name: "Main" });
    const links = await rail.getByRole("link").allTextContents();
    for (const hidden of ["Audit", "Users", "Events"]) assert.ok(!links.some((text) => text.trim() === hidden), `a viewer is shown ${hidden}`);
    await page.goto("/console/plugins/hello-lurker");
    const disable = page.getByRole("button", { name: /^Disable/ });
    assert.equal(await disable.isDisabled(), true);
    const reason = await page.locator(`#${await disable.getAttribute("aria-describedby")}`).textContent();
    assert.match(reason, /plugin_manager/);
    assert.match(reason, /Grace Hopper/);
  }));

test("a page that is not for them says why, and leads to the decision", (t) =>
  browser.visit(t, { storageState: violaState }, async (page, guard) => {
    guard.expect(/403/);
    const answer = await page.goto("/console/audit");
    assert.equal(answer.status(), 403);
    const main = page.locator("#main");
    assert.match(await main.textContent(), /audit_viewer/);
    await main.getByRole("link", { name: /^[0-9a-f]{8}/ }).click();
    await page.waitForURL(/\/console\/decisions\//);
    await page.getByRole("heading", { level: 1, name: /Denied/ }).waitFor();
    await page.getByRole("heading", { name: "What would allow it" }).waitFor();
    assert.match(await main.textContent(), /audit_viewer/);
    assert.match(await main.textContent(), /Anybody with user_manager/);

    const [record] = await admin.audit({ action: "audit.read", outcome: "deny", limit: "1" });
    assert.equal(record.actor_name, viola.name);
  }));

test("what a viewer may not do is refused behind the page, too", async () => {
  const api = await here.signIn(viola);
  assert.equal((await api.get("/plugins")).status, 200);
  for (const [method, path] of [["POST", "/plugins/hello-lurker/disable"], ["DELETE", "/plugins/hello-lurker"], ["GET", "/admin/users"], ["GET", "/admin/audit"], ["POST", "/admin/grants"], ["PUT", "/plugins/hello-lurker/config"]]) {
    const answer = await api.ask(method, path, method === "GET" ? undefined : {});
    assert.equal(answer.status, 403, `${method} ${path}: ${answer}`);
    assert.ok(answer.json.decision_id, `${method} ${path} names no decision`);
  }
  const { pages } = (await api.get("/admin/features")).json;
  assert.deepEqual(pages.map(({ page }) => page), ["Overview", "Approvals", "Installed plugins", "API keys", "Configuration", "Account"]);
});

test("a role that is given ends the open sessions, and the next one shows what it opens", (t) =>
  browser.visit(t, { storageState: violaState }, async (page) => {
    const person = (await admin.get(`/admin/users?q=${encodeURIComponent(viola.email)}`)).json.items[0];
    await browser.visit(t, grace, async (desk) => {
      await desk.goto(`/console/users/${person.id}`);
      await desk.getByRole("checkbox", { name: /^Auditor/ }).check();
      await desk.getByRole("button", { name: "Save roles" }).click();
      await desk.locator("#vv-toasts").getByText(/roles of Viola Viewer are saved/).waitFor();
    });
    await page.goto("/console/audit");
    assert.match(page.url(), /\/sign-in/, "a session goes on with what it was given before");
    await signIn(page, viola);
    await page.getByRole("heading", { level: 1, name: "Audit" }).waitFor();

    await admin.patch(`/admin/users/${person.id}`, { roles: ["viewer"] });
    violaState = await signedIn(browser, viola);
  }));

test("an API key is shown once, carries what was chosen, and ends when it is revoked", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/account");
    await page.getByRole("link", { name: /^New key/ }).click();
    const dialog = page.getByRole("dialog", { name: "New API key" });
    await dialog.getByLabel("Name").fill("nightly report");
    await dialog.getByLabel("Expires").selectOption({ index: 1 });
    await dialog.getByRole("checkbox", { name: /^viewer/ }).check();
    await dialog.getByRole("button", { name: "Create the key" }).click();
    const ready = page.getByRole("dialog", { name: "The key is ready" });
    const secret = await ready.getByLabel("API key").inputValue();
    await ready.getByRole("link", { name: "Done" }).click();
    const row = page.getByRole("table", { name: "API keys" }).getByRole("row", { name: /nightly report/ });
    await row.getByText("never").waitFor();
    assert.ok(!(await page.content()).includes(secret), "the key is shown again");

    for (const credential of [{ "X-API-Key": secret }, { Authorization: `Bearer ${secret}` }]) {
      const key = here.api.as(credential);
      assert.equal((await key.get("/plugins")).status, 200);
      assert.equal((await key.get("/admin/users")).status, 403, "a key carries more than was chosen");
    }
    await page.reload();
    assert.equal(await row.getByText("never").count(), 0, "its last use is not shown");

    await row.getByRole("link", { name: /^Revoke/ }).click();
    await page.getByRole("dialog").getByRole("button", { name: /^Revoke/ }).click();
    await row.getByText("Revoked").waitFor();
    assert.equal((await here.api.as({ "X-API-Key": secret }).get("/plugins")).status, 401);
  }));

test("suspending ends every session at once, and restoring does not bring them back", (t) =>
  browser.visit(t, { storageState: violaState }, async (page, guard) => {
    await page.goto("/console");
    const token = await here.signIn(viola);
    const person = (await admin.get(`/admin/users?q=${encodeURIComponent(viola.email)}`)).json.items[0];
    await browser.visit(t, grace, async (desk) => {
      await desk.goto("/console/users");
      await desk.getByRole("row", { name: new RegExp(viola.email) }).getByRole("link", { name: /^Suspend/ }).click();
      await desk.getByRole("dialog").getByRole("button", { name: /^Suspend/ }).click();
      await desk.getByRole("row", { name: new RegExp(`${viola.email}.*Suspended`) }).waitFor();
    });
    guard.expect(/401|403|ERR_/);
    assert.equal((await token.get("/auth/me")).status, 401, "a token outlives its person");
    await page.waitForURL(/\/sign-in/, { timeout: 15_000 }).catch(() => page.goto("/console/plugins"));
    assert.match(page.url(), /\/sign-in/);
    assert.equal((await here.api.post("/auth/login", viola)).status, 401);

    assert.equal((await admin.patch(`/admin/users/${person.id}`, { status: "active" })).status, 200);
    assert.equal((await token.get("/auth/me")).status, 401, "restoring brought a session back");
    await signIn(page, viola);
  }));

test("a new password ends the other sessions, and the old one is worth nothing", (t) =>
  browser.visit(t, {}, async (page, guard) => {
    guard.expect(/422|401/);
    await signIn(page, viola);
    const elsewhere = await signedIn(browser, viola);
    await page.goto("/console/account");
    const sessions = page.getByRole("table", { name: "Sessions" }).getByRole("row");
    assert.ok((await sessions.count()) >= 3, "the other session is not listed"); // with the head
    const change = async (current, next) => {
      await page.getByLabel("Current password").fill(current);
      await page.getByLabel("New password").fill(next);
      await page.getByRole("button", { name: "Change password" }).click();
    };
    await change("not my password", "i look at other things");
    await page.getByRole("alert").waitFor();
    await change(viola.password, "i look at other things");
    await page.locator("#vv-toasts [data-toast]").waitFor();
    await until("one session to be left", async () => (await sessions.count()) === 2);

    await browser.visit(t, { storageState: elsewhere }, async (other) => {
      await other.goto("/console/account");
      assert.match(other.url(), /\/sign-in/, "the other session goes on");
    });
    assert.equal((await here.api.post("/auth/login", viola)).status, 401);
    assert.equal((await here.api.post("/auth/login", { ...viola, password: "i look at other things" })).status, 200);
  }));

test("nobody locks themselves out", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/users");
    const own = page.getByRole("row", { name: new RegExp(administrator.email) }).getByRole("button", { name: /^Suspend/ });
    assert.equal(await own.isDisabled(), true);
    const me = (await admin.get("/auth/me")).json;
    assert.equal((await admin.patch(`/admin/users/${me.id}`, { status: "suspended" })).status, 409);
    assert.ok([409, 403].includes((await admin.patch(`/admin/users/${me.id}`, { roles: [] })).status), "the last administrator gave the role away");
  }));

test("guessing passwords is slowed down, without a hint whether the account exists", async () => {
  const tries = async (email) => {
    for (let n = 1; n <= 40; n++) {
      const answer = await here.api.post("/auth/login", { email, password: `guess number ${n}` });
      if (answer.status === 429) return { retry: Number(answer.headers.get("retry-after")) > 0, before: n };
      assert.equal(answer.status, 401, answer);
    }
    return { retry: false };
  };
  const known = await tries("nobody-there@viewer.test");
  const unknown = await tries("nobody-else@viewer.test");
  assert.equal(known.retry, true, "guessing is never slowed down");
  assert.deepEqual(known, unknown);
});
