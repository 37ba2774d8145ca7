/**
 * Files out of sealed models, for programs that fetch files. A sealed file holds tensors; any other file travels in it as a tensor of
 * bytes (U8) whose name is the file's path: `onnx/model.onnx`, `tokenizer.json`. What is fetched must be memory, not a GPUBuffer, so open
 * the models with `backend: 'webcrypto'` or `'wasm'`.
 */
import { PqcGpuError } from './error.js';

/** The last part of a URL or path that names a tensor of the models. */
function find(models, address) {
  const path = decodeURIComponent(String(address?.url ?? address).replace(/[?#].*$/, ''));
  for (const model of models) {
    const named = model.tensors.find(({ name, dtype }) => dtype === 'U8' && (path === name || path.endsWith(`/${name}`)));
    if (named) return [model, named];
  }
  return undefined;
}

async function respond([model, { name, byteLength }], signal) {
  const tensor = await model.tensor(name, { signal });
  try {
    if (!tensor.bytes) throw new PqcGpuError('usage', "fetched files are memory: open the model with backend 'webcrypto' or 'wasm'");
    const type = name.endsWith('.json') ? 'application/json' : 'application/octet-stream';
    // The tensor's own bytes are erased when it is freed; the response has a copy.
    return new Response(tensor.bytes.slice(), { headers: { 'content-type': type, 'content-length': String(byteLength) } });
  } finally {
    tensor.free();
  }
}

/** A `fetch` that takes files out of sealed models where they have them, and else asks `otherwise`. For `env.fetch`. */
export function sealedFetch(models, otherwise = globalThis.fetch.bind(globalThis)) {
  let busy = Promise.resolve();
  return async (request, init) => {
    const found = find(models, request);
    if (!found) return otherwise(request, init);
    // One after the other: a model's source is read from one place at a time.
    const response = busy.then(() => respond(found, init?.signal));
    busy = response.catch(() => {});
    return response;
  };
}

/** The same as a cache that has those files, and takes none. For `env.customCache`, with `env.useCustomCache = true`. */
export function sealedCache(models) {
  const fetched = sealedFetch(models, async () => undefined);
  return { match: (request) => fetched(request), put: async () => {} };
}
