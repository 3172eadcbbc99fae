//! A sink, a run, and what the run wrote.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

/// Generous: a loaded machine is no failure, a condition that never comes is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
const GLANCE: Duration = Duration::from_millis(5);

pub(crate) const GENERATOR: &str = env!("CARGO_BIN_EXE_ottla-loadgen");

/// Exit codes that say nothing against the broker: fine, and void because this machine was busy.
pub(crate) const HARMLESS: [i32; 2] = [0, 4];
pub(crate) const BROKEN_PROMISE: i32 = 3;

/// Removed with its owner.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new() -> Directory {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Relaxed);
        let name = format!("ottla-loadgen-{}-{number}", process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).expect("the target directory is writable");
        Directory(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed lies in the target directory, where it does no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A process that says on its first line where it listens, and ends with its owner.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) first_line: String,
}

impl Server {
    pub(crate) fn start(command: &mut Command) -> Server {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary is built");
        let output = child.stdout.take().expect("piped");
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            let mut reader = BufReader::new(output);
            let mut line = String::new();
            let _ = reader.read_line(&mut line);
            let _ = sender.send(line);
            // Keeps the pipe open, so that a later line does not end the process.
            let _ = reader.read_to_end(&mut Vec::new());
        });
        let first_line = receiver.recv_timeout(PATIENCE).expect("a first line");
        Server { child, first_line }
    }

    /// A sink with these flags; its address.
    pub(crate) fn sink(flags: &[&str]) -> (Server, String) {
        let mut command = Command::new(GENERATOR);
        command
            .args(["sink", "--listen", "127.0.0.1:0"])
            .args(flags);
        let server = Server::start(&mut command);
        let address = server.first_line.trim().strip_prefix("listening on ");
        let address = address.expect("where it listens").to_owned();
        (server, address)
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("a child of this test");
        self.child.wait().expect("it ends");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run that has begun.
pub(crate) struct Running {
    child: Child,
    directory: Directory,
}

/// A run that has ended.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) output: String,
    pub(crate) json: Value,
    /// Every latency, in nanoseconds, sorted.
    pub(crate) samples: Vec<u64>,
}

/// Words of `flags` are separate arguments; a subcommand comes first among them.
pub(crate) fn begin(address: &str, flags: &str) -> Running {
    let directory = Directory::new();
    let child = Command::new(GENERATOR)
        .args(flags.split_whitespace())
        .args(["--bootstrap", address])
        .arg("--json")
        .arg(directory.path().join("run.json"))
        .arg("--samples")
        .arg(directory.path().join("samples"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is built");
    Running { child, directory }
}

impl Running {
    pub(crate) fn end(self) -> Run {
        let Running { child, directory } = self;
        let output = child.wait_with_output().expect("it ends");
        let text =
            [output.stdout, output.stderr].map(|part| String::from_utf8_lossy(&part).into_owned());
        let read = |name: &str| fs::read_to_string(directory.path().join(name)).unwrap_or_default();
        let mut samples: Vec<u64> = read("samples")
            .lines()
            .map(|line| line.parse().expect("a number"))
            .collect();
        samples.sort_unstable();
        Run {
            code: output.status.code().expect("it was not killed"),
            output: text.concat(),
            json: serde_json::from_str(&read("run.json")).unwrap_or(Value::Null),
            samples,
        }
    }
}

pub(crate) fn run(address: &str, flags: &str) -> Run {
    begin(address, flags).end()
}

impl Run {
    /// The number at a path of names.
    pub(crate) fn number(&self, path: &str) -> f64 {
        let value = self.json.pointer(path).and_then(Value::as_f64);
        value.unwrap_or_else(|| panic!("{path} in\n{}\n{}", self.json, self.output))
    }

    /// Lost, duplicated, reordered, corrupted.
    pub(crate) fn faults(&self) -> [u64; 4] {
        ["lost", "duplicated", "reordered", "corrupted"]
            .map(|name| self.number(&format!("/verify/{name}")) as u64)
    }

    pub(crate) fn assert_harmless(&self) {
        assert!(
            HARMLESS.contains(&self.code),
            "exit code {}\n{}",
            self.code,
            self.output
        );
    }
}

/// Asks until the answer is there; panics with `what` when it does not come.
pub(crate) fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::sleep(GLANCE);
    }
}
