//! Counts what every thread of this process allocates, and, when asked, from where.
//!
//! A stack is kept as addresses; names are looked up when somebody wants to read them.

use super::callsite::Site;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The frames nearest to the allocation; whoever asked for it is among them.
const FRAMES_MAX: usize = 40;

struct Tracing;

#[global_allocator]
static ALLOCATOR: Tracing = Tracing;

static COUNT: AtomicU64 = AtomicU64::new(0);
static IS_TRACED: AtomicBool = AtomicBool::new(false);
static STACKS: Mutex<BTreeMap<Vec<usize>, u64>> = Mutex::new(BTreeMap::new());

thread_local! {
    /// What is allocated to keep a stack is not counted.
    static IS_KEEPING: Cell<bool> = const { Cell::new(false) };
}

/// Since the process began; a block that grows counts again.
pub(crate) fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

pub(crate) fn trace(on: bool) {
    IS_TRACED.store(on, Ordering::Relaxed);
}

/// The places that have allocated while traced, and how often; forgets them.
pub(crate) fn take_sites() -> BTreeMap<Site, u64> {
    IS_KEEPING.set(true);
    let stacks = STACKS.lock().map(|mut stacks| std::mem::take(&mut *stacks));
    let mut sites = BTreeMap::new();
    for (stack, count) in stacks.expect("nobody panics while it keeps a stack") {
        *sites.entry(Site::of(&stack)).or_default() += count;
    }
    IS_KEEPING.set(false);
    sites
}

fn allocated() {
    if IS_KEEPING.get() {
        return;
    }
    COUNT.fetch_add(1, Ordering::Relaxed);
    if IS_TRACED.load(Ordering::Relaxed) {
        IS_KEEPING.set(true);
        keep_stack();
        IS_KEEPING.set(false);
    }
}

fn keep_stack() {
    let mut frames = Vec::with_capacity(FRAMES_MAX);
    backtrace::trace(|frame| {
        frames.push(frame.ip() as usize);
        frames.len() < FRAMES_MAX
    });
    if let Ok(mut stacks) = STACKS.lock() {
        *stacks.entry(frames).or_default() += 1;
    }
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches atomics, and thread-local cells that
// neither allocate nor have destructors; what keeps a stack does not come back here a second time.
unsafe impl GlobalAlloc for Tracing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocated();
        // SAFETY: the caller upholds what `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller upholds what `System` asks for.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        allocated();
        // SAFETY: the caller upholds what `System` asks for.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
