//! Many bodies under as many keys on a device, in one batch of launches: five buffers for all, each body its part.

use core::ops::Range;

use pqc_gpu_driver::{
    conformance::{read, write},
    device::{Binding, Device, Launch},
    kernel::{Kernel, Params, VERDICT_BYTES},
};

use super::cases::Case;

/// What lies beside the plaintexts.
pub(crate) const BESIDE: u8 = 0xa5;

/// What the batch opened, each with its verdict, and what lies between.
pub(crate) struct Arenas {
    pub(crate) opened: Vec<(bool, Vec<u8>)>,
    pub(crate) beside: Vec<u8>,
}

/// Parts of one buffer, each where a binding may start.
struct Parts {
    parts: Vec<Range<u64>>,
    bytes: u64,
}

impl Parts {
    fn new<D: Device>(device: &D, lengths: impl Iterator<Item = usize>) -> Self {
        let mut end = 0u64;
        let part = |length: usize| {
            let start = end.next_multiple_of(device.info().binding_alignment);
            end = start + length as u64;
            // Room for a binding that is not empty, and for what must stay as it is.
            let part = start..end;
            end += 1;
            part
        };
        let parts: Vec<_> = lengths.map(part).collect();
        Parts { parts, bytes: (end + 512).next_multiple_of(16) }
    }

    /// A binding is never empty.
    fn bound<'a, B>(&self, buffer: &'a B, i: usize) -> Binding<'a, B> {
        let Range { start, end } = self.parts[i].clone();
        Binding { buffer, range: start..end.max(start + 1) }
    }

    async fn upload<'a, D: Device>(&self, device: &D, fill: u8, data: impl Iterator<Item = &'a [u8]>) -> D::Buffer {
        let mut image = vec![fill; self.bytes as usize];
        for (part, data) in self.parts.iter().zip(data) {
            image[part.start as usize..][..data.len()].copy_from_slice(data);
        }
        let buffer = device.alloc(self.bytes).unwrap();
        write(device, &buffer, 0, &image).await;
        buffer
    }
}

fn stamp(i: usize) -> [u32; 4] {
    [1 + i as u32, 2, 3, 4]
}

fn token(i: usize) -> u32 {
    0x8000_0001 + i as u32
}

/// Keys, their contexts and the AADs.
struct Keyed<D: Device> {
    contexts: Parts,
    context: D::Buffer,
    aads: Parts,
    aad: D::Buffer,
}

impl<D: Device> Keyed<D> {
    async fn new<'a>(
        device: &D,
        batch: &mut D::Batch,
        keys: impl Iterator<Item = &'a [u8]>,
        aads: impl Iterator<Item = &'a [u8]> + Clone,
        count: usize,
    ) -> Self {
        let raw = Parts::new(device, (0..count).map(|_| 32));
        let raw_keys = raw.upload(device, 0, keys).await;
        let contexts = Parts::new(device, (0..count).map(|_| device.info().key_context_bytes as usize));
        let context = device.alloc(contexts.bytes).unwrap();
        for i in 0..count {
            let bindings = &[raw.bound(&raw_keys, i), contexts.bound(&context, i)];
            let params = Params { stamp: stamp(i), ..Params::default() };
            device.launch(batch, Launch { kernel: Kernel::ExpandKey, bindings, params });
        }
        let parts = Parts::new(device, aads.clone().map(<[u8]>::len));
        // What lies behind an AAD is no part of it.
        let aad = parts.upload(device, 0xee, aads).await;
        Keyed { contexts, context, aads: parts, aad }
    }

    fn context(&self, i: usize) -> Binding<'_, D::Buffer> {
        self.contexts.bound(&self.context, i)
    }

    fn aad(&self, i: usize) -> Binding<'_, D::Buffer> {
        self.aads.bound(&self.aad, i)
    }
}

