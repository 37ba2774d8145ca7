// Sealed files, opened by the built package in Chromium.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { digests, launch, missing, open, serve } from './harness.mjs';

describe('sealed files on WebGPU', { skip: missing, timeout: 300_000 }, () => {
  let server, browser, page;
  before(async () => {
    server = await serve();
    browser = await launch();
    page = await open(browser.context, server.origin);
  });
  after(async () => {
    await browser?.close();
    server?.close();
  });

  test('what is there is said', async () => {
    assert.deepEqual(await page.evaluate(() => pqc.isSupported()), { supported: true, webgpu: true, backend: 'webgpu' });
    const device = await page.evaluate(async () => {
      const device = await pqc.Device.open();
      return { backend: device.backend, software: device.software, adapter: device.adapter, isolated: crossOriginIsolated };
    });
    assert.equal(device.backend, 'webgpu');
    assert.equal(device.software, true, `${device.adapter} is a software adapter`);
    assert.equal(device.isolated, false, 'no cross-origin isolation is needed');
  });

  test('a file streams into GPUBuffers', async () => {
    const opened = await page.evaluate(async () => {
      const seen = [];
      const model = await pqc.SealedModel.open('/fixtures/small.pqgs', { ...(await keys()), onProgress: (p) => seen.push(p) });
      const [before, tensors] = [model.device.launches, []];
      for await (const tensor of model) {
        const { name, dtype, shape, byteLength, rootChecked, backend } = tensor;
        tensors.push({ name, dtype, shape, byteLength, rootChecked, backend, isBuffer: tensor.buffer instanceof GPUBuffer, digest: await sha256(await readBack(tensor)) });
        tensor.free();
      }
      const { publisher, publisherPinned, release, metadata, size } = model;
      return { tensors, seen, publisher, publisherPinned, release, metadata, size, launches: model.device.launches - before };
    });
    assert.deepEqual(Object.fromEntries(opened.tensors.map((t) => [t.name, t.digest])), digests('small'));
    assert.ok(opened.tensors.every((t) => t.isBuffer && t.rootChecked && t.backend === 'webgpu'));
    assert.deepEqual(opened.tensors.find((t) => t.name === 'matrix').shape, [512, 1024]);
    assert.equal(opened.tensors.find((t) => t.name === 'last').dtype, 'BF16');
    assert.deepEqual([opened.publisherPinned, opened.release, opened.metadata], [true, 3, { 'made-for': 'tests' }]);
    assert.match(opened.publisher, /^did:pqaid:[0-9a-f]{64}$/);
    assert.ok(opened.launches >= 3 * opened.tensors.length, 'the GPU opened them');
    const loaded = opened.seen.map((p) => p.loaded);
    assert.deepEqual(loaded, [...loaded].sort((a, b) => a - b), 'progress does not go back');
    assert.deepEqual([loaded.at(-1), opened.seen.at(-1).total], [opened.size, opened.size]);
  });

  test('one tensor goes into the page\'s own buffer on its own device', async () => {
    const result = await page.evaluate(async () => {
      const device = await (await navigator.gpu.requestAdapter()).requestDevice();
      const buffer = device.createBuffer({ size: 512 * 1024 * 4 + 512, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
      const model = await pqc.SealedModel.open('/fixtures/small.pqgs', { ...(await keys()), device });
      const tensor = await model.tensor('matrix', { buffer, offset: 256 });
      const same = tensor.buffer === buffer && model.device.gpuDevice === device;
      const digest = await sha256(await readBack(tensor));
      tensor.free();
      // The page's buffer stays as it is when the handle goes.
      const again = await sha256(await readBack({ device: model.device, buffer, offset: 256, byteLength: 512 * 1024 * 4 }));
      const short = await refusal(model.tensor('matrix', { buffer, offset: 1024 }));
      const plain = device.createBuffer({ size: 4096, usage: GPUBufferUsage.COPY_DST });
      const usage = await refusal(model.tensor('byte', { buffer: plain }));
      return { same, digest, again, short, usage };
    });
    assert.ok(result.same);
    assert.equal(result.digest, digests('small').matrix);
    assert.equal(result.again, result.digest);
    assert.equal(result.short.code, 'device-failed');
    assert.equal(result.usage.code, 'usage');
  });

  test('a page\'s own shader reads an opened buffer', async () => {
    const [sum, expected] = await page.evaluate(async () => {
      const model = await pqc.SealedModel.open('/fixtures/small.pqgs', await keys());
      const tensor = await model.tensor('matrix');
      const device = tensor.device.gpuDevice;
      const code = `@group(0) @binding(0) var<storage, read> words: array<u32>;
        @group(0) @binding(1) var<storage, read_write> out: array<atomic<u32>>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { if (id.x < arrayLength(&words)) { atomicAdd(&out[0], words[id.x]); } }`;
      const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module: device.createShaderModule({ code }) } });
      const out = device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
      const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer: tensor.buffer, size: tensor.byteLength } }, { binding: 1, resource: { buffer: out } }] });
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(tensor.byteLength / 256);
      pass.end();
      device.queue.submit([encoder.finish()]);
      const result = new Uint32Array((await readBack({ device: tensor.device, buffer: out, offset: 0, byteLength: 4 })).buffer)[0];
      const words = new Uint32Array((await readBack(tensor)).buffer);
      return [result, words.reduce((sum, word) => (sum + word) >>> 0, 0)];
    });
    assert.equal(sum, expected);
  });

  test('streams and blobs are read too', async () => {
    const results = await page.evaluate(async () => {
      const response = await fetch('/fixtures/small.pqgs');
      const size = Number(response.headers.get('content-length'));
      const results = {};
      const all = async (what, options) => {
        const model = await pqc.SealedModel.open(what, { ...(await keys()), ...options });
        const digests = {};
        for (const [name, tensor] of await model.load()) digests[name] = await sha256(await readBack(tensor));
        return digests;
      };
      results.stream = await all(response.body, { size });
      results.blob = await all(await (await fetch('/fixtures/small.pqgs')).blob());
      results.noSize = await refusal(all((await fetch('/fixtures/small.pqgs')).body));
      results.short = await refusal(all((await fetch('/fixtures/small.pqgs')).body, { size: size + 1 }));
      results.something = await refusal(all(7));
      return results;
    });
    assert.deepEqual(results.stream, digests('small'));
    assert.deepEqual(results.blob, digests('small'));
    assert.equal(results.noSize.code, 'usage');
    assert.equal(results.short.code, 'truncated');
    assert.equal(results.something.code, 'usage');
  });

  for (const cut of [30_000, 1_500_000]) {
    test(`a response that breaks off after ${cut} bytes is resumed`, async () => {
      const before = server.requests.length;
      const digest = await page.evaluate(async (cut) => {
        const model = await pqc.SealedModel.open(`/fixtures/small.pqgs?cut=${cut}`, await keys());
        return sha256(await readBack((await model.load()).get('matrix')));
      }, cut);
      assert.equal(digest, digests('small').matrix);
      const asked = server.requests.slice(before).filter((r) => r.path.endsWith('small.pqgs'));
      assert.equal(asked.length, 2);
      assert.match(asked[1].range, /^bytes=[1-9]\d+-$/);
    });

    test(`a server without ranges that breaks off after ${cut} bytes is read from the start again`, async () => {
      const digest = await page.evaluate(async (cut) => {
        const model = await pqc.SealedModel.open(`/fixtures/small.pqgs?noranges&cut=${cut}`, await keys());
        return sha256(await readBack((await model.load()).get('matrix')));
      }, cut);
      assert.equal(digest, digests('small').matrix);
    });
  }

  test('an abort ends it, and what follows goes on', async () => {
    const result = await page.evaluate(async () => {
      const controller = new AbortController();
      const model = await pqc.SealedModel.open('/fixtures/large.pqgs?slow=5', await keys());
      const names = [];
      const run = (async () => {
        for await (const tensor of model.stream({ signal: controller.signal, onProgress: ({ loaded }) => loaded > 30e6 && controller.abort() })) {
          names.push(tensor.name);
          tensor.free();
        }
      })();
      const aborted = await refusal(run);
      const next = model.tensors[names.length].name;
      const rest = [];
      for await (const tensor of model.stream({ from: next })) {
        rest.push([tensor.name, await sha256(await readBack(tensor))]);
        tensor.free();
        if (rest.length === 2) break;
      }
      const early = AbortSignal.abort();
      return { aborted, names, rest, early: await refusal(pqc.SealedModel.open('/fixtures/small.pqgs', { ...(await keys()), signal: early })) };
    });
    assert.equal(result.aborted.name, 'AbortError');
    assert.equal(result.early.name, 'AbortError');
    assert.ok(result.names.length > 0 && result.names.length < 24);
    assert.equal(result.rest.length, 2);
    for (const [name, digest] of result.rest) assert.equal(digest, digests('large')[name]);
  });

  test('an altered chunk is refused, and the tensors before it stand', async () => {
    const result = await page.evaluate(async () => {
      const good = await pqc.SealedModel.open('/fixtures/small.pqgs', await keys());
      const end = good.tensors.find((t) => t.name === 'matrix').end;
      const url = `/fixtures/small.pqgs?flip=${end - 1_000_000}`;
      const model = await pqc.SealedModel.open(url, await keys());
      const odd = await sha256(await readBack(await model.tensor('odd')));
      const refused = await refusal(model.tensor('matrix'));
      // Into the page's own buffer: what was refused is zeros there.
      const device = model.device.gpuDevice;
      const size = 512 * 1024 * 4;
      const buffer = device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
      device.queue.writeBuffer(buffer, 0, new Uint8Array(size).fill(7));
      const again = await refusal(model.tensor('matrix', { buffer }));
      const left = await readBack({ device: model.device, buffer, offset: 0, byteLength: size });
      const last = await sha256(await readBack(await model.tensor('last')));
      const all = await refusal(model.load());
      return { odd, refused, again, zeros: left.every((byte) => byte === 0), last, all };
    });
    assert.equal(result.odd, digests('small').odd);
    assert.deepEqual([result.refused.code, result.refused.ours], ['tampered', true]);
    assert.equal(result.again.code, 'tampered');
    assert.ok(result.zeros, 'nothing of a refused tensor is left');
    assert.equal(result.last, digests('small').last, 'other tensors stand for themselves');
    assert.equal(result.all.code, 'tampered');
  });

  test('an altered front is refused', async () => {
    const codes = await page.evaluate(async () => {
      const codes = [];
      for (const at of [0, 4, 20, 700]) codes.push((await refusal(pqc.SealedModel.open(`/fixtures/small.pqgs?flip=${at}`, await keys()))).code);
      return codes;
    });
    assert.deepEqual(codes.slice(0, 2), ['malformed', 'malformed']);
    assert.ok(codes.slice(2).every((code) => ['malformed', 'tampered'].includes(code)), codes.join());
  });

  test('others than recipients and others than the publisher are refused', async () => {
    const result = await page.evaluate(async () => {
      const open = (options) => refusal(pqc.SealedModel.open('/fixtures/small.pqgs', options));
      const mine = await keys();
      return {
        recipient: await open(await keys('stranger')),
        publisher: await open(await keys('recipient', 'stranger')),
        release: await open({ ...mine, minimumRelease: 4 }),
        trustless: await open({ identity: mine.identity }),
        nobody: await open({ trust: mine.trust }),
        any: (await pqc.SealedModel.open('/fixtures/small.pqgs', { identity: mine.identity, trust: 'any' })).publisherPinned,
        absent: await open.call(null, mine) && (await refusal(pqc.SealedModel.open('/fixtures/none.pqgs', mine))),
      };
    });
    assert.equal(result.recipient.code, 'wrong-recipient');
    assert.equal(result.publisher.code, 'untrusted-publisher');
    assert.equal(result.release.code, 'old-release');
    assert.equal(result.trustless.code, 'usage');
    assert.equal(result.nobody.code, 'usage');
    assert.equal(result.any, false);
    assert.equal(result.absent.code, 'read-failed');
  });

  test('a lost device is an error of its own, and a new one works', async () => {
    const result = await page.evaluate(async () => {
      const device = await (await navigator.gpu.requestAdapter()).requestDevice();
      const model = await pqc.SealedModel.open('/fixtures/large.pqgs?slow=2', { ...(await keys()), device });
      const lost = await refusal(model.load({ onProgress: ({ loaded }) => loaded > 30e6 && device.destroy() }));
      const after = await refusal(model.tensor('layer.0.weight'));
      const fresh = await pqc.SealedModel.open('/fixtures/small.pqgs', await keys());
      return { lost, after, digest: await sha256(await readBack(await fresh.tensor('matrix'))) };
    });
    assert.equal(result.lost.code, 'device-lost', result.lost.message);
    assert.equal(result.after.code, 'device-lost', result.after.message);
    assert.equal(result.digest, digests('small').matrix);
  });

  test('a freed tensor\'s buffer is gone', async () => {
    const messages = await page.evaluate(async () => {
      const model = await pqc.SealedModel.open('/fixtures/small.pqgs', await keys());
      const tensor = await model.tensor('chunk');
      const [buffer, device] = [tensor.buffer, tensor.device.gpuDevice];
      tensor.free();
      device.pushErrorScope('validation');
      const encoder = device.createCommandEncoder();
      const copy = device.createBuffer({ size: 16, usage: GPUBufferUsage.COPY_DST });
      encoder.copyBufferToBuffer(buffer, 0, copy, 0, 16);
      device.queue.submit([encoder.finish()]);
      const error = await device.popErrorScope();
      model.free();
      return [error?.message, (await refusal((async () => tensor.name)())).message];
    });
    assert.match(messages[0], /destroyed/i);
    assert.ok(messages[1]);
  });

  test('a worker opens files too', async () => {
    const answer = await page.evaluate(async () => {
      const worker = new Worker('/tests/page/worker.js', { type: 'module' });
      const answer = new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
      worker.postMessage({ url: '/fixtures/small.pqgs', identity: await text('/fixtures/recipient.pem'), trust: await text('/fixtures/publisher.pub.pem') });
      return answer;
    });
    assert.equal(answer.error, undefined);
    assert.deepEqual(answer.names.map(([name]) => name), Object.keys(digests('small')));
    assert.ok(answer.names.every(([, kind]) => kind === 'GPUBuffer'));
    assert.equal(answer.backend, 'webgpu');
  });

  test('memory of the page grows by a few chunks over a 100 MB file', async () => {
    const fresh = await open(browser.context, server.origin);
    const result = await fresh.evaluate(async () => {
      // What is still held: dead ArrayBuffers of the network count until they are swept, behind the collection.
      const heap = async () => {
        gc();
        await new Promise((done) => setTimeout(done, 20));
        gc();
        return performance.memory.usedJSHeapSize;
      };
      const model = await pqc.SealedModel.open('/fixtures/large.pqgs', await keys());
      (await model.tensor('layer.0.weight')).free();
      const [module, before] = [await pqc.moduleMemory(), await heap()];
      let [most, bytes] = [0, 0];
      for await (const tensor of model) {
        bytes += tensor.byteLength;
        tensor.free();
        most = Math.max(most, await heap());
      }
      return { module: (await pqc.moduleMemory()) - module, heap: most - before, bytes, all: await pqc.moduleMemory() };
    });
    console.log(`opened ${result.bytes} bytes: wasm memory grew by ${result.module} (is ${result.all}), the JavaScript heap by ${result.heap}`);
    assert.ok(result.bytes > 90e6);
    assert.ok(result.module <= 4 << 20, `wasm memory grew by ${result.module}`);
    assert.ok(result.heap <= 4 << 20, `the JavaScript heap grew by ${result.heap}`);
    await fresh.close();
  });

  test('the page saw no error', () => {
    const errors = page.errors.filter((text) => !/404|ERR_CONTENT_LENGTH_MISMATCH|ERR_CONNECTION_RESET|ERR_INCOMPLETE/.test(text));
    assert.deepEqual(errors, []);
  });
});

