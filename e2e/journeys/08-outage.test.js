// When the database is away: nothing is let through that cannot be recorded,
// everybody is told so soon, and it goes on by itself.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser } from "../browser.js";
import { Installation } from "../installation.js";
import { signedIn } from "../people.js";
import { manifest, Plugin } from "../plugin.js";
import { until } from "../until.js";

const here = await Installation.prepare("outage");
const browser = await Browser.open(here.url);
after(async () => {
  await browser.close();
  await here.remove();
});

const answersWithin = 17_000;
let admin, grace, caller, target;
let reached = 0;
before(async () => {
  await here.start().ready();
  await here.setUp();
  admin = await here.signIn();
  grace = { storageState: await signedIn(browser) };
  target = await Plugin.register(
    here.url,
    manifest("e2e-target", { endpoints: { ping: { path: "/ping", method: "POST", summary: "Counts", data_classification: ["internal"] } } }),
    (_, response) => {
      reached++;
      response.end("{}");
    },
  );
  caller = await Plugin.register(here.url, manifest("e2e-caller", { dependencies: ["e2e-target"], events: { publishes: [{ type: "caller.called", classification: ["internal"] }] } }));
});
after(() => target?.close());

/** database are the processes of the database server. */
const database = () => here.processes().filter(({ command }) => /postgres/.test(command));

test("while the database hangs, nothing passes and everybody is told within seconds", (t) =>
  browser.visit(t, grace, async (page, guard) => {
    const ping = () => caller.api.post("/gateway/e2e-target/ping", {});
    assert.equal((await ping()).status, 200);
    const hanging = database();
    for (const { pid } of hanging) process.kill(pid, "SIGSTOP");
    const was = reached;
    try {
      guard.expect(/503/);
      const asked = {
        call: ping(),
        event: caller.api.post("/messaging/events", { event_type: "caller.called", payload: {} }),
        person: admin.get("/plugins"),
        ready: here.api.get("/health/ready"),
        page: page.goto("/console/plugins", { timeout: 20_000 }).then((response) => ({ status: response.status(), headers: new Headers(response.headers()) })),
      };
      const began = performance.now();
      for (const [what, answer] of Object.entries(asked)) {
        const { status, headers } = await answer;
        assert.equal(status, 503, `${what} is answered ${status}`);
        assert.ok(Number(headers.get("retry-after")) > 0, `${what} does not say when to try again`);
      }
      const took = performance.now() - began;
      assert.ok(took < answersWithin, `the answers took ${Math.round(took)} ms`);
      assert.match(await page.locator("#main").textContent(), /try again/i);
      assert.equal((await here.api.get("/health/live")).status, 200, "a core that waits is not dead");
      assert.equal(reached, was, "a call went through that could not be recorded");
    } finally {
      for (const { pid } of hanging) process.kill(pid, "SIGCONT");
    }

    await until("calls to pass again", async () => (await ping()).status === 200);
    await until("the core to be ready again", async () => (await here.api.get("/health/ready")).status === 200);
    await here.alive();
    await page.reload();
    await page.getByRole("heading", { level: 1, name: "Installed plugins" }).waitFor();
    const proof = (await admin.get("/admin/audit/verify")).json;
    assert.ok(proof.ok, JSON.stringify(proof));
    const carried = (await admin.audit({ action: "operator.call", plugin: "e2e-caller", outcome: "allow" })).length;
    assert.ok(carried >= reached, `${reached} calls arrived and ${carried} are recorded`);
  }));

test("a private database that is killed ends the core, which says why; the next start recovers", async () => {
  const [server] = database().filter(({ command }) => command.includes(" -D "));
  process.kill(server.pid, "SIGKILL");
  const { code } = await here.ended;
  assert.equal(code, 1);
  assert.match(here.lines("core").at(-1), /private PostgreSQL ended/);
  assert.deepEqual(here.processes(), [], "something is left");

  await here.start().ready();
  await here.alive();
  assert.ok((await admin.get("/admin/audit/verify")).json.ok);
});
