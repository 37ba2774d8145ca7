// Channels of the built package in Chromium: with the native program over WebSocket, and between two ends in one page.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { fixtures, launch, missing, open, serve } from './harness.mjs';

const target = fileURLToPath(new URL('../../target/', import.meta.url));
const program = process.env.PQC_GPU_PROGRAM ?? [join(target, 'release/pqc-gpu'), join(target, 'debug/pqc-gpu')].find(existsSync);
const skip = missing ?? (program ? undefined : 'the program is not built (cargo build --release)');
if (skip && process.env.PQC_GPU_REQUIRE_ALL === '1') throw new Error(skip);

/** The native program's device end on the CPU device. */
async function native(...more) {
  const child = spawn(program, ['serve', '--websocket', '127.0.0.1:0', '--identity', join(fixtures, 'publisher.pem'), '--trust', join(fixtures, 'recipient.pub.pem'), '--device', 'cpu', '--json', ...more]);
  let [out, log] = ['', ''];
  child.stdout.on('data', (text) => (out += text));
  const ended = new Promise((resolve) => child.on('close', resolve));
  const address = await new Promise((resolve, reject) => {
    child.stderr.on('data', (text) => {
      log += text;
      const found = /listening on (\S+)/.exec(log);
      if (found) resolve(found[1]);
    });
    child.on('close', () => reject(new Error(log)));
  });
  const stop = async () => {
    child.kill('SIGTERM');
    await ended;
    return { report: JSON.parse(out), log };
  };
  return { url: `ws://${address}`, stop };
}

