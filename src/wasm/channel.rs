//! Channels: the handshake over the page's stream, tensors both ways.

use core::{cell::RefCell, future::poll_fn, task::Poll};
use std::{collections::VecDeque, rc::Rc, sync::Arc, task::Waker};

use js_sys::{Function, Promise, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;

use super::{
    failure::{Outcome, thrown, thrown_by},
    identity::{Identity, trust},
    opener::{Backend, Opener},
    stream::{ByteStream, Duplex},
    tensor::{Place, Tensor},
};
use crate::{
    Error, Result, SystemClock,
    channel::{ChannelSession, DeviceConfig, HostConfig, message::SessionPolicy},
    tensor::{DType, TensorMetadata},
    transfer::Destination,
    transport::{self, Limits, Receiver, Sender},
};

/// A channel over a stream that the page brings.
#[wasm_bindgen]
pub struct Channel {
    session: Arc<ChannelSession>,
    stream: ByteStream,
    /// Some where nobody sends.
    sending: RefCell<Option<Duplex>>,
    inbox: Rc<Inbox>,
}

#[wasm_bindgen]
impl Channel {
    /// The host's end of the handshake. `trusted` are the devices' public keys as PEM; undefined accepts anyone.
    pub async fn connect(
        stream: ByteStream,
        identity: &Identity,
        trusted: Option<Vec<String>>,
        label: String,
        ttl_seconds: Option<u32>,
        max_tensor_bytes: f64,
    ) -> Outcome<Channel> {
        let default = SessionPolicy::default();
        let config = HostConfig {
            identity: Arc::clone(&identity.0),
            label,
            trust: trust(trusted)?,
            expected_device: None,
            policy: SessionPolicy { ttl_seconds: ttl_seconds.unwrap_or(default.ttl_seconds), ..default },
            attestation_check: None,
            clock: Arc::new(SystemClock::default()),
        };
        let mut duplex = Duplex::new(stream.clone());
        let session = transport::connect(&mut duplex, config).await.map_err(thrown)?;
        Ok(Channel::over(session, stream, duplex, max_tensor_bytes))
    }

    /// The device's end of the handshake.
    pub async fn accept(
        stream: ByteStream,
        identity: &Identity,
        trusted: Option<Vec<String>>,
        label: String,
        ttl_seconds: Option<u32>,
        max_tensor_bytes: f64,
    ) -> Outcome<Channel> {
        let config = DeviceConfig {
            identity: Arc::clone(&identity.0),
            label,
            trust: trust(trusted)?,
            max_ttl_seconds: ttl_seconds.unwrap_or(SessionPolicy::default().ttl_seconds),
            attestation: Vec::new(),
            clock: Arc::new(SystemClock::default()),
        };
        let mut duplex = Duplex::new(stream.clone());
        let session = transport::accept(&mut duplex, config).await.map_err(thrown)?;
        Ok(Channel::over(session, stream, duplex, max_tensor_bytes))
    }

    /// The peer's DID, which it proved.
    #[wasm_bindgen(getter)]
    pub fn peer(&self) -> String {
        self.session.peer().key_id().to_string()
    }

    /// The name the peer gives itself. It proves nothing.
    #[wasm_bindgen(getter, js_name = peerLabel)]
    pub fn peer_label(&self) -> String {
        self.session.peer().label().into()
    }

    /// Whether tensors can still be sent or received.
    #[wasm_bindgen(getter, js_name = isValid)]
    pub fn is_valid(&self) -> bool {
        self.session.is_valid()
    }

    /// Seals a tensor of bytes and sends it.
    pub async fn send(&self, id: String, name: String, dtype: String, shape: Vec<f64>, bytes: &[u8]) -> Outcome<()> {
        let dtype: DType = dtype.parse().map_err(|error: Error| thrown(error))?;
        let extent = |&extent: &f64| match extent >= 0.0 && extent.fract() == 0.0 && extent <= 9_007_199_254_740_991.0 {
            true => Ok(extent as u64),
            false => Err(Error::Metadata("extents are whole numbers")),
        };
        let shape = shape.iter().map(extent).collect::<Result<Vec<_>>>().map_err(thrown)?;
        let metadata = TensorMetadata::new(id, name, dtype, shape).map_err(thrown)?;
        let mut sender = self.sender()?;
        let sent = sender.send(&metadata, bytes).await.map_err(thrown);
        self.sent(sender);
        sent
    }

    /// Seals an opened tensor on its GPU and sends it; it leaves the GPU as ciphertext. One in memory is sealed by this module.
    #[wasm_bindgen(js_name = sendTensor)]
    pub async fn send_tensor(&self, opener: &Opener, tensor: &Tensor) -> Outcome<()> {
        let mut sender = self.sender()?;
        let sent = match (&tensor.place, &opener.0) {
            (Place::Gpu(tensor), Backend::WebGpu(gpu)) => {
                let mut transfer = gpu.transfer().await;
                sender.send_from(&mut transfer, tensor).await.map_err(|error| thrown_by(&gpu.device, error))
            }
            (Place::Gpu(_), _) => Err(thrown(Error::Usage("a tensor on a GPU is sealed by the opener that opened it"))),
            (Place::Host(bytes), _) => {
                let bytes = zeroize::Zeroizing::new(bytes.to_vec());
                sender.send(tensor.metadata(), &bytes).await.map_err(thrown)
            }
        };
        self.sent(sender);
        sent
    }

    /// The next tensor, opened; undefined after the peer's CLOSE.
    pub fn receive(&self, opener: &Opener) -> Promise {
        Promise::new(&mut |resolve, reject| {
            self.inbox.ask(Some(Request { opener: opener.0.clone(), resolve, reject }));
        })
    }

    /// Sends CLOSE: nothing can follow from this end.
    pub async fn close(&self) -> Outcome<()> {
        let mut sender = self.sender()?;
        let closed = sender.close().await.map_err(thrown);
        self.sent(sender);
        closed
    }
}

impl Channel {
    fn over(session: ChannelSession, stream: ByteStream, duplex: Duplex, max_tensor_bytes: f64) -> Self {
        let (session, inbox) = (Arc::new(session), Rc::new(Inbox::default()));
        let limits = Limits { max_tensor_bytes: max_tensor_bytes as u64, ..Limits::default() };
        spawn_local(receive(Arc::clone(&session), duplex, limits, Rc::clone(&inbox)));
        let sending = RefCell::new(Some(Duplex::new(stream.clone())));
        Channel { session, stream, sending, inbox }
    }

    fn sender(&self) -> Outcome<Sender<'_, Duplex>> {
        let duplex =
            self.sending.take().ok_or_else(|| thrown(Error::Usage("one tensor is sent at a time; await it")))?;
        Ok(Sender::new(&self.session, duplex))
    }

    fn sent(&self, sender: Sender<'_, Duplex>) {
        *self.sending.borrow_mut() = Some(sender.into_inner());
    }

    /// The stream, to look at.
    pub fn stream(&self) -> &ByteStream {
        &self.stream
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.inbox.ask(None);
    }
}

