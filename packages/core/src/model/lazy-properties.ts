/**
 * Properties that are computed when they are read, by the same functions for all objects of a kind.
 *
 * Not getters of an object literal: those are made anew for each object, which turns the object into a slow dictionary,
 * and V8 puts the pair of each into its old generation at once. Whatever such a getter closes over lives until the next
 * full collection; of an attempt, that was all that it had ever made.
 */

/** @returns adds the properties to an object; enumerable, so that a spread copy has what they were when it was made */
export function lazyProperties<Source, Computed extends object>(
  read: {
    readonly [Name in keyof Computed]: (source: Source) => Computed[Name];
  },
): <Target extends object>(target: Target, source: Source) => Target & Readonly<Computed> {
  const sourceOf = Symbol("source");
  const getters = Object.entries<(source: Source) => unknown>(read).map(([name, compute]) => {
    const get = function (this: { readonly [sourceOf]: Source }): unknown {
      return compute(this[sourceOf]);
    };
    return [name, { get, enumerable: true, configurable: true }] as const;
  });
  return <Target extends object>(target: Target, source: Source) => {
    Object.defineProperty(target, sourceOf, { value: source });
    for (const [name, getter] of getters) Object.defineProperty(target, name, getter);
    return target as Target & Readonly<Computed>;
  };
}
