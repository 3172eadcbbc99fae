//! Named and shaped as the crate `sc` has them: the number of a call and its arguments; what comes back is a result or
//! an error number below zero.

use std::io;

/// `struct io_uring_params` begins with the sizes of both queues and the flags, 32 bits each.
const FLAGS_INDEX: usize = 2;
const IORING_SETUP_IOPOLL: u32 = 1 << 0;
/// Linux 5.19: a completion waits until its core enters the kernel, for whatever reason. Without it each socket that
/// becomes readable interrupts the core, which costs both sides more than the request it announces.
const IORING_SETUP_COOP_TASKRUN: u32 = 1 << 8;

/// `io_uring_setup(2)`.
///
/// # Safety
///
/// `params` points to a `struct io_uring_params`.
pub unsafe fn syscall2(number: usize, entries: usize, params: usize) -> usize {
    let flags = (params as *mut u32).wrapping_add(FLAGS_INDEX);
    let set_up = |with: u32| {
        // SAFETY: both are the caller's promise.
        unsafe {
            *flags = with;
            answer(libc::syscall(number as libc::c_long, entries, params))
        }
    };
    // SAFETY: the caller's promise.
    let asked = unsafe { *flags };
    // A ring that is polled has no completions that could interrupt.
    if asked & IORING_SETUP_IOPOLL != 0 {
        return set_up(asked);
    }
    match set_up(asked | IORING_SETUP_COOP_TASKRUN) {
        refused if refused == error(libc::EINVAL) => set_up(asked),
        ring => ring,
    }
}

/// `io_uring_register(2)`.
///
/// # Safety
///
/// The arguments are valid for the call.
pub unsafe fn syscall4(number: usize, a: usize, b: usize, c: usize, d: usize) -> usize {
    // SAFETY: the caller's promise.
    answer(unsafe { libc::syscall(number as libc::c_long, a, b, c, d) })
}

/// `io_uring_enter(2)`.
///
/// # Safety
///
/// The arguments are valid for the call.
pub unsafe fn syscall6(
    number: usize,
    a: usize,
    b: usize,
    c: usize,
    d: usize,
    e: usize,
    f: usize,
) -> usize {
    // SAFETY: the caller's promise.
    answer(unsafe { libc::syscall(number as libc::c_long, a, b, c, d, e, f) })
}

fn answer(answer: libc::c_long) -> usize {
    match answer {
        -1 => error(
            io::Error::last_os_error()
                .raw_os_error()
                .unwrap_or(libc::EIO),
        ),
        answer => answer as usize,
    }
}

fn error(number: i32) -> usize {
    (number as usize).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel answers, and the flags that the caller finds.
    fn set_up(entries: usize, flags: u32) -> (usize, u32) {
        // The structure has 120 bytes.
        let mut params = [0_u32; 30];
        params[FLAGS_INDEX] = flags;
        let params_at = params.as_mut_ptr() as usize;
        // SAFETY: it points to as much as the structure has.
        let ring = unsafe { syscall2(libc::SYS_io_uring_setup as usize, entries, params_at) };
        if let Ok(ring) = i32::try_from(ring) {
            // SAFETY: the ring is nobody else's.
            unsafe { libc::close(ring) };
        }
        (ring, params[FLAGS_INDEX])
    }

    #[test]
    fn completions_wait_for_the_core_unless_the_ring_is_polled_or_refused() {
        let (ring, flags) = set_up(8, 0);
        assert!(i32::try_from(ring).is_ok(), "a ring is made: {ring:#x}");
        assert_eq!(flags, IORING_SETUP_COOP_TASKRUN);
        assert_eq!(set_up(8, IORING_SETUP_IOPOLL).1, IORING_SETUP_IOPOLL);
        // No entries: refused with the flag, and without it.
        assert_eq!(set_up(0, 0), (error(libc::EINVAL), 0));
    }
}
