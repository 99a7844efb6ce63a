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

/** everything is what axe looks for; of another theme it looks at colours only, for nothing else differs. */
const everything = { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] };
const colours = { type: "rule", values: ["color-contrast", "link-in-text-block"] };

/**
 * readable fails when axe finds anything wrong with the page as it stands. What an
 * open popover covers nobody reads: axe would take the popover for its background.
 */
async function readable(page, where, rules) {
  const { violations } = await page.evaluate((runOnly) => {
    const shown = [...document.querySelectorAll(":popover-open")].at(-1) ?? document;
    return window.axe.run(shown, { runOnly, resultTypes: ["violations"] });
  }, rules);
  assert.deepEqual(violations.map(inWords), [], `axe, ${where}`);
}

/** inWords says what axe found, with the first places it found it at. */
function inWords({ id, help, nodes }) {
  const places = nodes.slice(0, 3).map(({ html, failureSummary }) => `  ${html.slice(0, 200)}\n    ${failureSummary.split("\n").slice(1).join("; ")}`);
  return [`${id}: ${help}`, ...places].join("\n");
}

/** fits fails when the page can be scrolled sideways. */
async function fits(page, where) {
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= room, `${where}: the page is ${wide} px wide where there is room for ${room} px`);
}

/** inEveryLook takes the page through both themes and sizes. */
export async function inEveryLook(page, name) {
  mkdirSync(screens, { recursive: true });
  await page.evaluate(axe.source);
  // A dialog covers the window, not the page behind it.
  const fullPage = (await page.locator("dialog:modal").count()) === 0;
  for (const [size, viewport] of Object.entries(sizes)) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const where = `${name} ${size} ${colorScheme}`;
      await page.screenshot({ path: join(screens, `${name}-${size}-${colorScheme}.png`), fullPage, animations: "disabled" });
      await fits(page, where);
      await readable(page, where, colorScheme === "light" ? everything : colours);
    }
  }
}
