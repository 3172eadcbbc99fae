//! Lists that mostly have one element: most requests concern one partition.

use smallvec::SmallVec;

/// The first element stands in place, more need memory.
pub type Few<T> = SmallVec<[T; 1]>;
