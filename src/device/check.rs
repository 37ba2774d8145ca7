//! What kernels on GPUs take for granted of a launch.

use core::ops::Range;

use super::{Binding, DeviceInfo};
use crate::kernel::{
    Access, Kernel, Operation, Params, TAG_BYTES, VERDICT_BYTES,
    digest::{GROUP_NODES, NODE_BYTES, RootCheck},
};

/// What is bound.
pub(super) trait Bound {
    /// Size in bytes.
    fn size(&self) -> u64;

    /// Whether it is, at least in part, the same memory.
    fn shares(&self, other: &Self) -> bool;
}

/// Gives how much the kernels have to do, in chunks or in written words, or what is wrong.
pub(super) fn check<B: Bound>(
    info: &DeviceInfo,
    kernel: Kernel,
    bindings: &[Binding<'_, B>],
    params: &Params,
) -> Result<u32, String> {
    let name = kernel.name();
    let accesses = kernel.bindings();
    if bindings.len() != accesses.len() {
        return Err(format!("kernel {name} takes {} bindings", accesses.len()));
    }
    for (i, binding) in bindings.iter().enumerate() {
        let Range { start, end } = binding.range;
        if start >= end
            || end > binding.buffer.size()
            || end - start > info.max_binding_bytes
            || !start.is_multiple_of(info.binding_alignment)
        {
            return Err("a binding that is empty, too large, not aligned or beyond its buffer".into());
        }
        let written = accesses[i] == Access::Write;
        if written && bindings.iter().enumerate().any(|(j, other)| j != i && other.buffer.shares(binding.buffer)) {
            return Err(format!("kernel {name} would write a buffer that it reads"));
        }
    }
    let lengths: Vec<u64> = bindings.iter().map(|binding| binding.range.end - binding.range.start).collect();
    let (units, bound) = match kernel {
        Kernel::CastElements | Kernel::DequantizeBlocks | Kernel::DequantizeChannels | Kernel::StridedCopy => {
            let operation = Operation::read(kernel, params);
            let operation = operation.ok_or_else(|| format!("kernel {name}: parameters that it cannot follow"))?;
            (operation.output_bytes().div_ceil(4) as u32, operation.bound_bytes())
        }
        Kernel::HashNodes => (params.chunks, node_bytes(params)?),
        Kernel::CompareRoot => {
            let verdicts = (u64::from(RootCheck::read(params).verdict) + 1) * VERDICT_BYTES;
            (1, vec![NODE_BYTES as u64, verdicts])
        }
        _ => (params.chunks, body_bytes(info, kernel, params)?),
    };
    match lengths.iter().zip(bound).all(|(&length, least)| length >= least) {
        true => Ok(units),
        false => Err(format!("kernel {name}: a binding is too short for its parameters")),
    }
}

/// The least that each binding of [`Kernel::HashNodes`] holds.
fn node_bytes(params: &Params) -> Result<Vec<u64>, String> {
    if params.chunks == 0 {
        return Err("kernel hash_nodes takes at least one node".into());
    }
    let bytes = |nodes: u32| u64::from(nodes) * NODE_BYTES as u64;
    Ok(vec![bytes(params.chunks), bytes(params.chunks.div_ceil(GROUP_NODES))])
}

/// The least that each binding of a kernel that opens, seals or hashes chunks holds.
fn body_bytes(info: &DeviceInfo, kernel: Kernel, params: &Params) -> Result<Vec<u64>, String> {
    let chunks = u64::from(params.chunks);
    if chunks > 1 && !params.chunk_bytes.is_multiple_of(16) {
        return Err("chunks are multiples of 16 bytes".into());
    }
    if chunks == 0 && !matches!(kernel, Kernel::ExpandKey | Kernel::Finalize) {
        return Err(format!("kernel {} takes at least one chunk", kernel.name()));
    }
    let plaintext = chunks.saturating_sub(1) * u64::from(params.chunk_bytes) + u64::from(params.last_bytes);
    let (sealed, aad) = (plaintext + chunks * TAG_BYTES as u64, u64::from(params.aad_bytes));
    let verdicts = (u64::from(params.verdict) + 1) * VERDICT_BYTES;
    let context = info.key_context_bytes;
    Ok(match kernel {
        Kernel::ExpandKey => vec![32, context],
        Kernel::Verify => vec![context, aad, sealed, verdicts],
        Kernel::Finalize => vec![context, verdicts],
        Kernel::Open => vec![context, sealed, verdicts, plaintext],
        Kernel::Seal => vec![context, aad, plaintext, sealed],
        Kernel::HashLeaves => vec![sealed, chunks * NODE_BYTES as u64],
        _ => return Err(format!("kernel {} does not handle chunks", kernel.name())),
    })
}
