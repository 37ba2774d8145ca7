import { Identity, SealedModel, isSupported } from '/src/index.js';

self.onmessage = async ({ data }) => {
  try {
    const identity = await Identity.fromPem(data.identity);
    const model = await SealedModel.open(data.url, { identity, trust: data.trust });
    const names = [];
    for await (const tensor of model) {
      names.push([tensor.name, tensor.buffer?.constructor.name]);
      tensor.free();
    }
    self.postMessage({ names, backend: model.backend, supported: await isSupported() });
  } catch (error) {
    self.postMessage({ error: `${error.code}: ${error.message}` });
  }
};