describe('without WebGPU', { skip: missing, timeout: 300_000 }, () => {
  let server, browser, page;
  before(async () => {
    server = await serve();
    browser = await launch({ webgpu: false });
    page = await open(browser.context, server.origin);
  });
  after(async () => {
    await browser?.close();
    server?.close();
  });

  test('the reason is said, and WebCrypto opens', async () => {
    const support = await page.evaluate(() => pqc.isSupported());
    assert.deepEqual([support.supported, support.webgpu, support.backend], [true, false, 'webcrypto']);
    assert.match(support.reason, /WebGPU/);
    const refused = await page.evaluate(() => refusal(pqc.Device.open({ backend: 'webgpu' })));
    assert.equal(refused.code, 'device-unavailable');
  });

  for (const backend of ['auto', 'webcrypto', 'wasm']) {
    test(`backend ${backend}`, async () => {
      const result = await page.evaluate(async (backend) => {
        const model = await pqc.SealedModel.open('/fixtures/small.pqgs', { ...(await keys()), backend });
        const digests = {};
        for await (const tensor of model) digests[tensor.name] = await sha256(tensor.bytes);
        const end = model.tensors.find((t) => t.name === 'matrix').end;
        const bad = await pqc.SealedModel.open(`/fixtures/small.pqgs?flip=${end - 1_000_000}`, { ...(await keys()), backend });
        const tensor = await model.tensor('odd');
        const [bytes, rootChecked] = [tensor.bytes, tensor.rootChecked];
        tensor.free();
        return { digests, backend: model.backend, reason: model.fallbackReason, refused: await refusal(bad.tensor('matrix')), erased: bytes.every((b) => b === 0), rootChecked };
      }, backend);
      assert.deepEqual(result.digests, digests('small'));
      assert.equal(result.backend, backend === 'auto' ? 'webcrypto' : backend);
      if (backend === 'auto') assert.match(result.reason, /WebGPU/);
      assert.equal(result.refused.code, 'tampered');
      assert.ok(result.erased && result.rootChecked);
    });
  }
});
