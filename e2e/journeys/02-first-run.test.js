// The first visit: the one-time link makes the first administrator, who lands on
// an Overview that is already alive.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { Browser } from "../browser.js";
import { administrator, installation, setupToken } from "../installation.js";
import { isLive, signIn, withoutReload } from "../people.js";
import { until } from "../until.js";

const here = await installation(after);
const browser = await Browser.open(here.url);
after(() => browser.close());

const linkFile = join(here.dataDir, "setup-link");

test("while there is nobody to sign in, every way leads to the setup page, which gives nothing away", (t) =>
  browser.visit(t, {}, async (page) => {
    await page.goto("/console/audit?outcome=deny");
    assert.equal(new URL(page.url()).pathname, "/setup");
    assert.ok(!(await page.content()).includes(setupToken), "the page knows the token");
  }));

test("a wrong token makes nobody", (t) =>
  browser.visit(t, {}, async (page, guard) => {
    guard.expect(/4\d\d/);
    await page.goto("/setup?token=guessed-guessed-guessed-guessed-guessed");
    await fillIn(page, { ...administrator, email: "mallory@example.com" });
    await page.getByRole("alert").waitFor();
    assert.ok(existsSync(linkFile), "the link was spent");
  }));

test("the form says what is wrong with a password and keeps the rest", (t) =>
  browser.visit(t, {}, async (page, guard) => {
    guard.expect(/422/);
    await page.goto(readFileSync(linkFile, "utf8").trim());
    await fillIn(page, { ...administrator, password: administrator.email });
    await page.getByRole("alert").waitFor();
    assert.equal(await page.getByLabel("E-mail").inputValue(), administrator.email);
    assert.equal(await page.getByLabel("Password").inputValue(), "");
  }));

test("the link makes the first administrator, who is signed in and sees everything live", (t) =>
  browser.visit(t, {}, async (page) => {
    await page.goto(readFileSync(linkFile, "utf8").trim());
    await fillIn(page, administrator);
    await page.waitForURL("**/console");
    assert.equal(await page.getByRole("heading", { level: 1 }).textContent(), "Overview");

    const plugins = page.getByRole("table", { name: "Plugins" });
    for (const name of ["Hello Publisher", "Hello Greeter", "Hello Lurker"]) {
      await plugins.getByRole("row", { name: new RegExp(`${name}.*Healthy`) }).waitFor();
    }
    await isLive(page);

    await withoutReload(page, async () => {
      const newest = page.locator("#traffic-canonical li a").first();
      const before = await newest.getAttribute("href");
      await until("a newer event", async () => (await newest.getAttribute("href")) !== before);
      // The lurker tries every ten seconds; both of its attempts are denied.
      for (const lane of ["operator", "proxy"]) {
        const traffic = page.locator(`#traffic-${lane}`);
        await traffic.getByText("Allowed").first().waitFor();
        await traffic.locator("li", { hasText: /Hello Lurker[\s\S]*Denied/ }).first().waitFor({ timeout: 15_000 });
      }
    });

    const denied = page.locator("#traffic-operator li", { hasText: "Denied" }).first();
    assert.match(await denied.textContent(), /operator\.grant/, "a denial does not name its rule");
  }));

test("the link is dead afterwards", (t) =>
  browser.visit(t, {}, async (page, guard) => {
    guard.expect(/410/);
    await until("the link's file to be gone", () => !existsSync(linkFile));
    const answer = await page.goto(`/setup?token=${setupToken}`);
    assert.equal(answer.status(), 410);
    await page.getByRole("heading", { name: "Already set up" }).waitFor();
    const again = await here.api.post("/setup", { token: setupToken, ...administrator, email: "mallory@example.com" });
    assert.equal(again.status, 410, again);
  }));

test("signing in leads to where one wanted to go, and signing out ends it", (t) =>
  browser.visit(t, {}, async (page, guard) => {
    guard.expect(/401/);
    assert.equal((await here.api.get("/console/nowhere")).status, 401, "a stranger learns which pages there are");
    await page.goto("/console/audit?outcome=deny");
    assert.match(page.url(), /\/sign-in\?next=%2Fconsole%2Faudit%3Foutcome%3Ddeny$/);
    await page.getByLabel("E-mail").fill(administrator.email);
    await page.getByLabel("Password").fill("not the password");
    await page.getByRole("button", { name: "Sign in" }).click();
    assert.match(await page.getByRole("alert").textContent(), /not accepted/);
    await signIn(page);
    assert.match(page.url(), /\/console\/audit\?outcome=deny$/);

    const { cookies } = await page.context().storageState();
    const session = cookies.find(({ name }) => name.endsWith("vv_session"));
    assert.ok(session.httpOnly && session.sameSite !== "None", "the session's cookie is open to scripts or other sites");

    await page.getByRole("button", { name: /account of Grace Hopper/ }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL("**/sign-in**");
    const stale = await fetch(`${here.url}/console`, { headers: { Cookie: `${session.name}=${session.value}`, Accept: "text/html" }, redirect: "manual" });
    assert.equal(stale.status, 303, "the session outlives signing out");
  }));

test("an address that leads elsewhere is not followed after signing in", (t) =>
  browser.visit(t, {}, async (page) => {
    await page.goto("/sign-in?next=//evil.example/console");
    await signIn(page);
    assert.equal(new URL(page.url()).origin, here.url);
  }));

async function fillIn(page, { email, name, password }) {
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Create the administrator" }).click();
}
