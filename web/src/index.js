export { Channel } from './channel.js';
export { Device, isSupported } from './device.js';
export { PqcGpuError } from './error.js';
export { Identity } from './identity.js';
export { init, moduleMemory } from './init.js';
export { SealedModel } from './sealed.js';
export { webSocketStream } from './streams.js';
export { Tensor } from './tensor.js';
