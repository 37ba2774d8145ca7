//! Memory and verdicts: what lies in a buffer before, and what a launch can be talked into.

use core::ops::Range;

use super::{noise, read, write};
use crate::{
    device::{Binding, Device, Launch, Part, Slot, SlotWriter},
    kernel::{
        Kernel, Params, VERDICT_BYTES,
        digest::{NODE_BYTES, ROOT_HOLDS, RootCheck},
        twin,
    },
    sealed::tree,
};

/// Allocated memory is zero.
pub async fn fresh_memory_is_zero<D: Device>(device: &D) {
    for bytes in [16, 4096, 1 << 20] {
        let buffer = device.alloc(bytes).expect("allocates");
        assert!(read(device, &buffer, 0..bytes).await.iter().all(|&byte| byte == 0));
    }
}

/// What was in freed memory is not to be seen in the next allocation (LeftoverLocals, CVE-2023-4969).
pub async fn freed_memory_shows_nothing<D: Device>(device: &D) {
    for round in 0..8 {
        let bytes = 1 << 20;
        let buffer = device.alloc(bytes).expect("allocates");
        let seen = read(device, &buffer, 0..bytes).await;
        assert!(seen.iter().all(|&byte| byte == 0), "round {round}");
        write(device, &buffer, 0, &noise(round, bytes as usize)).await;
    }
}

/// Slots hand out parts to several threads, refuse what does not fit, and give exactly what was written.
pub async fn slots_take_parts<D: Device>(device: &D) {
    let buffer = device.alloc(4096).expect("allocates");
    let mut slot = device.slot().await.expect("a slot");
    assert!(slot.capacity() == device.info().slot_bytes && slot.capacity() % 16_400 == 0);
    assert!(slot.writers(&[slot.capacity(), 1]).is_err());
    assert!(slot.writers(&[u64::MAX, 2]).is_err());
    let bytes = noise(1, 4096);
    {
        let mut writers = slot.writers(&[1000, 0, 3096]).expect("fits");
        assert_eq!(writers.iter().map(SlotWriter::capacity).collect::<Vec<_>>(), [1000, 0, 3096]);
        assert!(writers[1].write(0, &[1]).is_err());
        assert!(writers[0].write(1, &bytes[..1000]).is_err());
        assert!(writers[0].write(u64::MAX, &[1]).is_err());
        writers[2].write(0, &bytes[1000..]).expect("fits");
        writers[0].write(500, &bytes[500..1000]).expect("fits");
        writers[0].write(0, &bytes[..500]).expect("fits");
    }
    let mut batch = device.batch();
    let parts = [Part { from: 2048, to: 0, bytes: 2048 }, Part { from: 0, to: 2048, bytes: 2048 }];
    device.copy_in(&mut batch, slot, &buffer, &parts);
    let fence = device.submit(batch).expect("submits");
    device.wait(fence).await.expect("copies");
    assert_eq!(read(device, &buffer, 0..4096).await, [&bytes[2048..], &bytes[..2048]].concat());
}

/// A slot that held a secret shows nothing of it to whoever gets it next.
pub async fn secret_slots_are_erased<D: Device>(device: &D) {
    let secret = noise(4, 4096);
    let to = device.alloc(4096).expect("allocates");
    let mut batch = device.batch();
    let mut slot = device.slot().await.expect("a slot");
    slot.erase_after_use();
    slot.writers(&[4096]).expect("fits")[0].write(0, &secret).expect("fits");
    device.copy_in(&mut batch, slot, &to, &[Part { from: 0, to: 0, bytes: 4096 }]);
    let fence = device.submit(batch).expect("submits");
    device.wait(fence).await.expect("copies");
    assert_eq!(read(device, &to, 0..4096).await, secret);
    // All slots there are, as they come and not written to.
    let mut batch = device.batch();
    let mut seen = Vec::new();
    for _ in 0..device.info().slots {
        let slot = device.slot().await.expect("a slot");
        let to = device.alloc(4096).expect("allocates");
        device.copy_in(&mut batch, slot, &to, &[Part { from: 0, to: 0, bytes: 4096 }]);
        seen.push(to);
    }
    let fence = device.submit(batch).expect("submits");
    device.wait(fence).await.expect("copies");
    for buffer in &seen {
        let bytes = read(device, buffer, 0..4096).await;
        assert!(
            !bytes.chunks(16).zip(secret.chunks(16)).any(|(left, secret)| left == secret),
            "the secret is still there"
        );
    }
}

