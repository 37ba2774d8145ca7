//! Blocks within blocks, and how loops are left.

use naga::{Block, Statement};

/// The blocks within a statement.
pub(crate) fn blocks(statement: &Statement) -> Vec<&Block> {
    match statement {
        Statement::Block(body) => vec![body],
        Statement::If { accept, reject, .. } => vec![accept, reject],
        Statement::Switch { cases, .. } => cases.iter().map(|case| &case.body).collect(),
        Statement::Loop { body, continuing, .. } => vec![body, continuing],
        _ => Vec::new(),
    }
}

/// Whether a branch within a loop ends it or starts it anew. Loops within it are their own affair.
pub(crate) fn leaves_loop(block: &Block) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Break | Statement::Continue => true,
        Statement::Loop { .. } => false,
        Statement::Switch { cases, .. } => cases.iter().any(|case| continues_loop(&case.body)),
        other => blocks(other).into_iter().any(leaves_loop),
    })
}

/// As [`leaves_loop`], within a `switch`, whose own end `break` is.
pub(crate) fn continues_loop(block: &Block) -> bool {
    block.iter().any(|statement| match statement {
        Statement::Continue => true,
        Statement::Loop { .. } => false,
        other => blocks(other).into_iter().any(continues_loop),
    })
}
