// A plugin is installed safely: what it may do is seen before, what the rules keep
// out says why, and progress is not lost by looking away.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser } from "../browser.js";
import { keyPair, pack } from "../bundle.js";
import { installation } from "../installation.js";
import { signedIn } from "../people.js";
import { manifest } from "../plugin.js";
import { until } from "../until.js";

const here = await installation(after);
const browser = await Browser.open(here.url);
after(() => browser.close());
const key = keyPair();
const desk = manifest("e2e-desk-shelf", {
  name: "Front Desk", description: "Takes people in.", publisher: "Acme",
  traits: ["handles_pii", "audit_required", "external_service"], allowed_domains: ["api.desk.test"],
  security: { authentication_required: true, data_classification: ["pii"] },
  events: { subscribes: ["visit.*"], delivery: "stream" },
});

let admin, grace;
before(async () => {
  await here.setUp();
  admin = await here.signIn();
  grace = { storageState: await signedIn(browser) };
});
after(async () => {
  await admin.put("/admin/config", { key: "marketplace_signatures", value: 0 });
  await admin.delete("/plugins/e2e-desk-shelf");
  for (const { versions } of (await admin.get("/admin/marketplace")).json.items) {
    for (const { id, digest } of versions) if (id.startsWith("e2e-")) await admin.delete(`/admin/marketplace/bundles/${digest}`);
  }
  for (const { id, name, revoked_at } of (await admin.get("/admin/marketplace/keys")).json.items) {
    if (name === "Acme releases" && !revoked_at) await admin.post(`/admin/marketplace/keys/${id}/revoke`, { reason: "the end of the test" });
  }
});

test("a file is imported, reviewed and installed in the browser", (t) =>
  browser.visit(t, grace, async (page) => {
    await page.goto("/console/marketplace");
    await page.getByRole("link", { name: "Import a file" }).click();
    await page.getByLabel("File").setInputFiles({ name: "desk.vvplugin", mimeType: "application/octet-stream", buffer: pack(desk, { "README.md": "# Front desk\n<script>alert(1)</script>" }, key.privateKey) });
    await page.getByRole("button", { name: "Import" }).click();
    await page.getByRole("heading", { level: 1, name: "Front Desk" }).waitFor();

    const may = page.getByRole("region", { name: "What it may do once enabled" });
    for (const told of [/Holds sensitive data/, /Receives\s*visit\.\*/, /Asks to reach\s*api\.desk\.test/]) await may.getByRole("listitem").filter({ hasText: told }).waitFor();
    assert.match(await page.getByRole("region", { name: "Risk score" }).textContent(), /is signed by no key/i);
    await page.getByText("<script>alert(1)</script>").waitFor(); // a README is text

    // One signature is asked for, and nobody trusts this key yet.
    await admin.put("/admin/config", { key: "marketplace_signatures", value: 1 });
    await page.reload();
    await page.getByRole("heading", { name: "It may not be installed" }).waitFor();
    assert.equal(await page.getByRole("button", { name: /^Install/ }).count(), 0);

    await page.goto("/console/marketplace/keys/new");
    await page.getByLabel("Whose key").fill("Acme releases");
    await page.getByLabel("Public key").fill(key.publicKey);
    await page.getByRole("button", { name: "Trust the key" }).click();
    await page.getByText("Signatures of Acme releases count from now on.").waitFor();

    await page.goto("/console/marketplace?trait=handles_pii");
    await page.getByRole("link", { name: "Front Desk", exact: true }).click();
    await page.getByLabel("Enable it as well").check();
    await page.getByRole("button", { name: "Install 1.0.0" }).click();
    await page.getByRole("heading", { level: 1, name: /Install e2e-desk-shelf/ }).waitFor();
    await page.reload(); // whoever looks away finds it again
    await page.getByRole("link", { name: "Open e2e-desk-shelf" }).waitFor();
    await page.getByText("Every file has its digest. Signed by Acme releases.").waitFor();
    await page.getByRole("link", { name: "Open e2e-desk-shelf" }).click();
    await page.getByRole("heading", { level: 1, name: /Front Desk/ }).waitFor();
    await until("the plugin is active", async () => (await admin.get("/plugins/e2e-desk-shelf")).json.status === "active");
  }));

test("what is no plugin is refused with a sentence, and nothing of it stays", (t) =>
  browser.visit(t, grace, async (page, guard) => {
    guard.expect(/422/);
    await page.goto("/console/marketplace/import");
    await page.getByLabel("File").setInputFiles({ name: "x.vvplugin", mimeType: "application/octet-stream", buffer: Buffer.from("not a plugin at all") });
    await page.getByRole("button", { name: "Import" }).click();
    await page.getByText("The file was not taken").waitFor();
    await page.getByText(/The bundle cannot be read/).waitFor();
    const [record] = await admin.audit({ action: "marketplace.import", limit: "1" });
    assert.equal(record.rule, "bundle.malformed");
  }));
