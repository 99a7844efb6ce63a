// A real OpenID provider: dex, built from e2e/dex, its people in a file that a test
// may rewrite between two sign-ins.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environment, freePort, root } from "./installation.js";
import { until } from "./until.js";

export const binary = join(root, "bin", "dex");

/** Dex is one provider, for one client. */
export class Dex {
  /** start returns one that answers, and ends with the test file. */
  static async start(after, client, people) {
    if (!existsSync(binary)) throw new Error("bin/dex is missing; make bin/dex builds it");
    const dex = new Dex();
    dex.dir = mkdtempSync(join(tmpdir(), "vivified-dex-"));
    dex.issuer = `http://127.0.0.1:${await freePort()}/dex`;
    dex.client = client;
    dex.has(people);
    dex.child = spawn(binary, [dex.file], { stdio: ["ignore", "ignore", "inherit"], env: environment() });
    after(() => {
      dex.child.kill("SIGTERM");
      rmSync(dex.dir, { recursive: true, force: true });
    });
    await until("the provider to answer", async () => (await fetch(`${dex.issuer}/.well-known/openid-configuration`).catch(() => ({}))).ok);
    return dex;
  }

  get file() {
    return join(this.dir, "dex.json");
  }

  /** has sets who is known at the provider from now on. */
  has(people) {
    this.people = people;
    writeFileSync(this.file, JSON.stringify({ issuer: this.issuer, clients: [this.client], people }));
  }

  /** login fills in the provider's own page. */
  async login(page, { username, password }) {
    await page.waitForURL((url) => url.href.startsWith(this.issuer));
    await page.locator("input[name=login]").fill(username);
    await page.locator("input[name=password]").fill(password);
    await page.locator("button[type=submit]").click();
  }
}
