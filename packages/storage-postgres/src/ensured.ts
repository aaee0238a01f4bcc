/**
 * A statement that fails unless `condition` holds, and with it the transaction, whose commit may be on its way in the
 * same flight. It divides by zero: the only error that plain SQL can raise at will. See `isConflict`.
 */
export function ensured(condition: string): string {
  return `select 1 / (case when ${condition} then 1 else 0 end)`;
}
