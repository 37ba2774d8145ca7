// transformers.js, as npm has it, loads a model out of a sealed file.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { row, words } from './files.mjs';
import { fixtures, launch, missing, open, serve } from './harness.mjs';

const library = fileURLToPath(new URL('../node_modules/@huggingface/transformers/dist/transformers.min.js', import.meta.url));
const skip =
  missing ??
  (existsSync(library) ? undefined : 'transformers.js is not installed (npm ci)') ??
  (existsSync(join(fixtures, 'files.pqgs')) ? undefined : 'there is no sealed model of files (sealed_fixtures FOLDER FILE…)');
if (skip && process.env.PQC_GPU_REQUIRE_ALL === '1') throw new Error(skip);

test('transformers.js loads a sealed model unchanged', { skip, timeout: 180_000 }, async () => {
  const server = await serve();
  const browser = await launch();
  try {
    const page = await open(browser.context, server.origin);
    const result = await page.evaluate(async () => {
      const { AutoModel, AutoTokenizer, env } = await import('/node_modules/@huggingface/transformers/dist/transformers.min.js');
      const { sealedCache, sealedFetch } = await import('/src/transformers.js');
      const model = await pqc.SealedModel.open('/fixtures/files.pqgs', { ...(await keys()), backend: 'webcrypto' });
      Object.assign(env, { allowLocalModels: false, remoteHost: 'https://nowhere.invalid/', useBrowserCache: false, useCustomCache: true, customCache: sealedCache([model]) });
      env.backends.onnx.wasm.wasmPaths = `${location.origin}/node_modules/@huggingface/transformers/dist/`;
      env.backends.onnx.wasm.numThreads = 1;
      const tokenizer = await AutoTokenizer.from_pretrained('sealed/tiny');
      const network = await AutoModel.from_pretrained('sealed/tiny', { dtype: 'fp32', device: 'wasm' });
      const input = await tokenizer('sealed tensors cross the unseen bus');
      const { last_hidden_state: output } = await network(input);
      // And by fetch, for versions that take one.
      const fetched = sealedFetch([model]);
      const config = await (await fetched('https://nowhere.invalid/sealed/tiny/resolve/main/config.json')).json();
      const other = (await fetched('/fixtures/recipient.pub.pem')).status;
      return { ids: Array.from(input.input_ids.data, Number), dims: output.dims, values: Array.from(output.data), config: config.model_type, other };
    });
    const ids = ['sealed', 'tensors', 'cross', 'the', '[UNK]', 'bus'].map((word) => words.indexOf(word));
    assert.deepEqual(result.ids, ids);
    assert.deepEqual(result.dims, [1, 6, 4]);
    assert.deepEqual(result.values, ids.flatMap(row));
    assert.deepEqual([result.config, result.other], ['bert', 200]);
    assert.ok(!server.requests.some(({ path }) => /model\.onnx$|tokenizer|config\.json/.test(path)), 'nothing but the sealed file was asked for');
  } finally {
    await browser.close();
    server.close();
  }
});
