/// <reference types="@webgpu/types" />

/** Why something was refused. `code` is stable; the message is for people. */
export type ErrorCode =
  /** The page's own mistake. Nothing changed. */
  | 'usage'
  /** The module could not be loaded. */
  | 'module-failed'
  /** No WebGPU, or no WebCrypto, where it was asked for by name. */
  | 'device-unavailable'
  /** The GPUDevice was lost; everything on it is gone. */
  | 'device-lost'
  | 'out-of-memory'
  /** Another failure of the device. Nothing was released. */
  | 'device-failed'
  /** Something was altered, or is not what the publisher signed. Do not use it. */
  | 'tampered'
  /** Not in the one form it may have. */
  | 'malformed'
  /** Signed, but by nobody who is trusted. */
  | 'untrusted-publisher'
  /** Not sealed for this identity. */
  | 'wrong-recipient'
  /** Below `minimumRelease`. */
  | 'old-release'
  /** Shorter than it says, or a stream that ended too early. */
  | 'truncated'
  /** The network or the server failed. */
  | 'read-failed'
  /** The file at the URL is another one by now. */
  | 'changed'
  /** A key or key file that cannot be used. */
  | 'bad-identity'
  | 'untrusted-peer'
  | 'handshake-failed'
  | 'connection-closed'
  | 'connection-failed'
  | 'channel-expired'
  | 'channel-closed'
  | 'channel-failed'
  | 'replay'
  | 'gap'
  | 'limit'
  | 'timed-out'
  | 'no-randomness'
  | 'failed';

/** What this package throws. Aborted calls reject with the signal's reason instead. */
export class PqcGpuError extends Error {
  constructor(code: ErrorCode, message: string, options?: ErrorOptions);
  readonly code: ErrorCode;
}

/** Loads the WebAssembly module; everything else does so by itself. Give `module` where a bundler moves it. */
export function init(options?: { module?: URL | string | Response | Promise<Response> | BufferSource | WebAssembly.Module }): Promise<unknown>;

/** Bytes of the module's memory; 0 before it is loaded. */
export function moduleMemory(): Promise<number>;

/** What opens tensors. */
export type Backend =
  /** On the GPU, into GPUBuffers. */
  | 'webgpu'
  /** By the browser, into memory. */
  | 'webcrypto'
  /** By the module, into memory. */
  | 'wasm';

export interface Support {
  /** Whether anything can be opened here. */
  readonly supported: boolean;
  /** Whether it would be opened on the GPU. */
  readonly webgpu: boolean;
  readonly backend?: Backend;
  /** Why it would not be the GPU. */
  readonly reason?: string;
}

/** What would open tensors here. */
export function isSupported(): Promise<Support>;

export interface DeviceOptions {
  /** A device to share: the page's own GPUDevice, or a Device that was opened before. Without it, all calls share one of this package's. */
  device?: GPUDevice | Device;
  /** `auto` takes WebGPU, else WebCrypto, else wasm, and says so; others are taken or refused. */
  backend?: Backend | 'auto';
}

/** What opens tensors. */
export class Device {
  private constructor();
  static open(options?: { gpuDevice?: GPUDevice; backend?: Backend | 'auto' }): Promise<Device>;
  readonly backend: Backend;
  /** Why it is not the GPU, where `auto` found none. */
  readonly fallbackReason: string | undefined;
  /** The adapter's name. */
  readonly adapter: string | undefined;
  /** Whether a CPU stands in for the GPU. */
  readonly software: boolean;
  readonly gpuDevice: GPUDevice | undefined;
  /** How many kernels ran on the GPU. */
  readonly launches: number;
}

/** Keys to prove who one is, and to receive sealed files. */
export class Identity {
  private constructor();
  static generate(): Promise<Identity>;
  /** Reads what `pqc-gpu identity new` writes: two PKCS#8 blocks (RFC 9881, RFC 9935). */
  static fromPem(pem: string): Promise<Identity>;
  /** The secret keys. A string cannot be erased: keep it where secrets are kept. */
  toPem(): string;
  /** The public keys: what others trust and seal for. */
  readonly publicPem: string;
  /** `did:pqaid:` and the key-id in hex. */
  readonly did: string;
  /** Erases the secret keys once nothing uses them. */
  free(): void;
  [Symbol.dispose](): void;
}

/** Public keys as PEM; or `'any'`, with which nothing holds against an active attacker. */
export type Trust = string | readonly string[] | 'any';

export interface Progress {
  /** Bytes of the file that have come. */
  readonly loaded: number;
  /** Bytes of the file. */
  readonly total: number;
}

export interface OpenOptions extends DeviceOptions {
  /** Whom the file is sealed for. */
  identity: Identity;
  /** The publishers whose files are believed. */
  trust: Trust;
  /** The least release that is taken. */
  minimumRelease?: number;
  /** Ends the opening; each later call takes a signal of its own. */
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Of a URL: what fetches. */
  fetch?: typeof fetch;
  /** Of a URL: headers to send. */
  headers?: HeadersInit;
  /** Of a URL: how often in a row a broken response is asked for again, from where it broke off. 3 unless told. */
  retries?: number;
  /** The file's length, for streams, and for servers that do not tell. */
  size?: number;
}

