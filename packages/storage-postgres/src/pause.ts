/** Real time, not the engine's clock: a server's lock or restart does not wait for a test to move its clock. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
