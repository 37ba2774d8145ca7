// What a page writes, as the type checker sees it.
import { Channel, Identity, PqcGpuError, SealedModel, isSupported, type Tensor } from 'pqc-gpu-driver';
import { sealedFetch } from 'pqc-gpu-driver/transformers';

export async function load(pem: string, publisher: string, gpu: GPUDevice, into: GPUBuffer): Promise<Map<string, Tensor>> {
  const { webgpu, reason } = await isSupported();
  if (!webgpu) console.warn(reason);
  const identity = await Identity.fromPem(pem);
  const controller = new AbortController();
  try {
    const model = await SealedModel.open('/model.pqgs', {
      identity,
      trust: [publisher],
      device: gpu,
      signal: controller.signal,
      onProgress: ({ loaded, total }) => console.log(loaded / total),
    });
    for await (const tensor of model) {
      const buffer: GPUBuffer | undefined = tensor.buffer;
      console.log(tensor.name, tensor.shape.length, buffer?.size);
      tensor.free();
    }
    await model.tensor('weight', { buffer: into, offset: 256 });
    // @ts-expect-error a file needs somebody to trust
    await SealedModel.open('/model.pqgs', { identity });
    return await model.load();
  } catch (error) {
    if (error instanceof PqcGpuError && error.code === 'wrong-recipient') console.warn(error.message);
    throw error;
  }
}

export async function exchange(identity: Identity, server: string): Promise<void> {
  const channel = await Channel.connect('wss://gpu.example/', { identity, trust: server });
  await channel.send({ name: 'x', dtype: 'F32', shape: [4] }, new Float32Array(4));
  for await (const tensor of channel) await channel.send(tensor);
  await channel.free();
}

export async function adapt(identity: Identity, publisher: string): Promise<typeof fetch> {
  const model = await SealedModel.open('/files.pqgs', { identity, trust: publisher, backend: 'webcrypto' });
  return sealedFetch([model]);
}
