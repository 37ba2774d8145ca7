import { Device } from './device.js';
import { PqcGpuError, call, outcome } from './error.js';
import { init } from './init.js';
import { sourceOf } from './source.js';
import { Tensor } from './tensor.js';
import { innerOf, pemsOf } from './trust.js';

/** So much is opened before it is handed out. */
const GROUP_BYTES = 16 << 20;
const GROUP = 32;

/** A sealed file whose publisher and recipients were verified; its tensors are verified as they are opened. */
export class SealedModel {
  #inner;
  #source;
  #device;
  #onProgress;
  #tensors;

  /** @internal */
  constructor(inner, source, device, onProgress) {
    this.#inner = inner;
    this.#source = source;
    this.#device = device;
    this.#onProgress = onProgress;
    this.#tensors = Object.freeze(inner.tensors.map(Object.freeze));
  }

  static async open(what, options = {}) {
    const { identity, trust, minimumRelease = 0, signal, onProgress } = options;
    const [keys, pems] = [innerOf(identity), pemsOf(trust)];
    const module = await init();
    signal?.throwIfAborted();
    const [source, device] = await Promise.all([sourceOf(what, options), Device.of(options)]);
    source.signal = signal;
    try {
      const inner = await outcome(module.SealedFile.open(source, keys, pems, minimumRelease));
      source.signal = undefined;
      return new SealedModel(inner, source, device, onProgress);
    } catch (error) {
      await source.close(error);
      throw error;
    }
  }

  get tensors() {
    return this.#tensors;
  }

  get size() {
    return this.#source.size;
  }

  get publisher() {
    return this.#inner.publisher;
  }

  get publisherPinned() {
    return this.#inner.publisherPinned;
  }

  get release() {
    return this.#inner.release;
  }

  get metadata() {
    return this.#inner.metadata;
  }

  get device() {
    return this.#device;
  }

  get backend() {
    return this.#device.backend;
  }

  get fallbackReason() {
    return this.#device.fallbackReason;
  }

  /** One tensor, perhaps into the page's own GPUBuffer. */
  async tensor(name, options = {}) {
    const index = this.#index(name);
    const [tensor] = await this.#open(index, 1, options);
    return tensor;
  }

  /** The tensors in the order of the file, as they come; `from` continues where an earlier stream ended. */
  async *stream(options = {}) {
    const { from } = options;
    let next = from === undefined ? 0 : typeof from === 'number' ? from : this.#index(from);
    while (next < this.#tensors.length) {
      let [count, bytes] = [0, 0];
      while (next + count < this.#tensors.length && count < GROUP && (count === 0 || bytes < GROUP_BYTES)) {
        bytes += this.#tensors[next + count].byteLength;
        count += 1;
      }
      const group = await this.#open(next, count, options);
      try {
        while (group.length > 0) yield group.shift();
      } finally {
        for (const rest of group) rest.free();
      }
      next += count;
    }
  }

  [Symbol.asyncIterator]() {
    return this.stream();
  }

  /** All tensors, by name. */
  async load(options = {}) {
    const tensors = new Map();
    try {
      for await (const tensor of this.stream(options)) tensors.set(tensor.name, tensor);
    } catch (error) {
      for (const tensor of tensors.values()) tensor.free();
      throw error;
    }
    return tensors;
  }

  #index(name) {
    const index = this.#tensors.findIndex((tensor) => tensor.name === name);
    if (index < 0) throw new PqcGpuError('usage', `the file has no tensor named ${name}`);
    return index;
  }

  async #open(first, count, { signal, onProgress = this.#onProgress, buffer, offset = 0, checkRoots = true }) {
    const [given, total] = [[], this.#source.size];
    const progress = (loaded) => {
      signal?.throwIfAborted();
      onProgress?.({ loaded, total });
    };
    signal?.throwIfAborted();
    this.#source.signal = signal;
    const give = (tensor) => given.push(new Tensor(tensor, this.#device));
    try {
      await outcome(
        this.#inner.openTensors(this.#device.inner, first, count, checkRoots, buffer, offset, progress, give),
      );
      return given;
    } catch (error) {
      for (const tensor of given) tensor.free();
      throw error;
    } finally {
      this.#source.signal = undefined;
    }
  }

  free() {
    void this.#source.close();
    call(() => this.#inner.free());
  }
}

SealedModel.prototype[Symbol.dispose ?? Symbol.for('Symbol.dispose')] = SealedModel.prototype.free;