/// An erased key context is all zeros, a key known to everyone: neither opens nor seals.
pub async fn erased_contexts_are_useless<D: Device>(device: &D) {
    let (key, nonce, plaintext) = ([0; 32], [0; 12], [7; 40]);
    let body = twin::chunked::seal_body(&key, &nonce, &[], &plaintext, 16_384);
    for stamp in [[0; 4], [1, 2, 3, 4]] {
        let mut bench = Bench::new(device, &body).await;
        let params = Params { stamp, token: 77, expected: 1, ..bench.params(plaintext.len()) };
        // The context was never expanded (or was erased): its memory is zero, its stamp is zero.
        bench.open(params).await;
        assert_eq!(bench.verdict().await[4..], [0; 4], "stamp {stamp:?}");
        assert!(bench.plaintext().await.iter().all(|&byte| byte == 0));

        let sealed = device.alloc(64).expect("allocates");
        write(device, &sealed, 0, &[0xee; 56]).await;
        let input = device.alloc(48).expect("allocates");
        bench
            .run(Kernel::Seal, &[&bench.context, &bench.aad, &input, &sealed], &[None, None, None, Some(56)], params)
            .await;
        assert!(read(device, &sealed, 0..56).await.iter().all(|&byte| byte == 0));
    }
}

/// Without a verify there is no verdict, and what finalize was not run for does not open.
pub async fn verdicts_start_as_failure<D: Device>(device: &D) {
    let (key, plaintext) = ([5; 32], [7; 40]);
    let body = twin::chunked::seal_body(&key, &[0; 12], &[], &plaintext, 16_384);
    let mut bench = Bench::new(device, &body).await;
    let params = Params { token: 77, expected: 1, ..bench.params(plaintext.len()) };
    bench.expand(&key, params).await;
    bench.finalize(params).await;
    assert_eq!(bench.verdict().await, [0; 8], "finalize without verify");
    for token in [77, 0] {
        bench.decrypt(Params { token, ..params }).await;
        assert!(bench.plaintext().await.iter().all(|&byte| byte == 0), "decrypt without a verdict, token {token}");
    }
    bench.verify(params).await;
    assert_eq!(bench.verdict().await, [1, 0, 0, 0, 0, 0, 0, 0], "verify alone gives no verdict");
    bench.decrypt(params).await;
    assert!(bench.plaintext().await.iter().all(|&byte| byte == 0));
    // More chunks expected than counted, or none.
    for expected in [0, 2, u32::MAX] {
        bench.finalize(Params { expected, ..params }).await;
        assert_eq!(bench.verdict().await[4..], [0; 4]);
    }
    // Another stamp than the context's.
    bench.finalize(Params { stamp: [9; 4], ..params }).await;
    assert_eq!(bench.verdict().await[4..], [0; 4]);
    bench.finalize(params).await;
    bench.decrypt(params).await;
    assert_eq!(bench.plaintext().await[..40], plaintext);
    // More counted than expected takes back what was said.
    bench.verify(params).await;
    bench.finalize(params).await;
    assert_eq!(bench.verdict().await, [2, 0, 0, 0, 0, 0, 0, 0]);
}

/// A context without a stamp is none, whatever key it holds: zeros are what erasing leaves.
pub async fn contexts_without_stamp_are_useless<D: Device>(device: &D) {
    let (key, plaintext) = ([5; 32], [7; 40]);
    let body = twin::chunked::seal_body(&key, &[0; 12], &[], &plaintext, 16_384);
    let mut bench = Bench::new(device, &body).await;
    let params = Params { stamp: [0; 4], token: 77, expected: 1, ..bench.params(plaintext.len()) };
    bench.expand(&key, params).await;
    bench.open(params).await;
    assert_eq!(bench.verdict().await[4..], [0; 4]);
    assert!(bench.plaintext().await.iter().all(|&byte| byte == 0));
}

