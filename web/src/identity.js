import { call } from './error.js';
import { init } from './init.js';

/** An identity: keys to prove who one is, and to receive sealed files. */
export class Identity {
  #inner;

  /** @internal */
  constructor(inner) {
    this.#inner = inner;
  }

  static async generate() {
    const module = await init();
    return call(() => new Identity(module.Identity.generate()));
  }

  static async fromPem(pem) {
    const module = await init();
    return call(() => new Identity(module.Identity.fromPem(pem)));
  }

  toPem() {
    return call(() => this.#inner.toPem());
  }

  get publicPem() {
    return call(() => this.#inner.publicPem);
  }

  get did() {
    return this.#inner.did;
  }

  /** @internal */
  get inner() {
    return this.#inner;
  }

  free() {
    this.#inner.free();
  }
}

Identity.prototype[Symbol.dispose ?? Symbol.for('Symbol.dispose')] = Identity.prototype.free;
