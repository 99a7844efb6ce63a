// The same without a browser: by the commands of `vivified`, and by any program
// that speaks HTTP, in the present and in the early clients' forms.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { administrator, binary, environment, installation, root } from "../installation.js";
import { manifest, Plugin } from "../plugin.js";
import { until } from "../until.js";

const here = await installation(after);
const home = mkdtempSync(join(tmpdir(), "vivified-cli-")); // where the commands keep the credential
after(() => rmSync(home, { recursive: true, force: true }));

/** denied is the exit code of a command that the core did not let through. */
const denied = 3;

let admin;
before(async () => {
  await here.setUp();
  admin = await here.signIn();
  await here.alive();
});

/** vivified runs a command as a person in a shell would, and returns how it ended. */
function vivified(args, input = "") {
  return new Promise((resolve) => {
    const env = environment({ HOME: home, XDG_CONFIG_HOME: home, VIVIFIED_SERVER: here.url });
    const child = execFile(binary, args, { env, cwd: home }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
    child.stdin.end(input);
  });
}

/** json runs a command with --output json. */
async function json(...args) {
  const { code, stdout, stderr } = await vivified([...args, "--output", "json"]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

describe("the commands", () => {
  test("without signing in they say how to", async () => {
    const { code, stderr } = await vivified(["plugins", "list"]);
    assert.equal(code, denied);
    assert.match(stderr, /vivified login/);
  });

  test("login reads the password from standard input and keeps a credential for this user only", async () => {
    const wrong = await vivified(["login", "--email", administrator.email], "wrong horse battery\n");
    assert.equal(wrong.code, denied);
    const { code, stdout, stderr } = await vivified(["login", "--email", administrator.email], `${administrator.password}\n`);
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`Signed in to .* as ${administrator.email}`));
    const file = join(process.platform === "darwin" ? join(home, "Library", "Application Support") : home, "vivified", "login.json");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.doesNotMatch(readFileSync(file, "utf8"), /nanosecond/);
  });

  test("plugins list and show say what runs", async () => {
    const { stdout } = await vivified(["plugins", "list"]);
    for (const id of ["hello-greeter", "hello-lurker", "hello-publisher"]) assert.match(stdout, new RegExp(`^${id}\\s+1\\.0\\.0\\s+active`, "m"));
    const { plugins } = await json("plugins", "list");
    assert.ok(plugins.every((plugin) => !JSON.stringify(plugin).includes("token")), "a list of plugins shows a token");

    const shown = await vivified(["plugins", "show", "hello-greeter"]);
    assert.match(shown.stdout, /^status\s+active/m);
    assert.match(shown.stdout, /^traits\s+handles_pii/m);
    const unknown = await vivified(["plugins", "show", "hello-nobody"]);
    assert.equal(unknown.code, 1);
    assert.match(unknown.stderr, /hello-nobody/);
  });

  test("plugins health says how one is", async () => {
    const health = await until("the greeter to be healthy", async () => {
      const answer = await json("plugins", "health", "hello-greeter");
      return answer.health === "healthy" && answer;
    }, 40_000);
    assert.ok(health.history.length > 0);
    assert.match((await vivified(["plugins", "health", "hello-greeter"])).stdout, /^hello-greeter is healthy/);
  });

  test("plugins disable and enable close and open the lanes", async () => {
    const disabled = await vivified(["plugins", "disable", "hello-greeter", "--reason", "by command"]);
    assert.equal(disabled.stdout, "hello-greeter is disabled.\n", disabled.stderr);
    const refused = await admin.get("/gateway/hello-greeter/health");
    assert.equal(refused.status, 503, refused);
    assert.equal(refused.json.code, "target.disabled");

    const enabled = await vivified(["plugins", "enable", "hello-greeter"]);
    assert.equal(enabled.stdout, "hello-greeter is active.\n", enabled.stderr);
    const [change] = await admin.audit({ action: "plugin.disable", plugin: "hello-greeter", limit: "1" });
    assert.equal(change.detail.reason, "by command");
    await here.alive();
  });

  test("validate says everything that is wrong with a manifest", async () => {
    const good = await vivified(["validate", join(root, "plugins", "hello-greeter", "manifest.json"), "--output", "json"]);
    assert.equal(good.code, 0);
    assert.deepEqual(JSON.parse(good.stdout), { valid: true, findings: JSON.parse(good.stdout).findings });
    const bad = join(home, "bad.json");
    writeFileSync(bad, JSON.stringify(manifest("Not An Id", { allowed_domains: ["*"] })));
    const found = await vivified(["validate", bad, "--output", "json"]);
    assert.equal(found.code, 1);
    const { valid, findings } = JSON.parse(found.stdout);
    assert.equal(valid, false);
    assert.ok(findings.some(({ rule }) => rule === "domain.no_wildcard"), found.stdout);
    for (const finding of findings) for (const member of ["rule", "severity", "path", "message", "fix"]) assert.ok(member in finding, `a finding has no ${member}`);
    assert.equal((await vivified(["validate", join(home, "missing.json")])).code, 2);
    assert.equal((await vivified(["plugins", "show"])).code, 2, "a wrong use is not exit code 2");
  });

  test("audit verify recomputes the running installation's chains, and an export offline", async () => {
    const env = environment({ HOME: home, VIVIFIED_DATA_DIR: here.dataDir });
    const installed = await new Promise((resolve) => execFile(binary, ["audit", "verify"], { env, cwd: root }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr })));
    assert.equal(installed.code, 0, installed.stderr + installed.stdout);

    const file = join(home, "audit.jsonl");
    const answer = await admin.get("/admin/audit/export?format=jsonl");
    writeFileSync(file, answer.text);
    const whole = await vivified(["audit", "verify", "--file", file]);
    assert.equal(whole.code, 0, whole.stderr + whole.stdout);

    // One digit of one record, well inside the file.
    const at = answer.text.indexOf('"seq":', answer.text.length / 2) + '"seq":'.length;
    const digit = answer.text[at];
    writeFileSync(file, answer.text.slice(0, at) + (digit === "9" ? "8" : String(Number(digit) + 1)) + answer.text.slice(at + 1));
    const edited = await vivified(["audit", "verify", "--file", file]);
    assert.equal(edited.code, 1, `an edited export verifies: ${edited.stdout}`);
  });

  test("logout ends the session for good", async () => {
    assert.equal((await vivified(["logout"])).code, 0);
    assert.equal((await vivified(["plugins", "list"])).code, denied);
  });
});

