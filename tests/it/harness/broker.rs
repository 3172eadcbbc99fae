//! `ottla serve` as a child process.

use super::admin::Metrics;
use super::directory::Directory;
use super::wait::{PATIENCE, wait_for};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;

/// The binary under test; a release build can be put in its place.
pub fn binary() -> PathBuf {
    match std::env::var_os("OTTLA_BINARY") {
        Some(path) => path.into(),
        None => env!("CARGO_BIN_EXE_ottla").into(),
    }
}

/// A free port that no outgoing connection is given: a client that dials it while the broker is down could otherwise be
/// connected with itself, and keep the broker from coming back. Tests of one process take different ones.
fn free_address() -> String {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    loop {
        let place = TAKEN.fetch_add(1, Ordering::Relaxed) + std::process::id() * 61;
        let address = format!("127.0.0.1:{}", 20_000 + place % 12_000);
        if TcpListener::bind(&address).is_ok() {
            return address;
        }
    }
}

/// How to start one. Ports are free ones, the admin plane is on, two shards unless told.
#[derive(Clone)]
pub struct Start {
    pub data: PathBuf,
    pub listen: String,
    pub admin: String,
    pub shards: u16,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
    /// A program, with its arguments, that becomes the broker.
    pub wrapper: Vec<String>,
}

impl Start {
    pub fn in_directory(data: &Path) -> Start {
        Start {
            data: data.into(),
            listen: free_address(),
            admin: "127.0.0.1:0".into(),
            shards: 2,
            arguments: Vec::new(),
            environment: Vec::new(),
            wrapper: Vec::new(),
        }
    }

    pub fn set(mut self, key: &str, value: &str) -> Start {
        self.arguments.push("--set".into());
        self.arguments.push(format!("{key}={value}"));
        self
    }

    pub fn variable(mut self, name: &str, value: &str) -> Start {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub fn argument(mut self, argument: &str) -> Start {
        self.arguments.push(argument.into());
        self
    }

    pub fn command(&self) -> Command {
        let mut command = match self.wrapper.split_first() {
            None => Command::new(binary()),
            Some((program, arguments)) => {
                let mut command = Command::new(program);
                command.args(arguments).arg(binary());
                command
            }
        };
        command.arg("serve").arg("--data").arg(&self.data);
        command.args(["--listen", &self.listen, "--admin", &self.admin]);
        command.args(["--shards", &self.shards.to_string()]);
        command.args(&self.arguments);
        command.envs(self.environment.iter().cloned());
        command
    }
}

/// A running broker. Dropped, it is killed; its directory stays when the test failed.
pub struct Broker {
    pub address: String,
    pub admin: String,
    pub ready_line: String,
    start: Start,
    child: Child,
    directory: Directory,
    lives: u32,
}

impl Broker {
    pub fn start(test: &str) -> Broker {
        Broker::start_with(test, |start| start)
    }

    pub fn start_with(test: &str, adapt: impl FnOnce(Start) -> Start) -> Broker {
        let directory = Directory::new(test);
        let start = adapt(Start::in_directory(&directory.path().join("data")));
        let (child, ready) = spawn_until_ready(&start, &directory, 1)
            .unwrap_or_else(|(status, log)| panic!("no ready line but {status}\n{log}"));
        Broker {
            address: ready.kafka,
            admin: ready.admin,
            ready_line: ready.line,
            start,
            child,
            directory,
            lives: 1,
        }
    }

    /// The next life, on the same directory and port. The last one has ended.
    pub fn restart(&mut self) {
        self.restart_with(|start| start);
    }

    pub fn restart_with(&mut self, adapt: impl FnOnce(Start) -> Start) {
        self.start = adapt(self.start.clone());
        let started = self.try_restart();
        started.unwrap_or_else(|(status, log)| panic!("no ready line but {status}\n{log}"));
    }

    /// The next life, or with what status the process ended in place of one, and its log.
    pub fn try_restart(&mut self) -> Result<(), (ExitStatus, String)> {
        self.lives += 1;
        self.start.listen = self.address.clone();
        let (child, ready) = spawn_until_ready(&self.start, &self.directory, self.lives)?;
        self.child = child;
        self.address = ready.kafka;
        self.admin = ready.admin;
        self.ready_line = ready.line;
        Ok(())
    }

