import { PqcGpuError, asError, outcome } from './error.js';
import { init } from './init.js';

/** Why this browser has no WebGPU here, or undefined. */
async function missing() {
  const gpu = globalThis.navigator?.gpu;
  if (!gpu) {
    return globalThis.isSecureContext === false
      ? 'WebGPU needs a secure context: https, or localhost'
      : 'this browser has no WebGPU here (navigator.gpu is not there)';
  }
  try {
    if (await gpu.requestAdapter()) return undefined;
  } catch (error) {
    return `the browser's WebGPU failed: ${error?.message ?? error}`;
  }
  return 'the browser has WebGPU and offers no adapter for it; its GPU may be blocked or its driver missing';
}

/** What would open tensors here, and why it is not the GPU where it is not. */
export async function isSupported() {
  if (typeof WebAssembly !== 'object') return { supported: false, webgpu: false, reason: 'this browser has no WebAssembly' };
  const reason = await missing();
  if (!reason) return { supported: true, webgpu: true, backend: 'webgpu' };
  return { supported: true, webgpu: false, backend: globalThis.crypto?.subtle ? 'webcrypto' : 'wasm', reason };
}

const shared = new WeakMap();
let own;

/** What tensors are opened on: the page's GPUDevice or one of the browser's, else WebCrypto, else WebAssembly. */
export class Device {
  #inner;
  #reason;

  /** @internal */
  constructor(inner, reason) {
    this.#inner = inner;
    this.#reason = reason;
  }

  static async open(options = {}) {
    const { gpuDevice, backend = gpuDevice ? 'webgpu' : 'auto' } = options;
    const module = await init();
    const { Opener } = module;
    switch (backend) {
      case 'webgpu':
        return new Device(await outcome(Opener.webgpu(gpuDevice)));
      case 'webcrypto':
        return new Device(await outcome((async () => Opener.webcrypto())()));
      case 'wasm':
        return new Device(Opener.wasm());
      case 'auto':
        break;
      default:
        throw new PqcGpuError('usage', `backend is auto, webgpu, webcrypto or wasm, not ${backend}`);
    }
    let reason = await missing();
    if (!reason) {
      try {
        return new Device(await Opener.webgpu(undefined));
      } catch (thrown) {
        reason = asError(thrown).message;
      }
    }
    try {
      return new Device(Opener.webcrypto(), reason);
    } catch (thrown) {
      return new Device(Opener.wasm(), `${reason}; ${asError(thrown).message}`);
    }
  }

  /** The device that options name: a Device, a GPUDevice, or one of this package's own, which all share. @internal */
  static async of({ device, backend = 'auto' } = {}) {
    if (device instanceof Device) return device;
    if (device) {
      if (!shared.has(device)) shared.set(device, Device.open({ gpuDevice: device }));
      return shared.get(device);
    }
    if (backend !== 'auto') return Device.open({ backend });
    own ??= Device.open().then((device) => {
      device.gpuDevice?.lost.then(() => (own = undefined));
      return device;
    });
    own.catch(() => (own = undefined));
    return own;
  }

  get backend() {
    return this.#inner.backend;
  }

  get fallbackReason() {
    return this.#reason;
  }

  get adapter() {
    return this.#inner.adapter;
  }

  get software() {
    return this.#inner.software;
  }

  get gpuDevice() {
    return this.#inner.gpuDevice;
  }

  get launches() {
    return this.#inner.launches;
  }

  /** @internal */
  get inner() {
    return this.#inner;
  }
}
