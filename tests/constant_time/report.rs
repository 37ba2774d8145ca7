//! What a pass over a shader finds.

use std::{collections::BTreeSet, fmt};

use naga::Span;

/// How something secret may show in the time that a shader takes, or in what others read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// The condition of an `if`, `switch`, `&&` or `||`.
    Branch,
    /// A condition under which a loop ends or starts anew.
    LoopBound,
    /// An index into memory or into a value, or the invocation that another one reads from.
    Address,
    /// The condition of `select`, or a truth value made a number: conditional moves on most devices, promised by none.
    Select,
    /// How far a shift, or a cut of bits, goes.
    ShiftAmount,
    /// An operand of an integer or floating-point division or remainder.
    Division,
    /// An operand of floating-point arithmetic where the shader should have none.
    Float,
    /// Stored where the table says that everything is public.
    Stored,
    /// An argument of `declassify` that is not one bit, or a `declassify` that does more than hand it on.
    Declassified,
    /// An operation that the pass does not know, or whose time it cannot speak for.
    Unproven,
}

/// One place where something secret leaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Leak {
    /// The line of the shader's whole text, from 1 on.
    pub(crate) line: u32,
    pub(crate) kind: Kind,
    pub(crate) function: String,
    /// The line itself.
    pub(crate) text: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {}, line {}: {}", self.kind, self.function, self.line, self.text)
    }
}

/// Everything found in one shader.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) leaks: BTreeSet<Leak>,
    /// Every reached call of `declassify`: the function that makes it, and the call's text.
    pub(crate) declassified: BTreeSet<(String, String)>,
}

impl Report {
    pub(crate) fn leak(&mut self, source: &str, kind: Kind, function: &str, at: Span) {
        let line = at.location(source).line_number;
        let text = source.lines().nth(line as usize - 1).unwrap_or_default().trim().to_string();
        self.leaks.insert(Leak { line, kind, function: function.to_string(), text });
    }

    pub(crate) fn declassify(&mut self, source: &str, function: &str, at: Span) {
        let text = at.to_range().and_then(|range| source.get(range)).unwrap_or_default();
        self.declassified.insert((function.to_string(), text.to_string()));
    }
}
