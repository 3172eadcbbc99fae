//! The real broker beside the generator's binary, built when it is not there.

use crate::harness::{Directory, GENERATOR, Server};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

pub(crate) struct Broker {
    server: Server,
    directory: Directory,
    pub(crate) address: String,
}

impl Broker {
    pub(crate) fn start() -> Broker {
        let directory = Directory::new();
        let (server, address) = serve(&directory, "127.0.0.1:0");
        Broker {
            server,
            directory,
            address,
        }
    }

    /// `kill -9`, and again on the same data and port.
    pub(crate) fn restart(&mut self) {
        self.server.kill();
        (self.server, self.address) = serve(&self.directory, &self.address);
    }
}

fn serve(directory: &Directory, listen: &str) -> (Server, String) {
    let mut command = Command::new(binary());
    command
        .arg("serve")
        .arg("--data")
        .arg(directory.path().join("data"));
    command.args(["--listen", listen, "--admin", "127.0.0.1:0"]);
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(directory.path().join("log"));
    command.stderr(log.expect("the target directory is writable"));
    let server = Server::start(&mut command);
    // `ottla ready: kafka HOST:PORT, admin HOST:PORT, ...`
    let line = server.first_line.strip_prefix("ottla ready: kafka ");
    let address = line.and_then(|line| line.split(',').next());
    let address = address.unwrap_or_else(|| panic!("no ready line but {:?}", server.first_line));
    let address = address.to_owned();
    (server, address)
}

/// Of the same profile. Cargo builds it with the tests of the whole project, and here when this package is tested alone.
fn binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let path = PathBuf::from(GENERATOR).with_file_name("ottla");
        if !path.exists() {
            let mut build = Command::new(env!("CARGO"));
            build.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
            build.args(["build", "--quiet", "--package", "ottla", "--bin", "ottla"]);
            if path
                .parent()
                .is_some_and(|folder| folder.ends_with("release"))
            {
                build.arg("--release");
            }
            let status = build.status().expect("cargo built this test too");
            assert!(
                status.success() && path.exists(),
                "the broker was not built"
            );
        }
        path
    })
}
