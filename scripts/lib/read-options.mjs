/**
 * What a command was told to do. `--help` gets the usage; options that make no sense get what is wrong with them, the
 * usage and exit code 2, and nobody's stack trace.
 * @template Options
 * @param {string} usage
 * @param {() => Options | undefined} read `undefined`: help was asked for
 * @returns {Options}
 */
export function readOptions(usage, read) {
  try {
    const options = read();
    if (options !== undefined) return options;
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${usage}`);
    process.exit(2);
  }
  console.log(usage);
  process.exit(0);
}

/** @param {string} name of the option @param {string} text its value */
export function positive(name, text) {
  const number = Number(text);
  if (number > 0 && Number.isFinite(number)) return number;
  throw new Error(`--${name} is a number above 0; it was "${text}"`);
}