describe("any program", () => {
  /** greeting is what hello-publisher publishes, too. */
  const greeting = {
    type: "greeting.requested",
    classification: ["pii"],
    schema: { type: "object", properties: { greeting_id: { type: "string" }, profile_id: { type: "string" }, language: { type: "string" }, name: { type: "string", "x-class": "pii" } } },
  };
  let plugin;
  before(async () => {
    plugin = await Plugin.register(
      here.url,
      manifest("e2e-desk", {
        traits: ["handles_pii", "audit_required", "external_service"],
        dependencies: ["hello-publisher"],
        allowed_domains: ["pages.hello.test"],
        endpoints: { file: { path: "/files/{drawer}", method: "POST", summary: "Puts something into a drawer", data_classification: ["internal"] } },
        events: { publishes: [greeting], subscribes: ["greeting.sent"], delivery: "stream" },
        security: { authentication_required: true, data_classification: ["pii", "internal"] },
      }),
      (request, response) => {
        const body = [];
        request.on("data", (chunk) => body.push(chunk));
        request.on("end", () => {
          response.setHeader("Content-Type", "application/json");
          response.end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers, body: Buffer.concat(body).toString() }));
        });
      },
    );
  });
  after(async () => {
    plugin?.close();
    await admin.delete("/plugins/e2e-desk");
  });

  test("health, keys and metrics answer strangers; everything else asks who they are", async () => {
    const health = await here.api.get("/health");
    assert.equal(health.json.status, "ok");
    assert.equal(health.json.message, "Vivified core running");
    assert.ok(health.headers.get("x-trace-id"));
    assert.ok((await here.api.get("/.well-known/jwks.json")).json.keys.length > 0);
    assert.match((await here.api.get("/metrics")).text, /^# HELP /m);
    for (const path of ["/plugins", "/admin/audit", "/no/such/path"]) {
      const answer = await here.api.get(path);
      assert.equal(answer.status, 401, `${path}: ${answer}`);
      assert.match(answer.type, /^application\/problem\+json/);
      assert.deepEqual(Object.keys(answer.json).sort(), ["code", "detail", "status", "title", "trace_id", "type"]);
    }
    const wrong = await here.api.as("not-a-token").get("/plugins");
    assert.equal(wrong.status, 401);
  });

  test("registering answers with a token, and shows it to nobody else", async () => {
    const { status, plugin_id, token, expires_in, refresh_token, health_monitoring } = plugin.registration;
    assert.deepEqual({ status, plugin_id, health_monitoring }, { status: "registered", plugin_id: "e2e-desk", health_monitoring: false });
    assert.equal(token.split(".").length, 3);
    assert.ok(expires_in > 0 && refresh_token);
    const seen = (await admin.get("/plugins/e2e-desk")).text;
    assert.ok(!seen.includes(token) && !seen.includes(refresh_token));
    const refused = await here.api.post("/plugins/register", manifest("e2e-bad", { allowed_domains: ["*", "169.254.169.254"] }));
    assert.equal(refused.status, 400);
    assert.deepEqual(refused.json.errors.map(({ rule }) => rule).filter((rule) => rule.startsWith("domain.")).sort(), ["domain.no_wildcard", "domain.private_ip"]);
  });

  test("a refresh token works once; used again, it ends the family", async () => {
    const other = await Plugin.register(here.url, manifest("e2e-family"));
    const first = await here.api.post("/plugins/token", { refresh_token: other.registration.refresh_token });
    assert.equal(first.status, 200, first);
    assert.equal((await here.api.as(first.json.token).post("/plugins/heartbeat", { status: "healthy" })).json.status, "ok");
    const again = await here.api.post("/plugins/token", { refresh_token: other.registration.refresh_token });
    assert.ok([401, 403].includes(again.status), again);
    const next = await here.api.post("/plugins/token", { refresh_token: first.json.refresh_token });
    assert.ok([401, 403].includes(next.status), `a stolen family lives on: ${next}`);
    await admin.delete("/plugins/e2e-family");
  });

  test("events are taken in three forms, and come out as one", async () => {
    const received = [];
    const listening = new AbortController();
    const listener = (async () => {
      for await (const event of plugin.listen("greeting.sent", listening.signal)) received.push(event);
    })().catch(() => {}); // aborted
    const data = (id) => ({ greeting_id: id, profile_id: "ada", language: "en", name: "Ada Lovelace" });
    const forms = {
      now: { event_type: "greeting.requested", payload: data("e2e-now") },
      early: { event_type: "greeting.requested", data: data("e2e-early"), metadata: {} },
      cloud: { specversion: "1.0", id: "e2e-cloud-event", source: "e2e-desk", type: "greeting.requested", datacontenttype: "application/json", data: data("e2e-cloud") },
    };
    for (const [form, body] of Object.entries(forms)) {
      const type = form === "cloud" ? { "Content-Type": "application/cloudevents+json" } : {};
      const answer = await plugin.api.post("/messaging/events", body, type);
      assert.equal(answer.status, 202, `${form}: ${answer}`);
      assert.equal(answer.json.status, "published");
      assert.ok(answer.json.event_id && answer.json.trace_id);
    }
    for (const form of Object.keys(forms)) {
      const got = await until(`the answer to the ${form} form`, () => received.find((event) => event.data.data?.greeting_id === `e2e-${form}`));
      assert.equal(got.id, `sent-e2e-${form}`);
      assert.equal(got.type, "greeting.sent");
      assert.equal(got.data.specversion, "1.0");
      assert.equal(got.data.data.name, "Ada Lovelace", "a field that the plugin may see was removed");
    }
    listening.abort();
    await listener;

    for (const [body, status, code] of [
      [{ event_type: "greeting.requested", payload: data("x"), source_plugin: "hello-publisher" }, 403, "identity.mismatch"],
      [{ event_type: "greeting.sent", payload: {} }, 403, "event.publish"],
    ]) {
      const answer = await plugin.api.post("/messaging/events", body);
      assert.equal(answer.status, status, answer);
      assert.equal(answer.json.code, code);
    }
  });

  test("calls are carried by name and by path, wrapped or not", async () => {
    for (const answer of [
      await plugin.api.get("/gateway/hello-publisher/get_profile?id=ada"),
      await plugin.api.post("/gateway/hello-publisher/get_profile", { caller_plugin: "e2e-desk", payload: { id: "ada" }, timeout: 5 }),
      await plugin.api.get("/gateway/hello-publisher/-/profiles/ada"),
    ]) {
      assert.equal(answer.status, 200, answer);
      assert.equal(answer.json.email, "ada@example.com");
    }
    const impostor = await plugin.api.post("/gateway/hello-publisher/get_profile", { caller_plugin: "hello-greeter", payload: { id: "ada" } });
    assert.equal(impostor.status, 403, impostor);
    assert.equal(impostor.json.code, "identity.mismatch");
    for (const path of ["/gateway/hello-publisher/-/profiles/..%2fadmin", "/gateway/hello-publisher/-/profiles//ada", "/gateway/hello-publisher/-/%2e%2e/health"]) {
      assert.equal((await plugin.api.word(path)).status, 400, path);
    }
  });

  test("a called plugin learns who calls, and never the caller's credential", async () => {
    const answer = await admin.ask("POST", "/gateway/e2e-desk/file?timeout=5", { drawer: "b 2", paper: "letter" }, {
      Cookie: "vv_session=mine", "X-Caller-Plugin": "hello-greeter", "X-Vivified-User": "root", "X-Forwarded-For": "10.0.0.1",
    });
    // A stale cookie beside a valid token is two credentials, one of them wrong.
    assert.equal(answer.status, 401, answer);
    const told = await admin.ask("POST", "/gateway/e2e-desk/file", { drawer: "b 2", paper: "letter" }, { "X-Caller-Plugin": "hello-greeter", "X-Vivified-User": "root" });
    assert.equal(told.status, 200, told);
    const { url, method, headers, body } = told.json;
    assert.deepEqual({ url, method }, { url: "/files/b%202", method: "POST" });
    assert.deepEqual(JSON.parse(body), { paper: "letter" });
    const claims = JSON.parse(Buffer.from(headers.authorization.replace("Bearer ", "").split(".")[1], "base64url"));
    assert.equal(claims.aud, "e2e-desk");
    assert.ok(claims.exp - claims.iat <= 60);
    assert.ok(!JSON.stringify(headers).includes(admin.credential.Authorization));
    assert.notEqual(headers["x-vivified-user"], "root");
    assert.notEqual(headers["x-caller-plugin"], "hello-greeter");
  });

  test("the outside is reached where it was declared and approved, and nowhere else", async () => {
    const [site] = here.lines("hello-site").filter((line) => line.includes('"pages"')).slice(-1).map((line) => JSON.parse(line).pages);
    const fetched = await plugin.api.post("/gateway/proxy", { url: `${site}/hello/en`, method: "GET" });
    assert.equal(fetched.status, 200, fetched);
    for (const member of ["request_id", "status_code", "headers", "body", "response_time_ms", "success", "completed_at"]) assert.ok(member in fetched.json, `no ${member}`);
    assert.equal(fetched.json.status_code, 200);
    const streamed = await plugin.api.get(`/proxy?url=${encodeURIComponent(`${site}/hello/en`)}`);
    assert.equal(streamed.status, 200, streamed);
    const wrapped = await plugin.api.post("/gateway/proxy", { payload: { url: `${site}/hello/de`, method: "GET" } });
    assert.equal(wrapped.json.success, true, wrapped);

    for (const url of ["https://example.com/", "https://127.0.0.1/", `${here.url}/health`, "https://169.254.169.254/latest/meta-data", "https://[::1]/", "file:///etc/passwd", "https://pages.hello.test@127.0.0.1/"]) {
      const answer = await plugin.api.post("/gateway/proxy", { url, method: "GET" });
      assert.ok(answer.status === 403 || answer.status === 400, `${url}: ${answer}`);
      assert.match(answer.json.code, /^proxy\./, url);
    }
  });

  test("a person's token is no plugin's, nor the other way round", async () => {
    assert.equal((await admin.post("/messaging/events", { event_type: "greeting.requested", payload: {} })).status, 403);
    assert.equal((await plugin.api.get("/admin/users")).status, 403);
    const page = await plugin.api.get("/console", { Accept: "text/html" });
    assert.ok([401, 403].includes(page.status), page);
  });

  test("lists are paged by cursors and every filter of the audit holds", async () => {
    const seen = new Set();
    for (let cursor = "", pages = 0; pages < 3; pages++) {
      const { items, next_cursor } = (await admin.get(`/admin/audit?limit=5&cursor=${encodeURIComponent(cursor)}`)).json;
      for (const { chain, seq } of items) {
        assert.ok(!seen.has(`${chain} ${seq}`), "a record came twice");
        seen.add(`${chain} ${seq}`);
      }
      cursor = next_cursor;
    }
    assert.equal(seen.size, 15);
    for (const [filter, holds] of [
      [{ plugin: "e2e-desk" }, (r) => [r.plugin_id, r.object_plugin].includes("e2e-desk") || r.receivers?.includes("e2e-desk")],
      [{ outcome: "deny" }, (r) => r.outcome === "deny"],
      [{ action: "proxy.request", plugin: "e2e-desk", outcome: "deny" }, (r) => r.action === "proxy.request" && r.outcome === "deny" && r.rule.startsWith("proxy.")],
      [{ class: "pii" }, (r) => r.classes.includes("pii")],
      [{ since: new Date(Date.now() - 60_000).toISOString() }, (r) => Date.parse(r.at) >= Date.now() - 90_000],
    ]) {
      const records = await admin.audit(filter);
      assert.ok(records.length > 0 && records.every(holds), `filter ${JSON.stringify(filter)}`);
    }
    assert.equal((await admin.get("/admin/audit?cursor=nonsense")).status, 400);
  });
});