/// Seals every case's plaintext.
pub(crate) async fn seal<D: Device>(device: &D, cases: &[Case]) -> Vec<Vec<u8>> {
    let mut batch = device.batch();
    let (keys, aads) = (cases.iter().map(|case| &case.key[..]), cases.iter().map(|case| &case.aad[..]));
    let keyed = Keyed::new(device, &mut batch, keys, aads, cases.len()).await;
    let plaintexts = Parts::new(device, cases.iter().map(|case| case.plaintext.len()));
    let plaintext = plaintexts.upload(device, 0xee, cases.iter().map(|case| &case.plaintext[..])).await;
    let bodies = Parts::new(device, cases.iter().map(|case| case.sealed.len()));
    let body = bodies.upload(device, 0xee, core::iter::empty()).await;
    for (i, case) in cases.iter().enumerate() {
        let bindings = &[keyed.context(i), keyed.aad(i), plaintexts.bound(&plaintext, i), bodies.bound(&body, i)];
        let params = Params { stamp: stamp(i), ..case.params() };
        device.launch(&mut batch, Launch { kernel: Kernel::Seal, bindings, params });
    }
    let fence = device.submit(batch).unwrap();
    device.wait(fence).await.unwrap();
    let image = read(device, &body, 0..bodies.bytes).await;
    bodies.parts.iter().map(|part| image[part.start as usize..part.end as usize].to_vec()).collect()
}

/// Opens every case as it is altered.
pub(crate) async fn open<D: Device>(device: &D, cases: &[Case]) -> Arenas {
    let mut batch = device.batch();
    let keys = cases.iter().map(|case| &case.opening.key[..]);
    let aads = cases.iter().map(|case| &case.opening.aad[..]);
    let keyed = Keyed::new(device, &mut batch, keys, aads, cases.len()).await;
    let bodies = Parts::new(device, cases.iter().map(|case| case.opening.body.len()));
    let body = bodies.upload(device, 0xee, cases.iter().map(|case| &case.opening.body[..])).await;
    let outs = Parts::new(device, cases.iter().map(Case::opened_bytes));
    let out = outs.upload(device, BESIDE, core::iter::empty()).await;
    let verdicts = device.alloc(cases.len() as u64 * VERDICT_BYTES).unwrap();
    let verdict = || Binding { buffer: &verdicts, range: 0..cases.len() as u64 * VERDICT_BYTES };
    let params: Vec<_> = (cases.iter().enumerate())
        .map(|(i, case)| Params { verdict: i as u32, token: token(i), stamp: stamp(i), ..case.opening_params() })
        .collect();
    for (i, &params) in params.iter().enumerate() {
        let bindings = &[keyed.context(i), keyed.aad(i), bodies.bound(&body, i), verdict()];
        device.launch(&mut batch, Launch { kernel: Kernel::Verify, bindings, params });
    }
    for (i, &params) in params.iter().enumerate() {
        device
            .launch(&mut batch, Launch { kernel: Kernel::Finalize, bindings: &[keyed.context(i), verdict()], params });
    }
    for (i, &params) in params.iter().enumerate().filter(|&(i, _)| !outs.parts[i].is_empty()) {
        let bindings = &[keyed.context(i), bodies.bound(&body, i), verdict(), outs.bound(&out, i)];
        device.launch(&mut batch, Launch { kernel: Kernel::Open, bindings, params });
    }
    let words = device.copy_out(&mut batch, &verdicts, 0..cases.len() as u64 * VERDICT_BYTES);
    let fence = device.submit(batch).unwrap();
    let reads = device.wait(fence).await.unwrap();
    let words = reads.bytes(words).unwrap();
    let image = read(device, &out, 0..outs.bytes).await;
    let (mut opened, mut beside, mut at) = (Vec::new(), Vec::new(), 0);
    for (i, part) in outs.parts.iter().enumerate() {
        let (start, end) = (part.start as usize, part.end as usize);
        let word = &words[8 * i + 4..8 * i + 8];
        opened.push((word == token(i).to_le_bytes(), image[start..end].to_vec()));
        assert!(word == token(i).to_le_bytes() || word == [0; 4], "a verdict is the token or zero");
        beside.extend(&image[at..start]);
        at = end;
    }
    beside.extend(&image[at..]);
    Arenas { opened, beside }
}
