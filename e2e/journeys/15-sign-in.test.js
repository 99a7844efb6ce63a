// Signing in: an authenticator app and its codes, a recovery code once, a passkey
// in place of the password, and a warning before a session ends for want of use. In
// an installation apart: failed attempts count by address, and other journeys fail, too.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { Browser } from "../browser.js";
import { administrator, apart } from "../installation.js";
import { signIn } from "../people.js";

const here = await apart(after, "sign-in");
// Passkeys are bound to a name, which the address of loopback is not.
const named = here.url.replace("127.0.0.1", "localhost");
const browser = await Browser.open(named);
after(() => browser.close());
before(() => here.setUp());

/** code is what an authenticator app shows for a secret (RFC 6238), some steps from now. */
function code(secret, steps = 0) {
  const bits = [...secret.replaceAll(" ", "")].map((c) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(c).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from(bits.match(/.{8}/g).map((b) => parseInt(b, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac("sha1", key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** forget has the browser lose its session, once its page asks for nothing more. */
async function forget(page) {
  await page.goto("about:blank");
  await page.context().clearCookies();
}

/** typed fills in e-mail and password and sends them. */
async function typed(page) {
  await page.goto("/sign-in");
  await page.getByLabel("E-mail").fill(administrator.email);
  await page.getByLabel("Password").fill(administrator.password);
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
}

let secret, codes;

test("an authenticator app is set up by a code it shows", (t) =>
  browser.visit(t, {}, async (page, guard) => {
    guard.expect(/422/);
    await signIn(page);
    await page.goto("/console/account");
    await page.getByRole("link", { name: /^Set up authenticator app/ }).click();
    const picture = page.getByAltText("The secret as a QR code");
    assert.ok(await picture.evaluate((img) => img.complete && img.naturalWidth > 0), "the QR code is not drawn");
    secret = await page.locator("#totp-secret").textContent();
    await page.getByLabel("Code").fill("000000");
    await page.getByRole("button", { name: "Confirm" }).click();
    await page.getByRole("alert").filter({ hasText: "does not match" }).waitFor();
    await page.getByLabel("Code").fill(code(secret, -1));
    await page.getByRole("button", { name: "Confirm" }).click();
    codes = (await page.getByRole("region", { name: "Recovery codes" }).textContent()).trim().split(/\s+/);
    assert.equal(codes.length, 10);
    await page.getByRole("link", { name: "I kept them" }).click();
    await page.getByText("10 left").waitFor();
  }));

test("from then on a password alone signs nobody in, and a code is good once", (t) =>
  browser.visit(t, {}, async (page, guard) => {
    guard.expect(/401/);
    await typed(page);
    await page.getByRole("heading", { name: "Is it you?" }).waitFor();
    await page.goto("/console");
    await page.waitForURL(/sign-in/);
    await typed(page);
    await page.getByLabel("Code").fill(code(secret, -1));
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").filter({ hasText: "not accepted" }).waitFor();
    await page.getByLabel("Code").fill(code(secret));
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(/\/console/);
  }));

test("a recovery code stands in for it, once", (t) =>
  browser.visit(t, {}, async (page, guard) => {
    guard.expect(/401/);
    await typed(page);
    await page.getByLabel("Code").fill(codes[0]);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(/\/console/);
    await forget(page);
    await typed(page);
    await page.getByLabel("Code").fill(codes[0]);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("alert").filter({ hasText: "not accepted" }).waitFor();
    await page.getByLabel("Code").fill(codes[1]);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(/\/console/);
  }));

test("a passkey is registered, and signs in without a password", (t) =>
  browser.visit(t, {}, async (page) => {
    const device = await page.context().newCDPSession(page);
    await device.send("WebAuthn.enable");
    const { authenticatorId } = await device.send("WebAuthn.addVirtualAuthenticator", {
      options: { protocol: "ctap2", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
    });
    await typed(page);
    await page.getByLabel("Code").fill(codes[2]);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(/\/console/);
    await page.goto("/console/account");
    await page.getByRole("link", { name: "Add a passkey" }).click();
    await page.getByLabel("Name").fill("Laptop");
    await page.getByRole("button", { name: "Add the passkey" }).click();
    await page.waitForURL(/\/console\/account(#|$)/);
    await page.locator("#factors b", { hasText: "Laptop" }).waitFor();

    await forget(page);
    await page.goto("/sign-in");
    const answered = page.waitForRequest((request) => request.method() === "POST" && new URL(request.url()).pathname === "/sign-in/passkey");
    await page.getByRole("button", { name: "Use a passkey" }).click();
    await page.waitForURL(/\/console/);

    // Whoever overheard that answer, cookie and all, gets nothing for it a second time.
    const overheard = await answered;
    const { cookie, origin, "content-type": type } = await overheard.allHeaders();
    const again = await fetch(overheard.url(), { method: "POST", redirect: "manual", headers: { cookie, origin, "content-type": type }, body: overheard.postData() });
    assert.ok(cookie && overheard.postData().includes("credential"), "the answer was not overheard whole");
    assert.doesNotMatch(again.headers.getSetCookie().join("\n"), /vv_session=[^;]/);
    assert.doesNotMatch(again.headers.get("location") ?? "", /\/console/);

    await page.goto("/console/account");
    await page.locator("#sessions").getByText("Passkey").first().waitFor();
    const { credentials } = await device.send("WebAuthn.getCredentials", { authenticatorId });
    assert.deepEqual(credentials.map((c) => [c.rpId, c.signCount > 1]), [["localhost", true]]);
  }));

test("a warning comes before a session ends for want of use", (t) =>
  browser.visit(t, {}, async (page) => {
    await page.clock.install();
    await typed(page);
    await page.getByLabel("Code").fill(codes[3]);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(/\/console/);
    let left = 90;
    await page.route("**/console/session*", (route) => {
      if (route.request().method() === "POST") left = 3600;
      return route.fulfill({ json: { ends_in: left } });
    });
    await page.clock.fastForward("58:00");
    const dialog = page.getByRole("dialog", { name: "Are you still there?" });
    await dialog.getByText(/This one ends in/).waitFor();
    await dialog.getByRole("button", { name: "Stay signed in" }).click();
    await dialog.waitFor({ state: "hidden" });
  }));
