export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** How far the repetitions lie apart: half of the range from the first to the third quarter, as a part of the median. */
export function spread(values: readonly number[]): number {
  const apart = (quantile(values, 0.75) - quantile(values, 0.25)) / 2;
  return apart === 0 ? 0 : apart / median(values);
}
