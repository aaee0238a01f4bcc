import { performance } from "node:perf_hooks";

/** How an error begins that says so. */
export const hung = "the test hung";

/**
 * @template Value @param {PromiseLike<Value>} work @param {number} limit ms of this process's own
 * @returns {Promise<Value>} rejects once that is over
 */
export function unlessItHangs(work, limit) {
  const begun = ownTime();
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const hangs = new Promise((_resolve, reject) => {
    timer = setInterval(() => {
      if (ownTime() - begun > limit) reject(new Error(hung));
    }, 50);
  });
  return /** @type {Promise<Value>} */ (Promise.race([work, hangs]).finally(() => clearInterval(timer)));
}

/** What this process worked and waited, in ms. That others had the processor does not count: then everything is slow. */
function ownTime() {
  const { user, system } = process.cpuUsage();
  return performance.eventLoopUtilization().idle + (user + system) / 1_000;
}
