//! A panic anywhere ends the process: a shard that is gone would leave its partitions silent and its memory to the
//! kernel. Builds of the binary abort on panic anyway; this says why, in one line, and holds in every build.

use std::io::Write;
use std::panic::PanicHookInfo;

/// To be called once, before any thread starts.
pub fn install() {
    std::panic::set_hook(Box::new(|panic| {
        report(panic);
        std::process::abort();
    }));
}

fn report(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let message = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map(ToString::to_string);
    let place = place.unwrap_or_else(|| "an unknown place".to_owned());
    // Not through the log: its writer is another thread, and this process is about to end.
    let line =
        format!("ottla: bug: thread {thread} panicked at {place}: {message}; the process ends\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|wish| wish != "0") {
        let trace = std::backtrace::Backtrace::force_capture();
        let _ = writeln!(std::io::stderr(), "{trace}");
    }
}
