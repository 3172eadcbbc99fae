//! The tool as a child process: what it is given, what it prints, how it ends.

use super::broker::binary;
use super::wait::wait_for;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

/// A run that has ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub output: Vec<u8>,
    pub errors: String,
}

impl Ran {
    pub fn text(&self) -> String {
        String::from_utf8(self.output.clone()).expect("text")
    }

    pub fn lines(&self) -> Vec<String> {
        self.text().lines().map(str::to_owned).collect()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.output).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It went well: nothing is to be said of it.
    pub fn ok(self) -> Ran {
        assert_eq!((self.code, self.errors.as_str()), (Some(0), ""), "{self:?}");
        self
    }

    /// It ended with this code and one line on standard error, which has all of these words.
    pub fn failed(self, code: i32, words: &[&str]) -> Ran {
        assert_eq!(self.code, Some(code), "{self:?}");
        let is_line = self.errors.starts_with("ottla: ") && self.errors.matches('\n').count() == 1;
        assert!(is_line, "one line: {self:?}");
        for word in words {
            assert!(self.errors.contains(word), "{word:?} in {self:?}");
        }
        self
    }
}

/// A command line against one cluster.
#[derive(Clone)]
pub struct Tool {
    pub address: String,
}

impl Tool {
    pub fn at(address: &str) -> Tool {
        Tool {
            address: address.into(),
        }
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.fed(arguments, b"")
    }

    /// With this standard input.
    pub fn fed(&self, arguments: &[&str], input: &[u8]) -> Ran {
        let mut running = self.start(arguments);
        running.write(input);
        running.end_input();
        running.wait()
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["-o", "json"]].concat();
        self.run(&arguments).ok().json()
    }

    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .env("OTTLA_BOOTSTRAP", &self.address);
        Running::start(command)
    }
}

/// A run that goes on.
pub struct Running {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<BufReader<ChildStdout>>,
    errors: Receiver<String>,
}

impl Running {
    pub fn start(mut command: Command) -> Running {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary is built");
        let mut errors = child.stderr.take().expect("piped");
        let (sender, receiver) = channel();
        thread::spawn(move || {
            let mut text = String::new();
            let _ = errors.read_to_string(&mut text);
            let _ = sender.send(text);
        });
        Running {
            input: child.stdin.take(),
            output: child.stdout.take().map(BufReader::new),
            child,
            errors: receiver,
        }
    }

    /// What it does not want is lost, as in any pipe.
    pub fn write(&mut self, input: &[u8]) {
        let _ = self.input.as_mut().expect("not ended").write_all(input);
    }

    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// The next line of its output, waited for as long as it runs.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        let output = self.output.as_mut().expect("not closed");
        output.read_line(&mut line).expect("text");
        line.trim_end().to_owned()
    }

    /// Nobody reads its output any more.
    pub fn close_output(&mut self) {
        self.output = None;
    }

    /// Whether it has a file open below this directory, with or without a name.
    pub fn has_open(&self, directory: &Path) -> bool {
        let files = fs::read_dir(format!("/proc/{}/fd", self.child.id()));
        let mut targets = files
            .into_iter()
            .flatten()
            .flatten()
            .map(|file| fs::read_link(file.path()));
        targets.any(|target| target.is_ok_and(|target| target.starts_with(directory)))
    }

    pub fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).expect("a child of this test");
    }

    /// Its end; what was not read of its output comes with it.
    pub fn wait(mut self) -> Ran {
        let output = self.output.take().map(|mut output| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = output.read_to_end(&mut bytes);
                bytes
            })
        });
        let status = wait_for("end of the tool", || {
            self.child.try_wait().expect("a child of this test")
        });
        Ran {
            code: status.code(),
            output: output.map_or(Vec::new(), |reader| reader.join().expect("it only reads")),
            errors: self.errors.recv().unwrap_or_default(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
