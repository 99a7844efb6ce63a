// Waiting for conditions. Nothing here waits for time to pass.

/**
 * until asks again and again until ask returns something truthy, and returns it.
 * What ask throws meanwhile counts as "not yet" and is part of the failure.
 * @param {string} what the condition, as it reads after "waited for"
 * @param {() => unknown} ask
 * @param {number} within milliseconds
 */
export async function until(what, ask, within = 10_000) {
  const began = performance.now();
  let last;
  for (;;) {
    try {
      const got = await ask();
      if (got) return got;
      last = got;
    } catch (error) {
      last = error;
    }
    const waited = performance.now() - began;
    if (waited > within) {
      const why = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`waited ${Math.round(waited)} ms for ${what}; the last answer was ${why}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
