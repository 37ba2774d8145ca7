//! To the device and back: sealed beside plain, by the same path.

use std::{ops::Range, time::Instant};

use pqc_gpu_driver::{
    DType, Error, TensorMetadata,
    device::{Device, Slot, SlotWriter},
    establish_channel,
    transfer::{DeviceTensor, hazmat::PlainUpload},
};

use super::{
    IN_FLIGHT,
    clock::{Measured, median_async, median_of},
    filled,
    report::{Row, Section},
};
use crate::{failure::Failure, model::Tensor, wire::Wire};

/// Plain, sealed beforehand, and sealed by the host on the way; one tensor, and as many as are in flight when sustained.
pub(super) async fn upload<D: Device>(wire: &mut Wire<D>, tensor: Tensor<'_>) -> Result<Vec<Row>, Failure> {
    let mut rows = Vec::new();
    for (section, how, tensors) in
        [(Section::UploadSingle, "single", 1), (Section::UploadSustained, "sustained", IN_FLIGHT)]
    {
        let plain = median_async(async || plain(wire.transfer.device(), tensor, tensors).await).await?;
        let sealed = median_of(async || send_sealed(wire, tensor, tensors).await).await?;
        let sealing = median_async(async || send(wire, tensor, tensors).await).await?;
        let bytes = tensor.metadata.size_bytes() * tensors as u64;
        let name = format!("plain upload, {how}");
        let rate = |what: &str, measured, beside| Row {
            tensors,
            ..Row::rate(section, &format!("{what}, {how}"), bytes, measured, beside)
        };
        rows.push(rate("plain upload", plain, None).reference());
        rows.push(rate("sealed upload and open", sealed, Some((&name, plain))));
        rows.push(rate("host seal, upload and open", sealing, Some((&name, plain))));
    }
    Ok(rows)
}

/// Plain, sealed on the device, and opened by the host as well.
pub(super) async fn download<D: Device>(wire: &mut Wire<D>, tensor: Tensor<'_>) -> Result<Vec<Row>, Failure> {
    wire.send(tensor, None).await?;
    let held = wire.transfer.settle().await.pop().ok_or_else(|| Failure::other("the tensor was lost"))??;
    // Records that nobody opens need a session of their own.
    let (_host, guest) = establish_channel("host", "device")?;
    let plain = median_async(async || read(wire.transfer.device(), &held).await).await?;
    let sealed = median_async(async || {
        wire.transfer
            .seal(&guest, &held, |part| {
                std::hint::black_box(part);
                Ok(())
            })
            .await
    })
    .await?;
    let opened = median_async(async || wire.fetch_unread(&held).await).await?;
    let bytes = tensor.metadata.size_bytes();
    let rate = |what, measured, beside| Row::rate(Section::Download, what, bytes, measured, beside);
    Ok(vec![
        rate("plain download", plain, None).reference(),
        rate("device seal, download", sealed, Some(("plain download", plain))),
        rate("device seal, download, host open", opened, Some(("plain download", plain))),
    ])
}

/// What a small tensor's crossing adds.
pub(super) async fn small<D: Device>(wire: &mut Wire<D>) -> Result<Vec<Row>, Failure> {
    let plaintext = filled(4096);
    let metadata = TensorMetadata::new("bench", "bench", DType::U8, [4096])?;
    let tensor = Tensor { metadata: &metadata, bytes: &plaintext };
    let plain = median_async(async || plain(wire.transfer.device(), tensor, 1).await).await?;
    let sealed = median_async(async || send(wire, tensor, 1).await).await?;
    let added = Measured { seconds: sealed.seconds - plain.seconds, runs: sealed.runs.min(plain.runs) };
    Ok(vec![
        Row::time("4 KiB plain upload", 4096, plain).reference(),
        Row::time("4 KiB sealed upload and open", 4096, sealed).beside(Some(("4 KiB plain upload", plain))),
        Row::time("4 KiB, what sealing and opening add", 4096, added),
    ])
}

async fn plain<D: Device>(device: &D, tensor: Tensor<'_>, count: usize) -> Result<(), Error> {
    let mut upload = PlainUpload::new(device);
    for _ in 0..count {
        upload
            .queue(device, tensor.metadata.size_bytes(), &mut |part, slot: &mut D::Slot| {
                let bytes = &tensor.bytes[part.start as usize..part.end as usize];
                slot.writers(&[bytes.len() as u64])?.iter_mut().try_for_each(|writer| writer.write(0, bytes))
            })
            .await?;
    }
    upload.settle(device).await
}

async fn send<D: Device>(wire: &mut Wire<D>, tensor: Tensor<'_>, count: usize) -> Result<(), Error> {
    for _ in 0..count {
        wire.send(tensor, None).await?;
    }
    released(wire).await
}

/// Seconds from the first byte of ciphertext to the last tensor's release. Sealing happens before.
async fn send_sealed<D: Device>(wire: &mut Wire<D>, tensor: Tensor<'_>, count: usize) -> Result<f64, Error> {
    let sealed = (0..count).map(|_| wire.seal(tensor)).collect::<Result<Vec<_>, _>>()?;
    let started = Instant::now();
    for sealed in &sealed {
        wire.send_sealed(sealed).await?;
    }
    released(wire).await?;
    Ok(started.elapsed().as_secs_f64())
}

async fn released<D: Device>(wire: &mut Wire<D>) -> Result<(), Error> {
    wire.transfer.settle().await.into_iter().try_for_each(|result| result.map(drop))
}

/// Reads a tensor as it lies there, in the parts and with the overlap in which sealed ones are read.
async fn read<D: Device>(device: &D, tensor: &DeviceTensor<D>) -> Result<(), Error> {
    let (start, end) = (tensor.offset(), tensor.offset() + tensor.metadata().size_bytes());
    let step = device.info().slot_bytes;
    let mut ranges = (start..end).step_by(step as usize).map(|at| at..end.min(at + step));
    let part = |range: Option<Range<u64>>| {
        let Some(range) = range else { return Ok(None) };
        let mut batch = device.batch();
        let id = device.copy_out(&mut batch, tensor.buffer(), range);
        device.submit(batch).map(|fence| Some((fence, id)))
    };
    let mut next = part(ranges.next())?;
    while let Some((fence, id)) = next {
        next = part(ranges.next())?;
        std::hint::black_box(device.wait(fence).await?.bytes(id));
    }
    Ok(())
}