export interface TensorDescription {
  readonly name: string;
  readonly id: string;
  /** safetensors' name: `F32`, `BF16`, `U8`… */
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** Where in the file its bytes end. */
  readonly end: number;
}

export interface ReadOptions {
  signal?: AbortSignal;
  onProgress?: (progress: Progress) => void;
  /** Compare each tensor with the root that the publisher signed; true unless told. Without it another recipient could have altered it. */
  checkRoots?: boolean;
}

/** A sealed file whose publisher and recipients were verified. Tensors are verified as they are opened, none is given before. */
export class SealedModel {
  private constructor();
  static open(file: string | URL | ReadableStream<Uint8Array> | Blob, options: OpenOptions): Promise<SealedModel>;
  readonly tensors: readonly TensorDescription[];
  /** Bytes of the file. */
  readonly size: number;
  /** The publisher's DID. */
  readonly publisher: string;
  /** False where `trust` was `'any'`. */
  readonly publisherPinned: boolean;
  readonly release: number;
  /** The model's own texts. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly device: Device;
  readonly backend: Backend;
  readonly fallbackReason: string | undefined;
  /** One tensor. Into the page's own buffer, if given: usage STORAGE, an offset that is a multiple of 256; zeros there if refused. */
  tensor(name: string, options?: ReadOptions & { buffer?: GPUBuffer; offset?: number }): Promise<Tensor>;
  /** All tensors in the order of the file; `from` a name or number on. What is not given out when the loop ends is freed. */
  stream(options?: ReadOptions & { from?: string | number }): AsyncGenerator<Tensor, void, undefined>;
  [Symbol.asyncIterator](): AsyncGenerator<Tensor, void, undefined>;
  /** All tensors by name; on error none. */
  load(options?: ReadOptions): Promise<Map<string, Tensor>>;
  /** Erases the file's keys. Tensors stay. */
  free(): void;
  [Symbol.dispose](): void;
}

/** A tensor that was verified. */
export class Tensor {
  private constructor();
  readonly name: string;
  readonly id: string;
  readonly dtype: string;
  readonly shape: number[];
  readonly byteLength: number;
  readonly backend: Backend;
  /** Where it lies on the GPU: usages STORAGE, UNIFORM, COPY_SRC and COPY_DST, or the page's own buffer. */
  readonly buffer: GPUBuffer | undefined;
  readonly offset: number;
  /** Its bytes, little-endian, where there is no GPU. */
  readonly bytes: Uint8Array | undefined;
  /** Whether it was compared with the publisher's root. False for what came over a channel. */
  readonly rootChecked: boolean;
  readonly device: Device;
  /** Erases and destroys the buffer, or erases the bytes, unless the buffer is the page's own. */
  free(): void;
  [Symbol.dispose](): void;
}

export interface ByteStreams {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}

export interface ChannelOptions extends DeviceOptions {
  identity: Identity;
  /** Which peers are accepted. */
  trust: Trust;
  /** A name for the peer's logs; it proves nothing. */
  label?: string;
  /** How long the session lives; as the device's end, the longest that is granted. */
  ttlSeconds?: number;
  /** The largest tensor that is received; 1 GiB unless told. */
  maxTensorBytes?: number;
  /** Ends the handshake. */
  signal?: AbortSignal;
}

/** A mutually authenticated channel; tensors cross it sealed. */
export class Channel {
  private constructor();
  /** The host's end, over a WebSocket, its URL, or a pair of byte streams. */
  static connect(over: string | URL | WebSocket | ByteStreams, options: ChannelOptions): Promise<Channel>;
  /** The device's end. */
  static accept(over: string | URL | WebSocket | ByteStreams, options: ChannelOptions): Promise<Channel>;
  /** The peer's DID. */
  readonly peer: string;
  readonly peerLabel: string;
  /** False once it has ended or failed. */
  readonly isValid: boolean;
  readonly device: Device;
  /** Sends bytes; or a tensor, which its GPU seals. */
  send(tensor: Tensor): Promise<void>;
  send(tensor: { name: string; dtype: string; shape: readonly number[]; id?: string }, bytes: ArrayBuffer | ArrayBufferView): Promise<void>;
  /** The next tensor; undefined after the peer has closed. Failures end the channel. */
  receive(): Promise<Tensor | undefined>;
  [Symbol.asyncIterator](): AsyncGenerator<Tensor, void, undefined>;
  /** Tells the peer that nothing follows from this end. */
  close(): Promise<void>;
  /** Ends the transport and erases the keys. */
  free(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A WebSocket as a pair of byte streams, once it is open. */
export function webSocketStream(socket: WebSocket, options?: { signal?: AbortSignal }): Promise<ByteStreams>;
