// What people do on many pages.
import assert from "node:assert/strict";
import { administrator } from "./installation.js";

/** signIn fills in the sign-in page, and returns when the console is there. */
export async function signIn(page, { email, password } = administrator) {
  if (!new URL(page.url(), "http://x").pathname.startsWith("/sign-in")) await page.goto("/sign-in");
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.waitForURL(/\/console/);
}

/** signedIn returns what a browser keeps of a person who is signed in. */
export async function signedIn(browser, person = administrator) {
  const context = await browser.chromium.newContext({ baseURL: browser.url });
  await signIn(await context.newPage(), person);
  const state = await context.storageState();
  await context.close();
  return state;
}

/** joins invites somebody, who comes in and chooses a password. */
export async function joins(browser, admin, name, roles) {
  const person = { email: `${name.toLowerCase().replace(/\W+/g, ".")}-${Date.now()}@viewer.test`, name, password: "i only look at things" };
  const { json } = await admin.post("/admin/users", { email: person.email, name, roles });
  const context = await browser.chromium.newContext({ baseURL: browser.url });
  const page = await context.newPage();
  await page.goto(json.invite_url);
  await page.getByLabel("Password").fill(person.password);
  await page.getByRole("button", { name: "Create the account" }).click();
  await page.waitForURL(/\/console|\/sign-in/);
  await context.close();
  return person;
}

/** withoutReload fails when what happens in does loads the page anew. */
export async function withoutReload(page, does) {
  await page.evaluate(() => (window.isStillTheSame = true));
  await does();
  assert.equal(await page.evaluate(() => window.isStillTheSame), true, "the page was loaded anew");
}

/** isLive returns once the page updates itself. */
export function isLive(page) {
  return page.locator("#vv-live", { hasText: /^\s*Live/ }).waitFor();
}
