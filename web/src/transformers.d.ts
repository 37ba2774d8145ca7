import type { SealedModel } from './index.js';

/** A `fetch` that takes files out of sealed models where they have them, and else asks `otherwise`. For transformers.js' `env.fetch`. */
export function sealedFetch(models: readonly SealedModel[], otherwise?: typeof fetch): typeof fetch;

/** The same as a cache that has those files and takes none. For `env.customCache`, with `env.useCustomCache = true`. */
export function sealedCache(models: readonly SealedModel[]): {
  match(request: string | Request): Promise<Response | undefined>;
  put(request: string | Request, response: Response): Promise<void>;
};
