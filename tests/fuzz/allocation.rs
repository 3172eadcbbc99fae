//! Counts what the current thread allocates.
#![allow(
    dead_code,
    reason = "shared by several programs, each of which asks for a part"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// How often memory was asked for since the thread began; a block that grows counts again.
pub(crate) fn allocations() -> u64 {
    COUNT.get()
}

/// The most bytes that were allocated at one time during `work` and not before it.
pub(crate) fn peak_bytes<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = work();
    (
        result,
        usize::try_from(PEAK.get() - before).expect("the peak is no lower than the start"),
    )
}

fn count(bytes: isize) {
    COUNT.set(COUNT.get() + u64::from(bytes > 0));
    let live = LIVE.get() + bytes;
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches thread-local cells alone, which neither
// allocate nor have destructors.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller upholds what `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller upholds what `System` asks for.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // A block that moves exists twice for a while.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: the caller upholds what `System` asks for.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