    pub fn kill(&mut self) {
        self.child.kill().expect("a child of this test");
        self.child.wait().expect("a child of this test");
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a child of this test");
    }

    /// Waits for the end, which something else has asked for.
    pub fn wait(&mut self) -> ExitStatus {
        wait_for("end of the process", || {
            self.child.try_wait().expect("a child of this test")
        })
    }

    pub fn stop(&mut self) {
        self.signal(Signal::TERM);
        let status = self.wait();
        assert!(status.success(), "SIGTERM: {status}\n{}", self.log());
    }

    pub fn alive(&mut self) -> bool {
        self.child
            .try_wait()
            .expect("a child of this test")
            .is_none()
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    pub fn data(&self) -> &Path {
        &self.start.data
    }

    pub fn log(&self) -> String {
        fs::read_to_string(log_path(&self.directory, self.lives)).unwrap_or_default()
    }

    /// The line of its log with these words. A thread of the broker writes the log, a moment after what it tells of.
    pub fn logged(&self, words: &str) -> String {
        wait_for(words, || {
            let log = self.log();
            let line = log.lines().find(|line| line.contains(words));
            line.map(str::to_owned)
        })
    }

    pub fn metrics(&self) -> Metrics {
        Metrics::scrape(&self.admin)
    }

    /// A field of `/proc/PID/status` in bytes: `VmHWM`, `VmRSS`.
    pub fn memory(&self, field: &str) -> u64 {
        let path = format!("/proc/{}/status", self.pid().as_raw_nonzero());
        let status = fs::read_to_string(path).expect("the process runs");
        let line = status.lines().find(|line| line.starts_with(field));
        let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
        kib.expect("the kernel reports it") * 1024
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(30)..];
            eprintln!("log of life {}:\n{}", self.lives, tail.join("\n"));
        }
    }
}

fn log_path(directory: &Directory, life: u32) -> PathBuf {
    directory.path().join(format!("log.{life}"))
}

struct Ready {
    line: String,
    kafka: String,
    admin: String,
}

fn spawn_until_ready(
    start: &Start,
    directory: &Directory,
    life: u32,
) -> Result<(Child, Ready), (ExitStatus, String)> {
    let path = log_path(directory, life);
    let log = File::create(&path).expect("the directory is writable");
    let mut child = start
        .command()
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .expect("the binary is built");
    let line = first_line(&mut child);
    match parse_ready(&line) {
        Some(ready) => Ok((child, ready)),
        None => {
            let _ = child.kill();
            let status = child.wait().expect("a child of this test");
            Err((status, fs::read_to_string(&path).unwrap_or_default()))
        }
    }
}

/// The first line of the child's output; empty when it ended or kept silent.
fn first_line(child: &mut Child) -> String {
    let output = child.stdout.take().expect("piped");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let mut line = String::new();
        let _ = reader.read_line(&mut line);
        let _ = sender.send(line);
        // Keeps the pipe open, so that a later line does not end the broker.
        let _ = reader.read_to_end(&mut Vec::new());
    });
    receiver.recv_timeout(PATIENCE).unwrap_or_default()
}

/// `ottla ready: kafka HOST:PORT, admin HOST:PORT, data DIR, N shards, durability CLASS`
fn parse_ready(line: &str) -> Option<Ready> {
    let (kafka, rest) = line.strip_prefix("ottla ready: kafka ")?.split_once(", ")?;
    let (admin, rest) = rest.strip_prefix("admin ")?.split_once(", ")?;
    rest.starts_with("data ").then(|| Ready {
        line: line.trim_end().into(),
        kafka: kafka.into(),
        admin: admin.into(),
    })
}

/// Runs a start that is expected to fail: exit status and everything it printed.
pub fn failed_start(command: &mut Command) -> (ExitStatus, String) {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is built");
    let mut output = child.stdout.take().expect("piped");
    let mut errors = child.stderr.take().expect("piped");
    let reader = thread::spawn(move || {
        let mut text = String::new();
        let _ = errors.read_to_string(&mut text);
        let _ = output.read_to_string(&mut text);
        text
    });
    let status = wait_for("end of a start that cannot succeed", || {
        child.try_wait().expect("a child of this test")
    });
    let text = reader.join().expect("the reader ends with the pipe");
    (status, text)
}
