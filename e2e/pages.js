// Every page of the console: the server's own table of routes, with something
// real behind each name in it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { keyPair, pack, type } from "./bundle.js";
import { root } from "./installation.js";
import { manifest } from "./plugin.js";
import { until } from "./until.js";

/** answers are what the console asks for by script, and what is no HTML. */
const answers = [/\/pack$/, /\/archives\/:id$/, /\/live$/, /\/stream$/, /\/export$/, /\.svg$/, /^\/console\/session$/];

/** elsewhere are pages that only a state brings about which another journey makes, or a unit test; and questions like others that are walked. */
const elsewhere = [
  "/console/account/factors", // somebody who must have a factor and has none
  "/console/account/factors/passkeys/:id/remove",
  "/console/account/factors/recovery-codes",
  "/console/account/factors/totp/remove",
  "/console/alerts/:id", // an alert opens in its own journey, and so do its questions
  "/console/alerts/:id/acknowledge",
  "/console/alerts/:id/silence",
  "/console/audit/retention/holds/:id/lift",
  "/console/break-glass/new",
  "/console/events/dead-letters/:id/discard",
  "/console/events/dead-letters/replay",
  "/console/groups/:id/edit",
  "/console/groups/:id/roles/:role/grant",
  "/console/groups/:id/roles/:role/revoke",
  "/console/plugins/:id/accept",
  "/console/plugins/:id/logs", // a plugin that the core runs itself
  "/console/policies/versions/:version/restore",
  "/console/policies/waiting/:id/approve",
  "/console/policies/waiting/:id/deny",
  "/console/registration-tokens/:id/revoke",
  "/console/roles/roles/:role/delete",
  "/console/signing-keys/:key/revoke",
  "/console/signing-keys/rotate",
  "/console/sso/:provider/attempts/:attempt",
  "/console/users/:id/groups/:group/join",
  "/console/users/:id/groups/:group/leave",
  "/console/users/:id/keys/:key/revoke",
  "/console/users/:id/reset-factors",
  "/console/users/:id/roles/:role/revoke",
  "/console/users/:id/traits/:trait/revoke",
];

/** pageRoutes are the routes of the table that are pages. */
export function pageRoutes() {
  return readFileSync(join(root, "handlers", "testdata", "routes.golden"), "utf8")
    .split("\n")
    .map((line) => line.split(/\s+/))
    .filter(([method, path]) => method === "GET" && path?.startsWith("/console") && !answers.some((not) => not.test(path)))
    .map(([, path]) => path);
}

/** Pages makes what the pages are about, and takes it away again. */
export class Pages {
  constructor(api) {
    this.api = api;
    this.undo = [];
  }

