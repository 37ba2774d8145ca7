/** A tensor that was verified and opened. */
export class Tensor {
  #inner;
  #device;

  /** @internal */
  constructor(inner, device) {
    this.#inner = inner;
    this.#device = device;
  }

  get name() {
    return this.#inner.name;
  }

  get id() {
    return this.#inner.id;
  }

  get dtype() {
    return this.#inner.dtype;
  }

  get shape() {
    return Array.from(this.#inner.shape);
  }

  get byteLength() {
    return this.#inner.byteLength;
  }

  get buffer() {
    return this.#inner.buffer;
  }

  get offset() {
    return this.#inner.offset;
  }

  get bytes() {
    return this.#inner.bytes;
  }

  get backend() {
    return this.#device.backend;
  }

  get rootChecked() {
    return this.#inner.rootChecked;
  }

  /** @internal */
  get inner() {
    return this.#inner;
  }

  /** @internal */
  get device() {
    return this.#device;
  }

  free() {
    this.#inner.free();
  }
}

Tensor.prototype[Symbol.dispose ?? Symbol.for('Symbol.dispose')] = Tensor.prototype.free;
