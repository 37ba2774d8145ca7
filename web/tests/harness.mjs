// A server for the package and sealed files, and a Chromium with its WebGPU on a software adapter.
import { createServer } from 'node:http';
import { existsSync, createReadStream, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const web = fileURLToPath(new URL('..', import.meta.url));
export const fixtures = process.env.PQC_GPU_FIXTURES ?? join(web, '../target/web-fixtures');
const types = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.html': 'text/html', '.wasm': 'application/wasm', '.json': 'application/json' };

/** Why nothing can be tested here, or undefined. */
export const missing = [
  [join(web, 'wasm/pqc_gpu_bg.wasm'), 'the module is not built (web/build)'],
  [join(fixtures, 'small.pqgs'), 'there are no sealed files (cargo run --example sealed_fixtures -- target/web-fixtures)'],
  [chromiumPath(), 'Chromium is missing (Debian: apt-get install chromium)'],
].find(([path]) => !existsSync(path))?.[1];

if (missing && process.env.PQC_GPU_REQUIRE_ALL === '1') throw new Error(missing);

function chromiumPath() {
  return process.env.CHROMIUM ?? '/usr/bin/chromium';
}

/** What a sealed fixture holds: name and SHA-256 of each tensor. */
export function digests(name) {
  const lines = readFileSync(join(fixtures, `${name}.sha256`), 'utf8').split('\n');
  return Object.fromEntries(lines.map((line) => line.split('\t').reverse()));
}

/**
 * Serves the package at /, fixtures at /fixtures/. Query parameters make the server misbehave: `cut=N` ends the first response
 * after N bytes, `flip=N` alters byte N, `slow=N` pauses N ms before each piece, `noranges` knows no ranges.
 */
export async function serve() {
  const requests = [];
  const cutAlready = new Set();
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    if (url.pathname === '/favicon.ico') return response.writeHead(204).end();
    requests.push({ path: url.pathname, range: request.headers.range });
    const path = url.pathname.startsWith('/fixtures/') ? join(fixtures, normalize(url.pathname.slice(9))) : join(web, normalize(url.pathname));
    if (!existsSync(path) || !statSync(path).isFile()) return response.writeHead(404).end();
    const size = statSync(path).size;
    const parameter = (name) => (url.searchParams.has(name) ? Number(url.searchParams.get(name)) : undefined);
    const range = !url.searchParams.has('noranges') && /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const start = range ? Number(range[1]) : 0;
    response.writeHead(range ? 206 : 200, {
      'content-type': types[extname(path)] ?? 'application/octet-stream',
      'content-length': size - start,
      etag: `"${size}"`,
      ...(range ? { 'content-range': `bytes ${start}-${size - 1}/${size}` } : {}),
    });
    const [cut, flip, slow] = [parameter('cut'), parameter('flip'), parameter('slow')];
    let at = start;
    for await (const piece of createReadStream(path, { start })) {
      if (response.destroyed) return;
      if (flip !== undefined && at <= flip && flip < at + piece.length) piece[flip - at] ^= 1;
      if (cut !== undefined && at + piece.length > cut && !cutAlready.has(request.url)) {
        cutAlready.add(request.url);
        // Not at once: a reset takes with it what the browser has not read yet, all of it perhaps.
        response.write(piece.subarray(0, Math.max(cut - at, 0)), () => setTimeout(() => response.destroy(), 300));
        return;
      }
      if (slow !== undefined) await new Promise((done) => setTimeout(done, slow));
      if (!response.write(piece)) await room(response);
      at += piece.length;
    }
    response.end();
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { origin: `http://localhost:${server.address().port}`, requests, close: () => server.close() };
}

/** Waits until a response takes more, or is gone. */
function room(response) {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
    if (response.destroyed) done();
  });
}

/** Starts the browser. `webgpu: false` leaves it without WebGPU, `hardware` takes the machine's GPU instead of the software adapter. */
export async function launch({ webgpu = true, hardware = false } = {}) {
  const profile = await mkdtemp(join(tmpdir(), 'pqc-gpu-'));
  const adapter = hardware ? '--enable-features=Vulkan' : '--use-webgpu-adapter=swiftshader';
  const gpu = webgpu ? ['--enable-unsafe-webgpu', adapter] : ['--disable-features=WebGPU', '--disable-gpu'];
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: chromiumPath(),
    headless: true,
    args: [...gpu, '--no-sandbox', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--enable-precise-memory-info', '--js-flags=--expose-gc'],
  });
  const close = async () => {
    await context.close();
    await rm(profile, { recursive: true, force: true });
  };
  return { context, close };
}

/** A page with the package loaded; its errors fail the test. */
export async function open(context, origin) {
  const page = await context.newPage();
  page.errors = [];
  page.on('pageerror', (error) => page.errors.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && page.errors.push(message.text()));
  await page.goto(`${origin}/tests/page/index.html`);
  await page.waitForFunction(() => window.ready);
  return page;
}
