// Configuring a plugin: the form its manifest makes, an error at its field, a
// list and a secret; the plugin has it at once, and the secret is on no page.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser } from "../browser.js";
import { installation } from "../installation.js";
import { signedIn } from "../people.js";
import { manifest, Plugin } from "../plugin.js";
import { until } from "../until.js";

const here = await installation(after);
const browser = await Browser.open(here.url);
after(() => browser.close());
const secret = "hunter2-of-the-mail";

let admin, grace, mail;
before(async () => {
  await here.setUp();
  admin = await here.signIn();
  grace = { storageState: await signedIn(browser) };
  mail = await Plugin.register(
    here.url,
    manifest("e2e-mail", {
      name: "Mail",
      config_schema: {
        type: "object",
        required: ["host", "password"],
        properties: {
          host: { type: "string", format: "hostname", title: "Server" },
          password: { type: "string", "x-secret": true, title: "Password" },
          domains: { type: "array", title: "Sender domains", items: { type: "string" } },
          hold: { type: "boolean", title: "Hold" },
          hours: { type: "integer", title: "Hours", "x-show-if": { hold: true } },
        },
      },
    }),
  );
});
after(async () => {
  mail?.close();
  await admin?.post("/plugins/e2e-mail/quarantine", {});
  await admin?.delete("/plugins/e2e-mail");
});

test("a plugin is configured by its form, and has it at once", (t) =>
  browser.visit(t, grace, async (page, guard) => {
    guard.expect(/422/);
    await page.goto("/console/plugins/e2e-mail");
    await page.getByRole("link", { name: "Configuration", exact: true }).last().click();
    await page.getByLabel("Server").fill("not a host");
    await page.getByLabel("Password").fill(secret);
    await page.getByRole("button", { name: "Save changes" }).last().click();
    await page.getByRole("heading", { name: /needs? a correction; nothing was saved/ }).waitFor();
    assert.equal(await page.getByLabel("Server").getAttribute("aria-invalid"), "true");
    assert.ok(!(await page.content()).includes(secret), "a refused form shows the secret");

    await page.getByLabel("Server").fill("mx.example.org");
    await page.getByLabel("Password").fill(secret);
    await page.getByRole("button", { name: "Add" }).first().click();
    await page.getByLabel("Sender domains 1").fill("a.example");
    await page.getByLabel("Password").fill(secret);
    await page.getByRole("button", { name: "Save changes" }).last().click();
    await page.getByText("Set on").waitFor();
    assert.ok(!(await page.content()).includes(secret), "the page shows the secret");
    const own = await until("the plugin's settings", async () => (await mail.api.get("/plugins/e2e-mail/config")).json.settings.password && (await mail.api.get("/plugins/e2e-mail/config")).json.settings);
    assert.deepEqual(own, { domains: ["a.example"], host: "mx.example.org", password: secret, ...(own.hold === undefined ? {} : { hold: false }) });

    await page.goto("/console/secrets");
    await page.getByRole("link", { name: "/password" }).waitFor();
    assert.ok(!(await page.content()).includes(secret), "the list of secrets shows one");
  }));
