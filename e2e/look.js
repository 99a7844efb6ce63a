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

/** everything is what axe looks for; of another theme at the same size it looks at colours only, for nothing else differs. */
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

/** proper fails where a page does not follow the console's conventions. */
async function proper(page, where) {
  const found = await page.evaluate(() => {
    const asked = document.querySelector("dialog:modal");
    const seen = (selector, within = document) => [...within.querySelectorAll(selector)].filter((element) => element.checkVisibility());
    const words = (elements) => elements.map((element) => element.textContent.trim());
    return {
      title: document.title,
      headings: words(seen("h1")),
      primary: words(seen(".vv-btn.primary", asked ?? document.querySelector("main") ?? document).filter((button) => !button.closest("[popover]"))),
      stretched: words(seen(".vv-btn").filter((button) => button.getBoundingClientRect().width > 420)),
    };
  });
  assert.match(found.title, /\S · Vivified$/, `${where}: the title`);
  assert.equal(found.headings.length, 1, `${where}: the first headings are ${found.headings}`);
  assert.ok(found.primary.length <= 1, `${where}: the primary actions are ${found.primary}`);
  assert.deepEqual(found.stretched, [], `${where}: buttons are stretched`);
}

/** every are both themes at both sizes; each has every theme and every size once. */
const every = [["desk", "light"], ["desk", "dark"], ["phone", "light"], ["phone", "dark"]];
const each = [["desk", "light"], ["phone", "dark"]];

/** inEveryLook takes the page through both themes at both sizes. */
export const inEveryLook = (page, name) => through(page, name, every);

/** inEachLook takes it through each theme and each size once, which is half the time. */
export const inEachLook = (page, name) => through(page, name, each);

async function through(page, name, looks) {
  mkdirSync(screens, { recursive: true });
  await page.evaluate(axe.source);
  await proper(page, name);
  // A dialog covers the window, not the page behind it.
  const fullPage = (await page.locator("dialog:modal").count()) === 0;
  for (const [size, colorScheme] of looks) {
    await page.setViewportSize(sizes[size]);
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const where = `${name} ${size} ${colorScheme}`;
    await page.screenshot({ path: join(screens, `${name}-${size}-${colorScheme}.png`), fullPage, animations: "disabled" });
    await fits(page, where);
    await readable(page, where, size === "desk" && colorScheme === "dark" ? colours : everything);
  }
}
