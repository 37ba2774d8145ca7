//! Tensors of sealed files: what it takes to open them with their root compared, beside opening them without.

use pqc_gpu_driver::{
    Error,
    device::Device,
    sealed::{Roots, SealedBody},
    transfer::hazmat,
};

use super::{
    clock::median_async,
    report::{Row, Section},
};
use crate::{failure::Failure, model::Tensor, wire::Wire};

/// A tensor sealed beforehand, and what opens it.
pub(super) struct Sealed {
    body: SealedBody,
    sealed: Vec<u8>,
}

impl Sealed {
    pub(super) async fn of(tensor: Tensor<'_>) -> Result<Self, Error> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|_| Error::Random)?;
        let (body, sealed) = hazmat::sealed_tensor(tensor.metadata.clone(), &key, tensor.bytes).await?;
        Ok(Sealed { body, sealed })
    }

    pub(super) async fn open<D: Device>(&self, wire: &mut Wire<D>, roots: Roots) -> Result<(), Error> {
        wire.transfer.open_sealed(&self.body.whole(roots), &self.sealed).await.map(drop)
    }
}

/// One tensor out of host memory, under a key of its own.
pub(super) async fn opening<D: Device>(wire: &mut Wire<D>, tensor: Tensor<'_>) -> Result<Vec<Row>, Failure> {
    const SKIPPED: &str = "sealed file's tensor, root skipped";
    let sealed = Sealed::of(tensor).await?;
    let skipped = median_async(async || sealed.open(wire, Roots::Skip).await).await?;
    let checked = median_async(async || sealed.open(wire, Roots::Check).await).await?;
    let rate =
        |what, measured, beside| Row::rate(Section::SealedFiles, what, tensor.metadata.size_bytes(), measured, beside);
    Ok(vec![
        rate(SKIPPED, skipped, None),
        rate("sealed file's tensor, root compared", checked, Some((SKIPPED, skipped))),
    ])
}
