/**
 * Code that a mutant keeps from its end goes on after its test: engines whose loops turn for ever, beside all tests to
 * come. It waits for a turn of the event loop or for a timer, and these can be withheld.
 */

let era = 0;

/** Whatever waits for a turn or a timer now waits for ever. */
export function stopLeftovers() {
  era += 1;
}

/** Vitest keeps the timers that it found: only what is loaded later gets these. */
export function watchTimers() {
  globalThis.setImmediate = inItsEra(globalThis.setImmediate);
  globalThis.setTimeout = inItsEra(globalThis.setTimeout);
}

/** @template {Function} Timer @param {Timer} timer @returns {Timer} */
function inItsEra(timer) {
  const watched = (/** @type {(...given: unknown[]) => void} */ callback, /** @type {unknown[]} */ ...rest) => {
    const born = era;
    return timer((/** @type {unknown[]} */ ...given) => born === era && callback(...given), ...rest);
  };
  return Object.assign(watched, timer);
}