/// The chunks of a body verified by several launches add up, each under its own number, and open by several.
pub async fn launches_add_up<D: Device>(device: &D) {
    let (key, plaintext) = ([5; 32], noise(3, 290));
    // Chunks of 240 bytes are 256 sealed, so that the second starts where a binding may.
    let body = twin::chunked::seal_body(&key, &[0; 12], &[], &plaintext, 240);
    let mut bench = Bench::new(device, &body).await;
    let out = device.alloc(512).expect("allocates");
    let whole = Params { token: 77, expected: 2, chunk_bytes: 240, ..bench.params(0) };
    let parts = [
        (0..256, 0..240, Params { last_bytes: 240, ..whole }),
        (256..322, 256..306, Params { first_chunk: 1, last_bytes: 50, ..whole }),
    ];
    bench.expand(&key, whole).await;
    for (counted, (sealed, _, params)) in (1u8..).zip(&parts) {
        let bindings = [
            (&bench.context, bench.whole_context()),
            (&bench.aad, 0..1),
            (&bench.body, sealed.clone()),
            bench.verdicts(),
        ];
        bench.launch(Kernel::Verify, &bindings, *params).await;
        bench.finalize(whole).await;
        let verdict = if counted == 2 { 77 } else { 0 };
        assert_eq!(bench.verdict().await, [counted, 0, 0, 0, verdict, 0, 0, 0]);
    }
    for (sealed, opened, params) in &parts {
        let body = (&bench.body, sealed.clone());
        let bindings = [(&bench.context, bench.whole_context()), body, bench.verdicts(), (&out, opened.clone())];
        bench.launch(Kernel::Open, &bindings, *params).await;
    }
    let opened = [read(device, &out, 0..240).await, read(device, &out, 256..306).await].concat();
    assert_eq!(opened, plaintext);
}

/// A verdict holds for the launch whose token it is.
pub async fn verdicts_are_for_one_launch<D: Device>(device: &D) {
    let (key, plaintext) = ([5; 32], [7; 40]);
    let body = twin::chunked::seal_body(&key, &[0; 12], &[], &plaintext, 16_384);
    let mut bench = Bench::new(device, &body).await;
    let params = Params { token: 77, expected: 1, ..bench.params(plaintext.len()) };
    bench.expand(&key, params).await;
    bench.open(params).await;
    assert_eq!(bench.plaintext().await[..40], plaintext);
    for token in [78, 0, u32::MAX] {
        bench.decrypt(Params { token, ..params }).await;
        assert!(bench.plaintext().await.iter().all(|&byte| byte == 0), "token {token}");
    }
    bench.decrypt(params).await;
    // Another tensor's verdict of the same batch is not this one's.
    bench.decrypt(Params { verdict: 1, ..params }).await;
    assert!(bench.plaintext().await.iter().all(|&byte| byte == 0));
}

/// However often a chunk's tag is counted, it is not the root that was to hold too; nor is the root a chunk.
pub async fn chunks_and_roots_do_not_stand_in_for_each_other<D: Device>(device: &D) {
    let (key, plaintext) = ([5; 32], [7; 40]);
    let body = twin::chunked::seal_body(&key, &[0; 12], &[], &plaintext, 16_384);
    let mut bench = Bench::new(device, &body).await;
    let params = Params { token: 77, expected: 1 + ROOT_HOLDS, ..bench.params(plaintext.len()) };
    bench.expand(&key, params).await;
    for counted in 1..4 {
        bench.verify(params).await;
        bench.finalize(params).await;
        assert_eq!(bench.verdict().await, [counted, 0, 0, 0, 0, 0, 0, 0]);
    }
    let mut bench = Bench::new(device, &body).await;
    bench.expand(&key, params).await;
    let leaf = tree::leaf(&body);
    write(device, &bench.aad, 0, &leaf).await;
    let check = RootCheck { root: tree::root(vec![leaf]), verdict: 0, chunks: 1 };
    let top = (&bench.aad, 0..NODE_BYTES as u64);
    bench.launch(Kernel::CompareRoot, &[top, bench.verdicts()], check.params()).await;
    bench.finalize(params).await;
    assert_eq!(bench.verdict().await, [0, 0, 0, 128, 0, 0, 0, 0], "the root alone");
    bench.finalize(Params { expected: 1, ..params }).await;
    assert_eq!(bench.verdict().await[4..], [0; 4], "the root for a chunk");
    bench.verify(params).await;
    bench.finalize(Params { expected: 1, ..params }).await;
    assert_eq!(bench.verdict().await[4..], [0; 4], "a root that was not to be compared");
    bench.finalize(params).await;
    bench.decrypt(params).await;
    assert_eq!(bench.plaintext().await[..40], plaintext);
}

