//! Permuting, transposing and slicing, against the twins.

use super::ops::{check, random_tensor};
use crate::{DType, Error, device::Device, kernel::twin::order, ops};

/// One type for each size of elements.
const TYPES: [(DType, usize); 4] = [(DType::I8, 1), (DType::BF16, 2), (DType::U32, 4), (DType::C64, 8)];

/// Every order of up to four dimensions.
pub async fn permutes_in_every_order<D: Device>(device: &D) {
    let shapes: [&[u64]; 9] =
        [&[], &[7], &[3, 5], &[1, 33], &[2, 3, 5], &[2, 3, 5, 7], &[1, 31, 1, 3], &[2, 0, 3, 4], &[4, 4, 4, 4]];
    for shape in shapes {
        for (dtype, bytes) in TYPES {
            let (tensor, values) = random_tensor(device, 1, dtype, shape).await;
            for axes in orders(shape.len()) {
                let made = ops::permute(device, &tensor, &axes).await.expect("permutes");
                let permuted: Vec<u64> = axes.iter().map(|&axis| shape[axis]).collect();
                check(device, &made, dtype, &permuted, &order::permute(&values, bytes, shape, &axes)).await;
            }
        }
    }
}

/// All orders of so many dimensions.
fn orders(rank: usize) -> Vec<Vec<usize>> {
    (0..rank).fold(vec![vec![]], |orders, next| {
        let inserted =
            |order: Vec<usize>| (0..=order.len()).map(move |at| [&order[..at], &[next], &order[at..]].concat());
        orders.into_iter().flat_map(inserted).collect()
    })
}

/// More than one binding takes on the awkward device, on either side; and batches of matrices.
pub async fn transposes<D: Device>(device: &D) {
    for (shape, dtype, bytes) in [
        (&[701, 803][..], DType::U8, 1),
        (&[401, 503], DType::F16, 2),
        (&[3, 97, 301], DType::F32, 4),
        (&[5, 1, 7, 3001], DType::F64, 8),
        (&[1, 65_537], DType::I8, 1),
        // More than one row of workgroups takes.
        (&[2051, 2049], DType::U32, 4),
    ] {
        let (tensor, values) = random_tensor(device, 2, dtype, shape).await;
        let made = ops::transpose(device, &tensor).await.expect("transposes");
        let rank = shape.len();
        let (mut axes, mut extents): (Vec<usize>, _) = ((0..rank).collect(), shape.to_vec());
        axes.swap(rank - 2, rank - 1);
        extents.swap(rank - 2, rank - 1);
        check(device, &made, dtype, &extents, &order::permute(&values, bytes, shape, &axes)).await;
        let back = ops::transpose(device, &made).await.expect("transposes");
        check(device, &back, dtype, shape, &values).await;
    }
}

/// Extents, and start and end in each dimension.
type Cut = (&'static [u64], &'static [(u64, u64)]);

/// Slices that start and end anywhere, empty ones, whole ones, and such of more than one launch.
pub async fn slices<D: Device>(device: &D) {
    let cases: &[Cut] = &[
        (&[], &[]),
        (&[33], &[(0, 33)]),
        (&[33], &[(1, 32)]),
        (&[33], &[(5, 6)]),
        (&[33], &[(33, 33)]),
        (&[33], &[(7, 7)]),
        (&[0], &[(0, 0)]),
        (&[5, 7], &[(1, 4), (3, 6)]),
        (&[5, 7], &[(0, 5), (2, 2)]),
        (&[3, 0, 5], &[(1, 2), (0, 0), (3, 5)]),
        (&[7, 31, 3], &[(6, 7), (1, 30), (0, 3)]),
        (&[3, 5, 7, 9], &[(1, 3), (2, 5), (1, 6), (3, 8)]),
        (&[3, 5, 7, 9], &[(0, 3), (4, 5), (6, 7), (0, 1)]),
        (&[90_001], &[(13, 80_014)]),
        (&[301, 299], &[(3, 298), (1, 2)]),
        (&[301, 299], &[(1, 300), (1, 298)]),
    ];
    for (shape, ends) in cases {
        let ranges: Vec<_> = ends.iter().map(|&(start, end)| start..end).collect();
        for (dtype, bytes) in TYPES {
            let (tensor, values) = random_tensor(device, 3, dtype, shape).await;
            let made = ops::slice(device, &tensor, &ranges).await.expect("slices");
            let extents: Vec<u64> = ends.iter().map(|(start, end)| end - start).collect();
            check(device, &made, dtype, &extents, &order::slice(&values, bytes, shape, &ranges)).await;
        }
    }
}

/// What cannot be is refused before anything is done.
pub async fn impossible_orders_are_refused<D: Device>(device: &D) {
    let refused = |made: crate::Result<_>| assert!(matches!(made, Err(Error::Usage(_))), "{made:?}");
    let (matrix, _) = random_tensor(device, 4, DType::F32, &[3, 4]).await;
    let (line, _) = random_tensor(device, 4, DType::F32, &[3]).await;
    let (deep, _) = random_tensor(device, 4, DType::F32, &[1, 1, 1, 1, 1]).await;
    let (nibbles, _) = random_tensor(device, 4, DType::F4, &[2, 2]).await;
    let launches = device.launches();
    for axes in [&[][..], &[0], &[0, 0], &[1, 2], &[0, 1, 2], &[usize::MAX, 0]] {
        refused(ops::permute(device, &matrix, axes).await);
    }
    refused(ops::transpose(device, &line).await);
    refused(ops::permute(device, &deep, &[0, 1, 2, 3, 4]).await);
    refused(ops::transpose(device, &nibbles).await);
    #[allow(clippy::reversed_empty_ranges, clippy::single_range_in_vec_init)]
    for ranges in
        [&[][..], &[0..3], &[0..3, 0..5], &[2..1, 0..4], &[4..4, 0..4], &[0..3, 0..4, 0..1], &[0..u64::MAX, 0..4]]
    {
        refused(ops::slice(device, &matrix, ranges).await);
    }
    refused(ops::slice(device, &deep, &[0..1, 0..1, 0..1, 0..1, 0..1]).await);
    assert_eq!(device.launches(), launches);
}