  async #made(answer, undo) {
    assert.ok(answer.status < 300, `${answer}`);
    if (undo) this.undo.push(() => undo(answer.json));
    return answer.json;
  }

  /** make makes one of each; a stranger, who may do nothing, asks for a trait. */
  async make(stranger) {
    const { api } = this;
    const stamp = Date.now();
    const host = "pages.hello.test";
    const provider = { id: `look-${stamp}`, name: "Look", issuer: "https://login.example.com", client_id: "look", rules: [{ claim: "groups", match: "equals", value: "auditors", kind: "role", give: "auditor" }], enabled: false };
    await this.#made(await api.post("/admin/sso", provider), () => api.delete(`/admin/sso/${provider.id}`));
    const sink = await this.#made(await api.post("/admin/audit/sinks", { name: `look-${stamp}`, kind: "syslog", address: "logs.example.org:6514", enabled: false }), ({ id }) => api.delete(`/admin/audit/sinks/${id}`));
    const credential = `/admin/egress/credentials/hello-greeter/${host}`;
    await this.#made(await api.put(credential, { kind: "header", name: "X-Look", secret: "nobody reads this" }), () => api.delete(credential));
    const key = await this.#made(await api.post("/admin/api-keys", { name: "look", scope: ["audit_viewer"], expires_at: new Date(stamp + 86_400_000).toISOString() }), ({ id }) => api.delete(`/admin/api-keys/${id}`));

    const role = await this.#made(await api.post("/admin/roles", { name: `look-${stamp}`, label: "Look", traits: ["viewer"] }), ({ name }) => api.delete(`/admin/roles/${name}?in_use=take`));
    const group = await this.#made(await api.post("/admin/groups", { name: `Look ${stamp}`, roles: [{ role: role.name }] }), ({ id }) => api.delete(`/admin/groups/${id}`));
    await this.#made(await api.post("/admin/registration-tokens", { label: "look" }), ({ id }) => api.delete(`/admin/registration-tokens/${id}`));

    const trusted = await this.#made(await api.post("/admin/marketplace/keys", { name: "look", pem: keyPair().publicKey }), ({ id }) => api.post(`/admin/marketplace/keys/${id}/revoke`, { reason: "looked at" }));
    const shelved = await this.#made(await api.post("/admin/marketplace/bundles", pack(manifest("look-shelf"), { "README.md": "# Look" }), { "Content-Type": type }), ({ digest }) => api.delete(`/admin/marketplace/bundles/${digest}`));
    const { job } = await this.#made(await api.post(`/admin/marketplace/bundles/${shelved.digest}/install`, {}), () => api.delete("/plugins/look-shelf"));
    await until("the job to end", async () => (await api.get(`/admin/jobs/${job.id}`)).json.state === "succeeded", 30_000);

    const draft = async (text, tests) => {
      const { revision } = (await api.get("/admin/policies/draft")).json;
      return api.put("/admin/policies/draft", { revision, text, tests });
    };
    const request = { action: "operator.call", subject: { kind: "plugin", id: "hello-greeter", tenant: "default", state: "active", traits: ["handles_pii"] }, target: { kind: "plugin", id: "hello-publisher", tenant: "default", state: "active", traits: [] }, resource: { name: "get_profile", classes: ["pii"], declared: true, granted: true } };
    const rule = `@id("look-${stamp}")\n@reason("The greeter is to leave profiles alone.")\nforbid (principal == Plugin::"hello-greeter", action == Action::"operator.call", resource);\n`;
    await this.#made(await draft(rule, [{ name: "The greeter is refused", request, expect: "deny" }]), () => draft("// No rules.\n", []));
    const shadow = await this.#made(await api.post("/admin/policies/shadow", { hours: 1 }));
    await until("the replay to end", async () => (await api.get(`/admin/policies/shadow/${shadow.id}`)).json.state !== "running", 30_000);

    const refused = (await stranger.get("/admin/audit")).json.decision_id;
    await this.#made(await stranger.post(`/admin/decisions/${refused}/request`, { days: 1, reason: "the report of March" }));
    const asked = (await stranger.get("/auth/me")).json;
    const waiting = (await api.get("/admin/approvals")).json.items.find((request) => JSON.stringify(request).includes(asked.id));
    const [record] = await api.audit({ action: "plugin.register", limit: "1" });
    const event = await until("an event", async () => (await api.audit({ action: "event.publish", plugin: "hello-publisher", outcome: "allow", limit: "1" }))[0]?.object.split("/")[1], 15_000);

    /** named are the paths of routes with names in them. The longest beginning counts. */
    this.named = {
      "/console/account/keys/:key": `/console/account/keys/${key.id}`,
      "/console/approvals/:id": `/console/approvals/${waiting.id}`,
      "/console/alerts/rules/:id": "/console/alerts/rules/core.sink-lag",
      "/console/audit/:chain/:seq": `/console/audit/${record.chain.replace("/", "~")}/${record.seq}`,
      "/console/audit/forwarding/:id": `/console/audit/forwarding/${sink.id}`,
      "/console/configuration/keys/:key": "/console/configuration/keys/log_level",
      "/console/decisions/:id": `/console/decisions/${refused}`,
      "/console/egress/credentials/:id/:host": `/console/egress/credentials/hello-greeter/${host}`,
      "/console/events/:event": `/console/events/${event}`,
      "/console/events/traces/:trace": `/console/events/traces/${record.trace}`,
      "/console/groups/:id": `/console/groups/${group.id}`,
      "/console/jobs/:id": `/console/jobs/${job.id}`,
      "/console/marketplace/:id": "/console/marketplace/look-shelf",
      "/console/marketplace/keys/:key": `/console/marketplace/keys/${trusted.id}`,
      "/console/plugins/:id": "/console/plugins/hello-greeter",
      "/console/plugins/:id/domains/approve": `/console/plugins/hello-greeter/domains/approve?host=${host}`,
      "/console/policies/shadow/:id": `/console/policies/shadow/${shadow.id}`,
      "/console/policies/tests/:number": "/console/policies/tests/1",
      "/console/sso/:provider": `/console/sso/${provider.id}`,
      "/console/roles/roles/:role": `/console/roles/roles/${role.name}`,
      "/console/roles/traits/:trait": "/console/roles/traits/audit_viewer",
      "/console/users/bulk": `/console/users/bulk?do=suspend&people=${asked.id}`,
      "/console/users/:id": `/console/users/${asked.id}`,
      "/console/users/:id/roles/:role": `/console/users/${asked.id}/roles/auditor`,
      "/console/users/:id/traits/:trait": `/console/users/${asked.id}/traits/audit_viewer`,
    };
  }

  /** path is the route with names in the place of parameters. */
  path(route) {
    const start = Object.keys(this.named).filter((start) => route === start || route.startsWith(start + "/")).sort((a, b) => b.length - a.length)[0];
    return start ? this.named[start] + route.slice(start.length) : route;
  }

  /** remove takes away what was made. */
  async remove() {
    for (const undo of this.undo.reverse()) await undo();
  }
}

/** walked are the routes that can be walked here. */
export function walked() {
  const routes = pageRoutes();
  assert.deepEqual(elsewhere.filter((route) => !routes.includes(route)), [], "pages that are no more");
  return routes.filter((route) => !elsewhere.includes(route));
}
