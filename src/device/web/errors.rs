//! WebGPU's errors as ours. A browser tells them later: they are gathered and surface where a batch is waited for.

use core::cell::RefCell;
use std::rc::Rc;

use js_sys::{Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::bindings::{GpuDevice, GpuDeviceLostInfo};
use crate::Error;

/// What is reported where memory ran out.
pub(super) const OUT_OF_MEMORY: &str = "out of memory";

/// How what is reported of a lost device begins.
pub(super) const LOST: &str = "the device was lost";

/// Tells of the loss of a device, once it is lost.
#[derive(Clone, Default)]
pub(super) struct Loss(Rc<RefCell<Option<String>>>);

impl Loss {
    /// Listens; `then` is called once.
    pub(super) fn of(device: &GpuDevice, then: impl FnOnce() + 'static) -> Self {
        let loss = Loss::default();
        let (told, lost) = (loss.clone(), device.lost());
        spawn_local(async move {
            let why = match JsFuture::from(lost).await {
                Ok(info) => {
                    let info: GpuDeviceLostInfo = info.unchecked_into();
                    [info.reason(), info.message()].into_iter().flatten().filter(|s| !s.is_empty()).collect::<Vec<_>>()
                }
                Err(_) => Vec::new(),
            };
            *told.0.borrow_mut() = Some(why.join(": "));
            then();
        });
        loss
    }

    /// Why it was lost, if it was.
    pub(super) fn reason(&self) -> Option<String> {
        self.0.borrow().clone()
    }

    pub(super) fn error(&self) -> Error {
        Error::Backend(match self.reason().filter(|why| !why.is_empty()) {
            Some(why) => format!("{LOST} ({why})"),
            None => LOST.into(),
        })
    }
}

/// Catches what goes wrong from here until it is closed.
pub(super) struct Scope<'d>(&'d GpuDevice);

impl<'d> Scope<'d> {
    pub(super) fn open(device: &'d GpuDevice) -> Self {
        ["internal", "out-of-memory", "validation"].into_iter().for_each(|filter| device.push_error_scope(filter));
        Scope(device)
    }

    pub(super) fn close(self) -> [Promise; 3] {
        core::array::from_fn(|_| self.0.pop_error_scope())
    }
}

/// The first error that scopes caught.
pub(super) async fn first_error(scopes: Vec<Promise>) -> Option<Error> {
    let mut first = None;
    for scope in scopes {
        let caught = match JsFuture::from(scope).await {
            Ok(caught) if caught.is_null() || caught.is_undefined() => continue,
            Ok(caught) | Err(caught) => caught,
        };
        // Memory before what follows from its lack.
        let error = meaning(&caught);
        match (&first, &error) {
            (None, _) => first = Some(error),
            (Some(_), Error::Backend(text)) if text == OUT_OF_MEMORY => first = Some(error),
            _ => {}
        }
    }
    first
}

/// What a GPUError or an exception means.
pub(super) fn meaning(thrown: &JsValue) -> Error {
    let text = |of: &JsValue, key: &str| Reflect::get(of, &key.into()).ok().and_then(|value| value.as_string());
    let constructor = Reflect::get(thrown, &"constructor".into()).unwrap_or_default();
    if text(&constructor, "name").is_some_and(|name| matches!(&*name, "GPUOutOfMemoryError" | "RangeError")) {
        return Error::Backend(OUT_OF_MEMORY.into());
    }
    Error::Backend(text(thrown, "message").unwrap_or_else(|| "the browser's WebGPU failed".into()))
}
