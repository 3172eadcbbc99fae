//! Positions in a log. The only offset arithmetic of the project is here.

use std::fmt;

/// The number of a record in its partition, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Offset(pub i64);

impl Offset {
    pub const ZERO: Offset = Offset(0);
    /// "Unknown" on the wire; never a position.
    pub const NONE: Offset = Offset(-1);
    pub const MAX: Offset = Offset(i64::MAX);

    /// The offset `count` records later.
    ///
    /// Panics on overflow: 2^63 records are out of reach, so an overflow is a broken invariant.
    pub fn plus(self, count: i64) -> Offset {
        Offset(self.0.checked_add(count).expect("offsets stay below 2^63"))
    }

    /// The offset of the record after this one.
    pub fn next(self) -> Offset {
        self.plus(1)
    }

    /// How many records lie in `from..self`.
    pub fn since(self, from: Offset) -> i64 {
        self.0 - from.0
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A byte of a partition's log: the segment it lies in, and where in that file.
///
/// Ordered as the log is: first by segment, then by byte.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Position {
    /// Base offset of the segment.
    pub segment: Offset,
    /// Byte in the segment file.
    pub byte: u64,
}
