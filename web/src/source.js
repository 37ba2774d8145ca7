import { PqcGpuError } from './error.js';

/** The longest part taken at once of what has any part ready. */
const PART = 1 << 20;
/** What is skipped within a response rather than asked for anew. */
const SKIPPED = 1 << 18;

/** The bytes that `what` stands for, for the module to read: `size` and `read(offset, length)`. */
export async function sourceOf(what, options) {
  if (what instanceof Blob) return new BlobSource(what);
  if (what instanceof ReadableStream) return new StreamSource(what, options.size);
  if (typeof what === 'string' || what instanceof URL) return FetchSource.open(String(what), options);
  throw new PqcGpuError('usage', 'a sealed file is a URL, a ReadableStream or a Blob');
}

/** Awaits, but not longer than until the signal aborts. */
function abortable(promise, signal) {
  if (!signal) return promise;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

class BlobSource {
  signal;

  constructor(blob) {
    this.blob = blob;
    this.size = blob.size;
  }

  async read(offset, length) {
    this.signal?.throwIfAborted();
    const part = this.blob.slice(offset, offset + Math.min(length, PART));
    return new Uint8Array(await abortable(part.arrayBuffer(), this.signal));
  }

  async close() {}
}

/** What a reader gives, from an offset on, cut into parts. */
class Forward {
  #reader;
  #held;

  constructor(stream, at) {
    this.#reader = stream.getReader();
    this.at = at;
  }

  /** Some bytes from where it stands; undefined at the end. */
  async some(length, signal) {
    while (!this.#held?.length) {
      const { value, done } = await abortable(this.#reader.read(), signal);
      if (done) return undefined;
      if (!(value instanceof Uint8Array)) throw new PqcGpuError('usage', 'the stream must give Uint8Arrays');
      this.#held = value;
    }
    const part = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(part.length);
    this.at += part.length;
    return part;
  }

  async skipTo(offset, signal) {
    while (this.at < offset) if (!(await this.some(Math.min(offset - this.at, PART), signal))) return false;
    return true;
  }

  async close(reason) {
    this.#held = undefined;
    await this.#reader.cancel(reason).catch(() => {});
  }
}

class StreamSource {
  signal;
  #forward;

  constructor(stream, size) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new PqcGpuError('usage', 'a stream does not tell its length: give the option size, the file\'s length in bytes');
    }
    this.size = size;
    this.#forward = new Forward(stream, 0);
  }

  async read(offset, length) {
    if (offset < this.#forward.at) {
      throw new PqcGpuError('usage', 'a stream is read once, from its start to its end: open its tensors in their order');
    }
    const there = await this.#forward.skipTo(offset, this.signal);
    const part = there && (await this.#forward.some(Math.min(length, PART), this.signal));
    if (!part) throw new PqcGpuError('truncated', `the stream ended after ${this.#forward.at} of ${this.size} bytes`);
    return part;
  }

  close(reason) {
    return this.#forward.close(reason);
  }
}

/** A URL. A response that breaks off is asked for again from where it broke off. */
class FetchSource {
  signal;
  #url;
  #options;
  #forward;
  #etag;
  #failures = 0;

  static async open(url, options) {
    const source = new FetchSource();
    source.#url = url;
    source.#options = options;
    source.signal = options.signal;
    const response = await source.#attempt(0);
    const encoded = response.headers.get('content-encoding') ?? 'identity';
    const length = encoded === 'identity' && response.headers.get('content-length');
    source.size = options.size ?? (length ? Number(length) : NaN);
    if (!Number.isSafeInteger(source.size)) {
      await source.close();
      throw new PqcGpuError('read-failed', `${url}: the server does not tell the file's length; give the option size`);
    }
    return source;
  }

  async read(offset, length) {
    for (;;) {
      this.signal?.throwIfAborted();
      try {
        const at = this.#forward?.at;
        if (at === undefined || at > offset || at + SKIPPED < offset) await this.#attempt(offset);
        const there = await this.#forward.skipTo(offset, this.signal);
        const part = there && (await this.#forward.some(Math.min(length, PART), this.signal));
        if (part) {
          this.#failures = 0;
          return part;
        }
        throw new TypeError('the response ended too early');
      } catch (error) {
        await this.close(error);
        if (this.signal?.aborted || error instanceof PqcGpuError) throw error;
        await this.#wait(error);
      }
    }
  }

  async close(reason) {
    const forward = this.#forward;
    this.#forward = undefined;
    await forward?.close(reason);
  }

  /** Before the next attempt, if there is to be one. */
  async #wait(error) {
    const { retries = 3 } = this.#options;
    if (this.#failures >= retries) {
      throw new PqcGpuError('read-failed', `${this.#url}: ${error?.message ?? error}`, { cause: error });
    }
    const pause = new Promise((resolve) => setTimeout(resolve, 200 * 2 ** this.#failures));
    this.#failures += 1;
    await abortable(pause, this.signal);
  }

  async #attempt(offset) {
    await this.close();
    const { fetch = globalThis.fetch, headers } = this.#options;
    let response;
    for (;;) {
      try {
        const sent = new Headers(headers);
        if (offset > 0) sent.set('range', `bytes=${offset}-`);
        // The signal of whoever asks now would end the response for those who ask later; reads look at theirs themselves.
        response = await abortable(fetch(this.#url, { headers: sent, cache: 'no-store' }), this.signal);
        break;
      } catch (error) {
        if (this.signal?.aborted) throw error;
        await this.#wait(error);
      }
    }
    if (!response.ok || !response.body) {
      await response.body?.cancel().catch(() => {});
      throw new PqcGpuError('read-failed', `${this.#url}: HTTP ${response.status} ${response.statusText}`.trim());
    }
    const etag = response.headers.get('etag');
    if (this.#etag && etag && etag !== this.#etag) {
      await response.body.cancel().catch(() => {});
      throw new PqcGpuError('changed', `${this.#url}: the file changed while it was read; open it again`);
    }
    this.#etag ??= etag;
    // A server without ranges begins at the start again; what is known already is passed over.
    this.#forward = new Forward(response.body, response.status === 206 ? offset : 0);
    return response;
  }
}
