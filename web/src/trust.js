import { PqcGpuError } from './error.js';

/** `trust` as the module takes it: PEM texts, or undefined for anyone, which must be asked for by name. */
export function pemsOf(trust) {
  if (trust === 'any') return undefined;
  const list = Array.isArray(trust) ? trust : [trust];
  if (list.length === 0 || !list.every((pem) => typeof pem === 'string')) {
    throw new PqcGpuError('usage', "trust is one or more public keys as PEM, or 'any' to accept anyone");
  }
  return list;
}

/** Identities are this package's. */
export function innerOf(identity) {
  if (!identity?.inner) throw new PqcGpuError('usage', 'the option identity is an Identity');
  return identity.inner;
}
