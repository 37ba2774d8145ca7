import { Device } from './device.js';
import { PqcGpuError, outcome } from './error.js';
import { init } from './init.js';
import { ByteStream, webSocketStream } from './streams.js';
import { Tensor } from './tensor.js';
import { innerOf, pemsOf } from './trust.js';

/** A mutually authenticated channel; tensors cross it sealed. */
export class Channel {
  #inner;
  #stream;
  #device;
  #sending = Promise.resolve();

  /** @internal */
  constructor(inner, stream, device) {
    this.#inner = inner;
    this.#stream = stream;
    this.#device = device;
  }

  /** The host's end: who sends tensors to a device. */
  static connect(over, options) {
    return Channel.#shake('connect', over, options);
  }

  /** The device's end. */
  static accept(over, options) {
    return Channel.#shake('accept', over, options);
  }

  static async #shake(role, over, options = {}) {
    const { identity, trust, label = 'browser', ttlSeconds, maxTensorBytes = 1 << 30, signal } = options;
    const [keys, pems] = [innerOf(identity), pemsOf(trust)];
    const module = await init();
    const device = await Device.of(options);
    signal?.throwIfAborted();
    const stream = new ByteStream(await pairOf(over, signal));
    const abort = () => stream.abort(signal.reason);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      const inner = await outcome(module.Channel[role](stream, keys, pems, label, ttlSeconds, maxTensorBytes));
      return new Channel(inner, stream, device);
    } catch (error) {
      await stream.abort(error);
      throw signal?.aborted ? signal.reason : error;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  get peer() {
    return this.#inner.peer;
  }

  get peerLabel() {
    return this.#inner.peerLabel;
  }

  get isValid() {
    return this.#inner.isValid;
  }

  get device() {
    return this.#device;
  }

  /** Sends a tensor: a description and bytes, or one that was opened, which its GPU seals. */
  send(tensor, bytes) {
    return this.#next(() => {
      if (tensor instanceof Tensor) return this.#inner.sendTensor(tensor.device.inner, tensor.inner);
      const { name, dtype, shape, id = name } = tensor;
      const view = ArrayBuffer.isView(bytes)
        ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
        : new Uint8Array(bytes);
      return this.#inner.send(id, name, dtype, Float64Array.from(shape), view);
    });
  }

  /** The next tensor, opened; undefined after the peer has closed. */
  async receive() {
    const tensor = await outcome(this.#inner.receive(this.#device.inner));
    return tensor && new Tensor(tensor, this.#device);
  }

  async *[Symbol.asyncIterator]() {
    for (;;) {
      const tensor = await this.receive();
      if (!tensor) return;
      yield tensor;
    }
  }

  /** Tells the peer that nothing follows from this end. */
  close() {
    return this.#next(() => this.#inner.close());
  }

  #next(work) {
    const sent = this.#sending.then(() => outcome(work()));
    this.#sending = sent.catch(() => {});
    return sent;
  }

  /** Ends the transport and erases the session's keys. */
  async free() {
    await this.#sending;
    await this.#stream.end();
    this.#inner.free();
  }
}

Channel.prototype[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')] = Channel.prototype.free;

async function pairOf(over, signal) {
  if (over?.readable && over.writable) return over;
  if (typeof WebSocket === 'function') {
    if (typeof over === 'string' || over instanceof URL) return webSocketStream(new WebSocket(over), { signal });
    if (over instanceof WebSocket) return webSocketStream(over, { signal });
  }
  throw new PqcGpuError('usage', 'a channel runs over a WebSocket, its URL, or a pair of byte streams { readable, writable }');
}
