import { PqcGpuError } from './error.js';

/** What may wait in a WebSocket before the writer waits. */
const BUFFERED = 4 << 20;
/** The longest message; the protocol's bytes are cut anywhere. */
const MESSAGE = 1 << 16;

/**
 * A WebSocket as a pair of byte streams, as docs/protocol.md's section on transports has it: binary messages, whose boundaries
 * mean nothing.
 */
export async function webSocketStream(socket, { signal } = {}) {
  socket.binaryType = 'arraybuffer';
  let controller;
  let ended = false;
  const readable = new ReadableStream(
    {
      start: (given) => {
        controller = given;
      },
      cancel: () => {
        ended = true;
        socket.close();
      },
    },
    { highWaterMark: 64 },
  );
  const end = (error) => {
    if (ended) return;
    ended = true;
    if (error) controller.error(error);
    else controller.close();
  };
  socket.addEventListener('message', ({ data }) => {
    if (ended) return;
    if (data instanceof ArrayBuffer) controller.enqueue(new Uint8Array(data));
    else end(new PqcGpuError('malformed', 'the peer sent text; the protocol is binary'));
  });
  socket.addEventListener('close', () => end());
  socket.addEventListener('error', () => end(new PqcGpuError('connection-failed', 'the WebSocket failed')));
  if (socket.readyState === 0) {
    const listening = new AbortController();
    const once = { once: true, signal: listening.signal };
    const opened = new Promise((resolve, reject) => {
      const failed = () => reject(new PqcGpuError('connection-failed', `no WebSocket to ${socket.url}: not reachable, or refused`));
      const abort = () => {
        reject(signal.reason);
        socket.close();
      };
      signal?.addEventListener('abort', abort, once);
      socket.addEventListener('open', resolve, once);
      socket.addEventListener('close', failed, once);
    });
    await opened.finally(() => listening.abort());
  }
  const drained = async () => {
    while (socket.bufferedAmount > BUFFERED && socket.readyState === 1) await new Promise((done) => setTimeout(done, 2));
  };
  const writable = new WritableStream({
    async write(bytes) {
      for (let at = 0; at < bytes.length; at += MESSAGE) {
        if (socket.readyState !== 1) throw new PqcGpuError('connection-closed', 'the WebSocket is closed');
        socket.send(bytes.subarray(at, at + MESSAGE));
        await drained();
      }
    },
    close: () => socket.close(1000),
    abort: () => socket.close(),
  });
  return { readable, writable };
}

/** A pair of streams as the module reads and writes it. */
export class ByteStream {
  #reader;
  #writer;

  constructor({ readable, writable }) {
    this.#reader = readable.getReader();
    this.#writer = writable.getWriter();
  }

  async read() {
    for (;;) {
      const { value, done } = await this.#reader.read();
      if (done) return undefined;
      if (value.length > 0) return value;
    }
  }

  write(bytes) {
    return this.#writer.write(bytes);
  }

  /** The transport's end: nothing more is read or written. */
  async end() {
    await Promise.allSettled([this.#writer.close(), this.#reader.cancel()]);
  }

  async abort(reason) {
    await Promise.allSettled([this.#writer.abort(reason), this.#reader.cancel(reason)]);
  }
}
