// How a page looks and how it is read: both themes, both sizes, kept as pictures,
// and held against WCAG 2.2 AA and best practice by axe.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import axe from "axe-core";
import { desk, phone } from "./browser.js";
import { artifacts } from "./installation.js";

const screens = join(artifacts, "screens");
const sizes = { desk, phone };
const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** readable fails when axe finds anything wrong with the page as it stands. */
export async function readable(page, where) {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags, resultTypes: ["violations"] }), tags);
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.slice(0, 3).map(({ html, failureSummary }) => `    ${html.slice(0, 200)}\n      ${failureSummary.split("\n").slice(1).join("; ")}`).join("\n")}`);
  assert.deepEqual(found, [], `axe, ${where}`);
}

/** fits fails when the page can be scrolled sideways. */
async function fits(page, where) {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= window, `${where}: the page is ${wide} px wide in a window of ${window} px`);
}

/** inEveryLook takes the page through both themes and sizes. */
export async function inEveryLook(page, name) {
  mkdirSync(screens, { recursive: true });
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const where = `${name} ${size} ${colorScheme}`;
      await page.screenshot({ path: join(screens, `${name}-${size}-${colorScheme}.png`), fullPage: true, animations: "disabled" });
      await fits(page, where);
      await readable(page, where);
    }
  }
}
