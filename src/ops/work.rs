//! Launches on their way to one new tensor.

use core::ops::Range;

use super::DeviceTensor;
use crate::{
    DType, Error, Result,
    device::{Binding, Device, Launch},
    kernel::Operation,
    tensor::{Shape, TensorMetadata},
};

/// The most elements of one launch, so that what kernels count fits 32 bits; a multiple of every alignment.
pub(super) const MAX_LAUNCH_ELEMENTS: u64 = 1 << 28;

/// What an operation has recorded, and where its result will be.
pub(super) struct Work<'d, D: Device> {
    device: &'d D,
    batch: D::Batch,
    output: DeviceTensor<D>,
}

impl<'d, D: Device> Work<'d, D> {
    /// Takes memory for the result.
    pub(super) fn new(device: &'d D, of: &DeviceTensor<D>, dtype: DType, shape: Shape) -> Result<Self> {
        let (origin, of) = (of.origin(), of.metadata());
        let metadata = TensorMetadata::new(of.tensor_id(), of.name(), dtype, shape)?;
        // Whole words, and never nothing: that could not be bound.
        let bytes = metadata.size_bytes().max(1).next_multiple_of(16);
        let output = DeviceTensor::new(metadata, device.alloc(bytes)?, 0, origin);
        Ok(Work { device, batch: device.batch(), output })
    }

    /// Notes that the result is made of another tensor too.
    pub(super) fn also_of(&mut self, other: &DeviceTensor<D>) {
        self.output.origin = self.output.origin.and(other.origin());
    }

    /// Records a launch that writes a part of the result.
    pub(super) fn launch(&mut self, operation: &Operation, inputs: Vec<Binding<'_, D::Buffer>>, output: Range<u64>) {
        let mut bindings = inputs;
        bindings.push(Binding { buffer: self.output.buffer(), range: output });
        let (kernel, params) = (operation.kernel(), operation.params());
        self.device.launch(&mut self.batch, Launch { kernel, bindings: &bindings, params });
    }

    /// Runs it all. Nothing is submitted where nothing was recorded, as for tensors without elements.
    pub(super) async fn finish(self) -> Result<DeviceTensor<D>> {
        if self.output.metadata().size_bytes() > 0 {
            let fence = self.device.submit(self.batch)?;
            self.device.wait(fence).await?;
        }
        Ok(self.output)
    }
}

/// A part of a tensor, in bytes from its start.
pub(super) fn bind<D: Device>(tensor: &DeviceTensor<D>, range: Range<u64>) -> Binding<'_, D::Buffer> {
    Binding { buffer: tensor.buffer(), range: tensor.offset() + range.start..tensor.offset() + range.end }
}

/// How many units, each of at most `unit_bytes` in any one binding, a launch takes: as many as fit, so that the next launch's
/// bindings start where they may.
pub(super) fn units_a_launch<D: Device>(device: &D, unit_bytes: u64) -> Result<u64> {
    let alignment = device.info().binding_alignment.max(1);
    let units = (device.info().max_binding_bytes / unit_bytes).min(MAX_LAUNCH_ELEMENTS) / alignment * alignment;
    match units {
        0 => Err(Error::Backend("the device's bindings are too small to handle tensors".into())),
        units => Ok(units),
    }
}