describe('channels', { skip, timeout: 300_000 }, () => {
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

  test('a page and the native program prove their keys, and tensors cross both ways', async () => {
    const device = await native('--allow-origin', server.origin);
    const result = await page.evaluate(async (url) => {
      const { identity, trust } = await keys();
      const channel = await pqc.Channel.connect(url, { identity, trust });
      const [back, sizes] = [[], [0, 1, 16_384, 100_003, 3_000_000]];
      for (const size of sizes) {
        const bytes = new Uint8Array(size).map((_, i) => i * 7 + size);
        await channel.send({ name: `t${size}`, dtype: 'U8', shape: [size] }, bytes);
        const tensor = await channel.receive();
        const returned = await readBack(tensor);
        back.push([tensor.name, tensor.buffer instanceof GPUBuffer, returned.length === size && returned.every((b, i) => b === bytes[i])]);
        // And once more, sealed by the GPU that has it.
        await channel.send(tensor);
        const again = await channel.receive();
        back.push([again.name, again.buffer !== tensor.buffer, (await sha256(await readBack(again))) === (await sha256(bytes))]);
        tensor.free();
        again.free();
      }
      await channel.close();
      const end = await channel.receive();
      const { peer, isValid } = channel;
      await channel.free();
      return { back, end, peer, isValid, publisher: (await pqc.Identity.fromPem(await text('/fixtures/publisher.pem'))).did };
    }, device.url);
    assert.equal(result.back.length, 10);
    for (const [name, elsewhere, same] of result.back) assert.ok(elsewhere && same, name);
    assert.equal(result.end, undefined, 'the program closed');
    assert.equal(result.peer, result.publisher);
    const { report, log } = await device.stop();
    assert.deepEqual([report.clients, report.tensors, report.failed, report.refused], [1, 10, 0, 0], log);
  });

  test('strangers and other origins are refused', async () => {
    const device = await native();
    const result = await page.evaluate(async (url) => {
      const connect = (options) => refusal(pqc.Channel.connect(url, options));
      return { stranger: await connect(await keys('stranger')), untrusted: await connect(await keys('recipient', 'stranger')), aborted: await connect({ ...(await keys()), signal: AbortSignal.abort() }) };
    }, device.url);
    assert.equal(result.stranger.code, 'connection-closed', 'a device does not say why');
    assert.equal(result.untrusted.code, 'untrusted-peer');
    assert.equal(result.aborted.name, 'AbortError');
    const { report } = await device.stop();
    assert.deepEqual([report.clients, report.tensors], [0, 0]);

    const elsewhere = await native('--allow-origin', 'https://models.example');
    const refused = await page.evaluate(async (url) => refusal(pqc.Channel.connect(url, await keys())), elsewhere.url);
    assert.equal(refused.code, 'connection-failed');
    assert.equal((await elsewhere.stop()).report.refused, 1);
  });

  test('a server that is gone is an error', async () => {
    const device = await native();
    const result = await page.evaluate(async (url) => {
      const channel = await pqc.Channel.connect(url, await keys());
      window.channel = channel;
      return channel.isValid;
    }, device.url);
    assert.ok(result);
    const waiting = page.evaluate(() => refusal(channel.receive()));
    await new Promise((done) => setTimeout(done, 200));
    await device.stop();
    const refused = await waiting;
    // The program closes its sessions in order when it is told to stop.
    assert.ok(refused === 'nothing was refused' || refused.code === 'truncated', JSON.stringify(refused));
    assert.equal((await page.evaluate(async () => refusal(pqc.Channel.connect('ws://127.0.0.1:9', await keys())))).code, 'connection-failed');
  });

  test('both roles in one page, over a pair of streams', async () => {
    const result = await page.evaluate(async () => {
      const [to, from] = [new TransformStream(), new TransformStream()];
      const [alice, bob] = [await pqc.Identity.generate(), await pqc.Identity.generate()];
      const [host, device] = await Promise.all([
        pqc.Channel.connect({ writable: to.writable, readable: from.readable }, { identity: alice, trust: bob.publicPem }),
        pqc.Channel.accept({ writable: from.writable, readable: to.readable }, { identity: bob, trust: [alice.publicPem], backend: 'wasm' }),
      ]);
      const bytes = new Float32Array(50_000).map((_, i) => i / 3);
      const [, there] = await Promise.all([host.send({ name: 'w', dtype: 'F32', shape: [50, 1000] }, bytes), device.receive()]);
      const [, back] = await Promise.all([device.send(there), host.receive()]);
      const same = new Float32Array((await readBack(back)).slice().buffer).every((x, i) => x === bytes[i]);
      const wrong = await refusal(host.send({ name: 'w', dtype: 'F32', shape: [3] }, bytes));
      const type = await refusal(host.send({ name: 'w', dtype: 'F33', shape: [3] }, bytes));
      const [, end] = await Promise.all([host.close(), device.receive()]);
      const after = await refusal(host.send({ name: 'w', dtype: 'U8', shape: [1] }, new Uint8Array(1)));
      return { backends: [there.backend, back.backend], same, wrong, type, end: end === undefined, after, peers: host.peer === bob.did && device.peer === alice.did };
    });
    assert.deepEqual(result.backends, ['wasm', 'webgpu']);
    assert.ok(result.same && result.end && result.peers);
    assert.equal(result.wrong.code, 'usage');
    assert.equal(result.type.code, 'malformed');
    assert.equal(result.after.code, 'channel-closed');
  });

  test('a tampered record is refused', async () => {
    const result = await page.evaluate(async () => {
      const [to, from] = [new TransformStream(), new TransformStream()];
      const [alice, bob] = [await pqc.Identity.generate(), await pqc.Identity.generate()];
      // Alters the last byte of the record's body; the handshake's messages are shorter.
      const altering = new TransformStream({
        transform(piece, controller) {
          const copy = piece.slice();
          if (piece.length > 15_000) copy[copy.length - 1] ^= 1;
          controller.enqueue(copy);
        },
      });
      to.readable.pipeTo(altering.writable).catch(() => {});
      const [host, device] = await Promise.all([
        pqc.Channel.connect({ writable: to.writable, readable: from.readable }, { identity: alice, trust: bob.publicPem }),
        pqc.Channel.accept({ writable: from.writable, readable: altering.readable }, { identity: bob, trust: alice.publicPem }),
      ]);
      // Nobody takes the rest of what is sent, so this one is not waited for.
      host.send({ name: 'a', dtype: 'U8', shape: [20_000] }, new Uint8Array(20_000)).catch(() => {});
      return [await refusal(device.receive()), await refusal(device.receive())];
    });
    assert.equal(result[0].code, 'tampered', JSON.stringify(result));
    assert.equal(result[1].code, 'channel-failed');
  });

  test('identities survive their files', async () => {
    const result = await page.evaluate(async () => {
      const identity = await pqc.Identity.generate();
      const again = await pqc.Identity.fromPem(identity.toPem());
      const same = [again.did === identity.did, again.publicPem === identity.publicPem];
      identity.free();
      return [same, await refusal((async () => identity.toPem())()), await refusal(pqc.Identity.fromPem('nothing'))];
    });
    assert.deepEqual(result[0], [true, true]);
    assert.notEqual(result[1], 'nothing was refused');
    assert.equal(result[2].code, 'bad-identity');
  });

  test('the page saw no error but refused connections', () => {
    assert.deepEqual(page.errors.filter((text) => !/WebSocket|ERR_CONNECTION/.test(text)), []);
  });
});
