//! What opens tensors: the page's GPU, or, without WebGPU, WebCrypto or this module itself.

use core::{
    cell::RefCell,
    future::poll_fn,
    ops::{Deref, DerefMut},
    task::Poll,
};
use std::{rc::Rc, task::Waker};

use wasm_bindgen::prelude::*;

use super::{
    failure::{Outcome, thrown, with_code},
    webcrypto,
};
use crate::{
    device::{Device, WebDevice, web::GpuDevice},
    transfer::Transfer,
};

/// Opens tensors.
#[wasm_bindgen]
pub struct Opener(pub(super) Backend);

/// In what.
#[derive(Clone)]
pub(super) enum Backend {
    /// On the GPU.
    WebGpu(Gpu),
    /// By the browser's WebCrypto, in JavaScript's memory.
    WebCrypto,
    /// By this module.
    Wasm,
}

#[wasm_bindgen]
impl Opener {
    /// On a GPU: the page's own device, or one asked of the browser.
    #[wasm_bindgen(js_name = webgpu)]
    pub async fn webgpu(device: Option<GpuDevice>) -> Outcome<Opener> {
        let device = match device {
            Some(device) => WebDevice::new(device),
            None => WebDevice::open().await,
        };
        device.map(Gpu::new).map(Backend::WebGpu).map(Opener).map_err(thrown)
    }

    /// By WebCrypto.
    #[wasm_bindgen(js_name = webcrypto)]
    pub fn webcrypto() -> Outcome<Opener> {
        match webcrypto::is_there() {
            true => Ok(Opener(Backend::WebCrypto)),
            false => Err(with_code(
                "device-unavailable",
                "this browser has no WebCrypto here; it needs a secure context (https or localhost)",
            )),
        }
    }

    /// By this module.
    #[wasm_bindgen(js_name = wasm)]
    pub fn wasm() -> Opener {
        Opener(Backend::Wasm)
    }

    /// "webgpu", "webcrypto" or "wasm".
    #[wasm_bindgen(getter)]
    pub fn backend(&self) -> String {
        match &self.0 {
            Backend::WebGpu(_) => "webgpu",
            Backend::WebCrypto => "webcrypto",
            Backend::Wasm => "wasm",
        }
        .into()
    }

    /// The adapter's name, where there is one.
    #[wasm_bindgen(getter, js_name = adapter)]
    pub fn adapter(&self) -> Option<String> {
        self.gpu().map(|gpu| gpu.device.info().name.clone())
    }

    /// Whether a CPU stands in for the GPU.
    #[wasm_bindgen(getter)]
    pub fn software(&self) -> bool {
        self.gpu().is_none_or(|gpu| gpu.device.info().software)
    }

    /// The device, where there is one.
    #[wasm_bindgen(getter, js_name = gpuDevice)]
    pub fn gpu_device(&self) -> Option<GpuDevice> {
        self.gpu().map(|gpu| gpu.device.device().clone())
    }

    /// How many kernels ran on the GPU.
    #[wasm_bindgen(getter)]
    pub fn launches(&self) -> f64 {
        self.gpu().map_or(0.0, |gpu| gpu.device.launches() as f64)
    }
}

impl Opener {
    fn gpu(&self) -> Option<&Gpu> {
        match &self.0 {
            Backend::WebGpu(gpu) => Some(gpu),
            _ => None,
        }
    }
}

/// A device and the one transfer over it, which its users have in turn.
#[derive(Clone)]
pub(super) struct Gpu {
    pub(super) device: WebDevice,
    turn: Rc<RefCell<Turn>>,
}

struct Turn {
    /// None while somebody has it.
    transfer: Option<Transfer<WebDevice>>,
    waiting: Vec<Waker>,
}

impl Gpu {
    fn new(device: WebDevice) -> Self {
        let transfer = Some(Transfer::new(device.clone()));
        Gpu { device, turn: Rc::new(RefCell::new(Turn { transfer, waiting: Vec::new() })) }
    }

    /// The transfer, when it is free.
    pub(super) async fn transfer(&self) -> InTurn {
        let transfer = poll_fn(|context| {
            let mut turn = self.turn.borrow_mut();
            match turn.transfer.take() {
                Some(transfer) => Poll::Ready(transfer),
                None => {
                    turn.waiting.push(context.waker().clone());
                    Poll::Pending
                }
            }
        });
        InTurn { transfer: Some(transfer.await), turn: Rc::clone(&self.turn) }
    }
}

/// The transfer, to be given back when this is dropped.
pub(super) struct InTurn {
    /// Some until then.
    transfer: Option<Transfer<WebDevice>>,
    turn: Rc<RefCell<Turn>>,
}

impl Deref for InTurn {
    type Target = Transfer<WebDevice>;

    fn deref(&self) -> &Self::Target {
        self.transfer.as_ref().expect("is given back only by drop")
    }
}

impl DerefMut for InTurn {
    fn deref_mut(&mut self) -> &mut Self::Target {
        self.transfer.as_mut().expect("is given back only by drop")
    }
}

impl Drop for InTurn {
    fn drop(&mut self) {
        let waiting = {
            let mut turn = self.turn.borrow_mut();
            turn.transfer = self.transfer.take();
            core::mem::take(&mut turn.waiting)
        };
        waiting.into_iter().for_each(Waker::wake);
    }
}
