export function newlines(text: string): number {
  return text.split("\n").length - 1;
}