/// Somebody who waits for a tensor.
struct Request {
    opener: Backend,
    resolve: Function,
    reject: Function,
}

/// Who waits for tensors, in order. None ends it.
#[derive(Default)]
struct Inbox {
    requests: RefCell<VecDeque<Option<Request>>>,
    waiting: RefCell<Option<Waker>>,
}

impl Inbox {
    fn ask(&self, request: Option<Request>) {
        self.requests.borrow_mut().push_back(request);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    async fn next(&self) -> Option<Request> {
        poll_fn(|context| match self.requests.borrow_mut().pop_front() {
            Some(request) => Poll::Ready(request),
            None => {
                *self.waiting.borrow_mut() = Some(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

/// Serves those who wait. The receiver borrows its session, so it lives in this future and not in a class.
async fn receive(session: Arc<ChannelSession>, stream: Duplex, limits: Limits, inbox: Rc<Inbox>) {
    let (mut receiver, mut failed) = (Receiver::new(&session, stream, limits), false);
    while let Some(Request { opener, resolve, reject }) = inbox.next().await {
        // After a failure the session is over, and the rest of the stream is nothing to wait for.
        let received = match failed {
            false => receive_one(&mut receiver, &opener).await,
            true => Err(thrown(Error::ChannelFailed)),
        };
        let answer = match received {
            Ok(tensor) => resolve.call1(&JsValue::NULL, &tensor.map_or(JsValue::UNDEFINED, JsValue::from)),
            Err(error) => {
                failed = true;
                reject.call1(&JsValue::NULL, &error)
            }
        };
        debug_assert!(answer.is_ok(), "a promise's functions do not throw");
    }
}

async fn receive_one(receiver: &mut Receiver<'_, Duplex>, opener: &Backend) -> Outcome<Option<Tensor>> {
    let Some(incoming) = receiver.next().await.map_err(thrown)? else { return Ok(None) };
    let metadata = incoming.metadata().clone();
    if let Backend::WebGpu(gpu) = opener {
        let mut transfer = gpu.transfer().await;
        transfer.settle().await;
        let opened = async {
            incoming.open_onto(&mut transfer, Destination::Owned).await?;
            transfer.settle().await.pop().unwrap_or(Err(Error::Backend("the tensor was lost".into())))
        };
        let tensor = opened.await.map_err(|error| thrown_by(&gpu.device, error))?;
        return Ok(Some(Tensor::new(metadata, Place::Gpu(tensor), None)));
    }
    let size = u32::try_from(metadata.size_bytes());
    let size = size.map_err(|_| thrown(Error::Backend("without WebGPU tensors are shorter than 4 GiB".into())))?;
    let (bytes, mut length) = (Uint8Array::new_with_length(size), 0);
    let take = |plaintext: &[u8]| {
        let end = length + plaintext.len() as u32;
        bytes.subarray(length, end).copy_from(plaintext);
        length = end;
        Ok(())
    };
    match incoming.open(take).await {
        Ok(metadata) => Ok(Some(Tensor::new(metadata, Place::Host(bytes), None))),
        Err(error) => {
            bytes.fill(0, 0, size);
            Err(thrown(error))
        }
    }
}
