// A person at a browser. Whatever goes wrong in the page goes wrong in the test:
// an error in the console, a breach of the content security policy, a script that
// throws, an answer that failed.
import assert from "node:assert/strict";
import { existsSync, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";
import { artifacts } from "./installation.js";

/** desk and phone are the two sizes every page is seen at. */
export const desk = { width: 1440, height: 900 };
export const phone = { width: 390, height: 844 };

const flags = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

/** installed finds the browser: CHROMIUM, or the first of the usual names in PATH. */
function installed() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]) {
    for (const dir of process.env.PATH.split(delimiter)) if (existsSync(join(dir, name))) return join(dir, name);
  }
  const mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";
  if (existsSync(mac)) return mac;
  throw new Error("there is no Chromium; install it, or name it in CHROMIUM");
}

/** Browser is one Chromium, which the people of a file share. */
export class Browser {
  constructor(chromium, url) {
    this.chromium = chromium;
    this.url = url;
  }

  static async open(url) {
    return new Browser(
      await chromium.launch({ executablePath: installed(), args: flags, chromiumSandbox: process.getuid?.() !== 0, timeout: 60_000 }),
      url,
    );
  }

  close() {
    return this.chromium.close();
  }

  /**
   * visit gives a person a browser of their own, without history, and does what
   * they do. Should it fail, a trace and a picture are kept under the test's name.
   * @param {import("node:test").TestContext} t
   * @param {import("playwright-core").BrowserContextOptions} how
   * @param {(page: import("playwright-core").Page, guard: Guard) => Promise<void>} does
   */
  async visit(t, how, does) {
    const context = await this.chromium.newContext({ baseURL: this.url, viewport: desk, colorScheme: "light", locale: "en-GB", timezoneId: "America/New_York", ...how });
    context.setDefaultTimeout(10_000);
    await context.tracing.start({ screenshots: false, snapshots: true });
    const guard = new Guard();
    context.on("page", (page) => guard.watch(page));
    const page = await context.newPage();
    let trace;
    try {
      await does(page, guard);
      guard.check();
    } catch (error) {
      mkdirSync(join(artifacts, "failures"), { recursive: true });
      const name = join(artifacts, "failures", t.name.replace(/\W+/g, "-").slice(0, 80));
      trace = `${name}.zip`;
      await page.screenshot({ path: `${name}.png`, fullPage: true }).catch(() => {});
      guard.addTo(error);
      throw error;
    } finally {
      await context.tracing.stop(trace && { path: trace });
      await context.close();
    }
  }
}

/** Guard hears of everything that goes wrong in a person's pages. */
class Guard {
  #complaints = [];
  #expected = [];

  watch(page) {
    const complain = (text) => this.#complaints.push(text);
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") complain(`console: ${message.text()} (${message.location().url})`);
    });
    page.on("pageerror", (error) => complain(`script: ${error.message}`));
    page.on("requestfailed", (request) => {
      const why = request.failure()?.errorText;
      // A page that is left takes its requests with it, and a new answer replaces an old one.
      if (why !== "net::ERR_ABORTED") complain(`request: ${request.method()} ${request.url()} ${why}`);
    });
    page.on("response", (response) => {
      if (response.status() >= 400) complain(`answer: ${response.status()} ${response.request().method()} ${response.url()}`);
    });
  }

  /** expect says that complaints like this one are what the test is about. */
  expect(pattern) {
    this.#expected.push(pattern);
  }

  get complaints() {
    return this.#complaints.filter((text) => !this.#expected.some((pattern) => pattern.test(text)));
  }

  /** check fails when there was anything to complain of. */
  check() {
    assert.deepEqual(this.complaints, [], "the pages had something to complain of");
  }

  addTo(error) {
    if (this.complaints.length > 0 && error instanceof Error) error.message += `\nMeanwhile in the page:\n  ${this.complaints.join("\n  ")}`;
  }
}
