//! Giving a batch to the GPU.

use core::{ffi::c_void, ptr};
use std::sync::Arc;

use super::{
    CudaBatch, CudaBuffer, CudaFence, CudaSlot,
    batch::Command,
    driver::{Call, call},
    event::Event,
    kernels::Kernel,
    lanes::{Lane, Lanes},
    pinned::ReadBacks,
    shared::Core,
    timing::{Clock, Timed},
};
use crate::{
    Result,
    kernel::{Params, cuda::Text},
};

/// Gives all commands of a batch to the lanes, in their order, and says where they end.
pub(super) fn issue(
    core: &Arc<Core>,
    read_backs: &Arc<ReadBacks>,
    clock: &Arc<Clock>,
    mut batch: CudaBatch,
) -> Result<CudaFence> {
    core.context.alive()?;
    if let Some(wrong) = batch.wrong.take() {
        return Err(wrong);
    }
    // Compiling takes seconds: others go on meanwhile.
    let mut kernels = Vec::with_capacity(batch.commands.len());
    for command in &batch.commands {
        kernels.push(match command {
            Command::Run { text, .. } => Some(core.kernels.of(*text)?),
            _ => None,
        });
    }
    let read_back = match batch.read_bytes {
        0 => None,
        bytes => {
            let _current = core.context.enter()?;
            Some(core.context.noting(read_backs.take(&core.context, bytes))?)
        }
    };
    let to = read_back.as_ref().map_or(ptr::null_mut(), |read_back| read_back.pointer());
    let mut timed = clock.is_on().then(|| Timed { runs: Vec::new(), clock: Arc::clone(clock) });
    let issued = {
        let (_current, mut lanes) = core.enter()?;
        core.context.noting(issue_all(core, &mut lanes, &mut batch.commands, &kernels, to, &mut timed))
    };
    let event = match issued {
        Ok(event) => event,
        Err(failure) => {
            // What was issued may still write into it.
            core::mem::forget(read_back);
            return Err(failure.into());
        }
    };
    // Only now, and outside the lanes: the last handle to a buffer erases it, behind the work that uses it.
    let CudaBatch { commands, reads, .. } = batch;
    drop(commands);
    Ok(CudaFence::new(event, &core.batches, read_back, reads, timed))
}

fn issue_all(
    core: &Core,
    lanes: &mut Lanes,
    commands: &mut [Command],
    kernels: &[Option<&Kernel>],
    read_back: *mut u8,
    timed: &mut Option<Timed>,
) -> Call<Event> {
    for (command, kernel) in commands.iter_mut().zip(kernels) {
        match command {
            Command::CopyIn { slot, to, parts } => {
                let Some(slot) = slot.take() else { continue };
                copy_in(core, lanes, slot, to, parts)?;
            }
            Command::Run { text, bindings, params, blocks } => {
                let Some(kernel) = kernel else { continue };
                bindings.iter().try_for_each(|(buffer, _)| lanes.after(Lane::Compute, buffer.uses()))?;
                let compute = lanes.stream(Lane::Compute);
                let start = timed.is_some().then(|| Event::record_timed(&core.context, compute)).transpose()?;
                let launched = launch(lanes, kernel, *text, bindings, params, *blocks);
                lanes.count(Lane::Compute, bindings.iter().map(|(buffer, _)| buffer.uses()));
                launched?;
                if let (Some(timed), Some(start)) = (timed.as_mut(), start) {
                    timed.runs.push((text.name(), start, Event::record_timed(&core.context, compute)?));
                }
            }
            Command::Clear { buffer, range } => {
                lanes.after(Lane::Compute, buffer.uses())?;
                let (start, bytes) = (buffer.pointer() + range.start, (range.end - range.start) as usize);
                let cleared = call!(cuMemsetD8Async(start, 0, bytes, lanes.stream(Lane::Compute)));
                lanes.count(Lane::Compute, [buffer.uses()]);
                cleared?;
            }
            Command::CopyOut { from, range, at } => {
                lanes.after(Lane::Out, from.uses())?;
                let (start, bytes) = (from.pointer() + range.start, (range.end - range.start) as usize);
                let to = read_back.wrapping_add(*at).cast::<c_void>();
                // Pinned memory of the batch's own, held until its end.
                let copied = call!(cuMemcpyDtoHAsync_v2(to, start, bytes, lanes.stream(Lane::Out)));
                lanes.count(Lane::Out, [from.uses()]);
                copied?;
            }
        }
    }
    for lane in [Lane::In, Lane::Compute, Lane::Out] {
        lanes.after_all_of(Lane::End, lane)?;
    }
    Event::record(&core.context, lanes.stream(Lane::End))
}

fn copy_in(core: &Core, lanes: &mut Lanes, slot: CudaSlot, to: &CudaBuffer, parts: &[super::super::Part]) -> Call {
    lanes.after(Lane::In, to.uses())?;
    let stream = lanes.stream(Lane::In);
    let copy = |part: &super::super::Part| {
        let from = slot.pointer().wrapping_add(part.from as usize).cast::<c_void>();
        call!(cuMemcpyHtoDAsync_v2(to.pointer() + part.to, from, part.bytes as usize, stream))
    };
    let copied = parts.iter().filter(|part| part.bytes > 0).try_for_each(copy);
    lanes.count(Lane::In, [to.uses()]);
    match Event::record(&core.context, stream) {
        // The slot goes home when it has been copied.
        Ok(event) => core.copies.when(Arc::new(event), move |outcome| match outcome {
            Ok(()) => drop(slot),
            Err(_) => slot.lose(),
        }),
        Err(failure) => {
            slot.lose();
            return copied.and(Err(failure));
        }
    }
    copied
}

fn launch(
    lanes: &Lanes,
    kernel: &Kernel,
    text: Text,
    bindings: &[(CudaBuffer, u64)],
    params: &Params,
    blocks: u32,
) -> Call {
    // The driver copies the arguments before it returns: the parameters by value, then a pointer for each binding.
    let mut words = params.words();
    let mut pointers: Vec<u64> = bindings.iter().map(|(buffer, start)| buffer.pointer() + start).collect();
    let mut arguments: Vec<*mut c_void> = vec![words.as_mut_ptr().cast()];
    arguments.extend(pointers.iter_mut().map(|pointer| ptr::from_mut(pointer).cast::<c_void>()));
    call!(cuLaunchKernel(
        kernel.function(),
        blocks,
        1,
        1,
        text.threads(),
        1,
        1,
        0,
        lanes.stream(Lane::Compute),
        arguments.as_mut_ptr(),
        ptr::null_mut(),
    ))
}