/// No chunks, expected and counted, are no verdict.
pub async fn zero_chunks_are_never_verified<D: Device>(device: &D) {
    let mut bench = Bench::new(device, &[0; 56]).await;
    let params = Params { token: 77, expected: 0, ..bench.params(40) };
    bench.expand(&[5; 32], params).await;
    bench.finalize(params).await;
    assert_eq!(bench.verdict().await, [0; 8]);
}

/// The buffers of one opening, to run kernels on one by one.
struct Bench<'d, D: Device> {
    device: &'d D,
    context: D::Buffer,
    aad: D::Buffer,
    body: D::Buffer,
    verdicts: D::Buffer,
    plaintext: D::Buffer,
}

impl<'d, D: Device> Bench<'d, D> {
    async fn new(device: &'d D, body: &[u8]) -> Self {
        let alloc = |bytes: u64| device.alloc(bytes.next_multiple_of(256)).expect("allocates");
        let bench = Bench {
            device,
            context: alloc(device.info().key_context_bytes),
            aad: alloc(16),
            body: alloc(body.len() as u64),
            verdicts: alloc(2 * VERDICT_BYTES),
            plaintext: alloc(48),
        };
        write(device, &bench.body, 0, body).await;
        bench
    }

    fn params(&self, last_bytes: usize) -> Params {
        Params {
            chunks: 1,
            chunk_bytes: 16_384,
            last_bytes: last_bytes as u32,
            stamp: [1, 2, 3, 4],
            ..Params::default()
        }
    }

    async fn expand(&mut self, key: &[u8; 32], params: Params) {
        let raw = self.device.alloc(256).expect("allocates");
        write(self.device, &raw, 0, key).await;
        self.run(Kernel::ExpandKey, &[&raw, &self.context], &[Some(32), None], params).await;
    }

    async fn verify(&mut self, params: Params) {
        let bindings = [&self.context, &self.aad, &self.body, &self.verdicts];
        self.run(Kernel::Verify, &bindings, &[None, Some(1), Some(56), Some(16)], params).await;
    }

    async fn finalize(&mut self, params: Params) {
        self.run(Kernel::Finalize, &[&self.context, &self.verdicts], &[None, Some(16)], params).await;
    }

    async fn decrypt(&mut self, params: Params) {
        let bindings = [&self.context, &self.body, &self.verdicts, &self.plaintext];
        self.run(Kernel::Open, &bindings, &[None, Some(56), Some(16), Some(40)], params).await;
    }

    async fn open(&mut self, params: Params) {
        self.verify(params).await;
        self.finalize(params).await;
        self.decrypt(params).await;
    }

    async fn verdict(&self) -> Vec<u8> {
        read(self.device, &self.verdicts, 0..VERDICT_BYTES).await
    }

    async fn plaintext(&self) -> Vec<u8> {
        read(self.device, &self.plaintext, 0..48).await
    }

    fn whole_context(&self) -> Range<u64> {
        0..self.device.info().key_context_bytes
    }

    fn verdicts(&self) -> (&D::Buffer, Range<u64>) {
        (&self.verdicts, 0..2 * VERDICT_BYTES)
    }

    /// None binds a whole key context (or 16 bytes of AAD and input).
    async fn run(&self, kernel: Kernel, buffers: &[&D::Buffer], lengths: &[Option<u64>], params: Params) {
        let whole = |buffer: &D::Buffer| {
            if core::ptr::eq(buffer, &self.context) { self.device.info().key_context_bytes } else { 40 }
        };
        let bindings: Vec<_> = buffers
            .iter()
            .zip(lengths)
            .map(|(buffer, length)| (*buffer, 0..length.unwrap_or_else(|| whole(buffer))))
            .collect();
        self.launch(kernel, &bindings, params).await;
    }

    async fn launch(&self, kernel: Kernel, bindings: &[(&D::Buffer, Range<u64>)], params: Params) {
        let bindings: Vec<_> =
            bindings.iter().map(|(buffer, range)| Binding { buffer: *buffer, range: range.clone() }).collect();
        let mut batch = self.device.batch();
        self.device.launch(&mut batch, Launch { kernel, bindings: &bindings, params });
        let fence = self.device.submit(batch).expect("submits");
        self.device.wait(fence).await.expect("runs");
    }
}
