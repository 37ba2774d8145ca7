// Measures web/demo/index.html in Chromium: `node demo/measure.mjs [PICTURE.png]`, after web/build and
// `cargo run --release --example sealed_fixtures -- target/web-fixtures`. PQC_GPU_ADAPTER=hardware takes the machine's GPU.
import { launch, missing, serve } from '../tests/harness.mjs';

if (missing) throw new Error(missing);
const server = await serve();
const browser = await launch({ hardware: process.env.PQC_GPU_ADAPTER === 'hardware' });
try {
  const page = await browser.context.newPage();
  await page.goto(`${server.origin}/demo/index.html?repeats=${process.env.PQC_GPU_REPEATS ?? 3}`);
  await page.waitForFunction(() => window.result, undefined, { timeout: 1_800_000 });
  console.log(JSON.stringify(await page.evaluate(() => window.result), null, 2));
  if (process.argv[2]) await page.screenshot({ path: process.argv[2] });
} finally {
  await browser.close();
  server.close();
}
