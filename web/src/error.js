/** Everything this package throws, but for what the page's own functions and signals throw: an Error with a `code`. */
export class PqcGpuError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = 'PqcGpuError';
    this.code = code;
  }
}

/** The module's errors as instances of the class; everything else as it is. */
export function asError(thrown) {
  if (thrown instanceof Error && thrown.name === 'PqcGpuError' && !(thrown instanceof PqcGpuError)) {
    Object.setPrototypeOf(thrown, PqcGpuError.prototype);
  }
  return thrown;
}

/** Awaits what the module promises. */
export async function outcome(promise) {
  try {
    return await promise;
  } catch (thrown) {
    throw asError(thrown);
  }
}

/** Calls the module. */
export function call(work) {
  try {
    return work();
  } catch (thrown) {
    throw asError(thrown);
  }
}
