// Several programs that end together: with what they were started for, or at once when one of them
// does not start.

/** `start` puts into the stack what is to end with its result. */
export async function owning<T extends object>(
  start: (stack: AsyncDisposableStack) => Promise<T>,
): Promise<T & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const result = await start(stack);
  const owned = stack.move();
  return Object.assign(result, { [Symbol.asyncDispose]: () => owned.disposeAsync() });
}
