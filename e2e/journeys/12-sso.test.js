// Single sign-on against a real provider, through its own sign-in page: configured in
// the console, the first sign-in makes the person with the mapped role, a removed
// group takes it away at the next, and signing out works from both sides.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser } from "../browser.js";
import { Dex } from "../dex.js";
import { installation } from "../installation.js";
import { signedIn } from "../people.js";
import { until } from "../until.js";

const here = await installation(after);
const browser = await Browser.open(here.url);
after(() => browser.close());

const ada = { id: "ada", username: "ada", password: "an engine of numbers", email: `ada-${Date.now()}@analytical.test`, name: "Ada Lovelace", groups: ["auditors", "engineers"] };
const at = (what) => `${here.url}/auth/oidc/demo/${what}`;
const dex = await Dex.start(
  after,
  { id: "vivified", secret: "the secret of the client", name: "Vivified", redirectURIs: [at("callback")], postLogoutRedirectURIs: [`${here.url}/sign-in`], backchannelLogoutURI: at("backchannel") },
  [ada],
);
let admin, grace, adaState;
before(async () => {
  await here.setUp();
  admin = await here.signIn();
  grace = { storageState: await signedIn(browser) };
});
after(() => admin?.delete("/admin/sso/demo"));

/** adaSignsIn goes from the sign-in page to the provider and back. */
async function adaSignsIn(page) {
  await page.goto("/sign-in");
  await page.getByRole("link", { name: "Continue with Demo" }).click();
  await dex.login(page, ada);
  await page.waitForURL(/\/console/);
}

/** traitsOf returns the traits of whoever a page is signed in as. */
const traitsOf = async (page) => (await (await page.request.get("/auth/me")).json()).traits;

test("a provider is added in the console, its secret shown to nobody", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/sso");
    await page.getByRole("link", { name: "Add a provider" }).click();
    await page.getByLabel("Id", { exact: true }).fill("demo");
    await page.getByLabel("Name", { exact: true }).fill("Demo");
    await page.getByLabel("Issuer").fill(dex.issuer);
    await page.getByLabel("Client id").fill("vivified");
    await page.getByLabel(/^Client secret/).fill(dex.client.secret);
    await page.getByLabel("Claim of rule 1").fill("groups");
    await page.getByLabel("Value of rule 1").fill("auditors");
    await page.getByLabel("What rule 1 gives").selectOption({ label: "Role Auditor" });
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("heading", { level: 1, name: /^Demo/ }).waitFor();
    assert.equal(await page.getByLabel("Redirect URI", { exact: true }).inputValue(), at("callback"));
    assert.ok(!(await page.content()).includes(dex.client.secret), "the client secret is in the page");
    await page.getByRole("button", { name: "Check" }).click();
    await page.getByText("The provider answers as it must").waitFor();
  }));

test("a test of the sign-in shows every step and makes no session", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/sso/demo");
    await page.getByRole("button", { name: "Test sign-in" }).click();
    await dex.login(page, ada);
    await page.getByRole("heading", { level: 1, name: /Test of the sign-in/ }).waitFor();
    const main = await page.locator("#main").textContent();
    for (const step of ["Ask the provider what it is", "Exchange the code", "Verify the ID token", "Map claims to roles", "role auditor", ada.email]) {
      assert.ok(main.includes(step), `the trace does not say: ${step}`);
    }
    assert.match(main, /"sub"/);
    assert.doesNotMatch(main, /"at_hash": "(?!••••)/, "what nobody needs to see is shown");
    assert.equal((await admin.get(`/admin/users?q=${encodeURIComponent(ada.email)}`)).json.items.length, 0, "a test made a person");
    assert.equal((await (await page.request.get("/auth/me")).json()).email, "grace@hopper.test", "a test changed who is signed in");

    await page.goto("/console/sso/demo");
    await page.getByRole("button", { name: /^Use those of/ }).click();
    await page.getByText('It has "auditors".').waitFor();
    await page.getByText("Gives", { exact: true }).waitFor();
  }));

test("the first sign-in makes the person with the mapped role", (t) =>
  browser.visit(t, {}, async (page) => {
    await page.goto("/console/audit");
    assert.match(page.url(), /\/sign-in\?next=/);
    await page.getByRole("link", { name: "Continue with Demo" }).click();
    await dex.login(page, ada);
    await page.waitForURL(/\/console\/audit/);
    await page.getByRole("heading", { level: 1, name: "Audit" }).waitFor();
    assert.ok((await traitsOf(page)).includes("audit_viewer"), "the mapped role is missing");
    adaState = await page.context().storageState();
    const [person] = (await admin.get(`/admin/users?q=${encodeURIComponent(ada.email)}`)).json.items;
    assert.equal(person.source, "oidc");
    const records = await admin.audit({ action: "auth.login", actor: person.id });
    assert.equal(records[0].detail.method, "oidc");
  }));

test("a removed group takes the role away at the next sign-in, and ends other sessions", (t) =>
  browser.visit(t, {}, async (page) => {
    dex.has([{ ...ada, groups: ["engineers"] }]);
    await adaSignsIn(page);
    assert.ok(!(await traitsOf(page)).includes("audit_viewer"), "the role stayed");
    await browser.visit(t, { storageState: adaState }, async (other, guard) => {
      guard.expect(/401/);
      assert.equal((await other.request.get("/auth/me", { headers: { Accept: "application/json" } })).status(), 401, "the session with the old rights goes on");
    });
    dex.has([ada]);
  }));

test("signing out here also signs out at the provider", (t) =>
  browser.visit(t, {}, async (page) => {
    await adaSignsIn(page);
    await page.goto("/console");
    await page.locator("form[action='/sign-out']").evaluate((form) => form.requestSubmit());
    await page.waitForURL(/\/sign-in/);
    await page.getByText("You are signed out.").waitFor();
    await page.getByRole("link", { name: "Continue with Demo" }).click();
    await page.locator("input[name=login]").waitFor(); // the provider asks again
  }));

test("signing out at the provider ends the session here within a second", (t) =>
  browser.visit(t, {}, async (page, guard) => {
    guard.expect(/401/);
    await adaSignsIn(page);
    assert.equal((await page.request.get("/auth/me")).status(), 200);
    const other = await page.context().newPage();
    await other.goto(`${dex.issuer}/logout`);
    await other.locator("button[type=submit]").click();
    await other.waitForLoadState();
    await until("the session to end", async () => (await page.request.get("/auth/me", { headers: { Accept: "application/json" } })).status() === 401, 5_000);
  }));
