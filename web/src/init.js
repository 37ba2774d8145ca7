import start, * as module from '../wasm/pqc_gpu.js';
import { PqcGpuError } from './error.js';

let started;

/** Loads the WebAssembly module, once; everything else does so by itself. */
export async function init(options = {}) {
  started ??= start({ module_or_path: options.module ?? new URL('../wasm/pqc_gpu_bg.wasm', import.meta.url) });
  try {
    await started;
  } catch (cause) {
    started = undefined;
    throw new PqcGpuError('module-failed', `the WebAssembly module cannot be loaded: ${cause?.message ?? cause}`, { cause });
  }
  return module;
}

/** Bytes of the module's memory; 0 before it is loaded. */
export async function moduleMemory() {
  return started ? (await started).memory.buffer.byteLength : 0;
}
