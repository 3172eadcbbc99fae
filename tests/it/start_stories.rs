//! Starts that must fail, each with one line that names the fix; and starts that only look odd.

use crate::harness::broker::{Broker, Start, binary, failed_start};
use crate::harness::client::Connection;
use crate::harness::directory::Directory;
use crate::harness::mount;
use crate::harness::operator::TOPIC;
use crate::harness::wait::wait_until;
use ottla::wire::messages::metadata::MetadataRequest;
use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

/// Wrong usage, known from the arguments alone.
const USAGE: i32 = 2;
const FAILED: i32 = 1;

fn refused(command: &mut Command, fragments: &[&str]) {
    ended(command, FAILED, fragments);
}

/// Runs the command, which must end by itself with the code and one line that has all of `fragments`.
fn ended(command: &mut Command, code: i32, fragments: &[&str]) {
    let (status, text) = failed_start(command);
    assert_eq!(status.code(), Some(code), "{status}\n{text}");
    let errors: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("ottla: "))
        .collect();
    assert_eq!(errors.len(), 1, "one line:\n{text}");
    for fragment in fragments {
        assert!(
            errors[0].contains(fragment),
            "{fragment:?} is not in {:?}",
            errors[0]
        );
    }
    assert!(!text.contains("ottla ready"), "{text}");
    assert!(!text.contains("panicked"), "{text}");
}

fn wrapped(wrapper: &[&str], start: &Start) -> Command {
    let wrapper = wrapper.iter().map(|word| word.to_string()).collect();
    let start = Start {
        wrapper,
        ..start.clone()
    };
    start.command()
}

#[test]
fn memory_is_no_disk() {
    let directory = Path::new("/dev/shm").join(format!("ottla-it-{}", std::process::id()));
    refused(
        &mut Start::in_directory(&directory).command(),
        &["tmpfs", "Fix: --data"],
    );
    let _ = fs::remove_dir_all(&directory);
}

#[test]
fn a_port_of_another_program_is_taken() {
    let directory = Directory::new("start_port");
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = other.local_addr().expect("bound").to_string();
    let mut start = Start::in_directory(&directory.path().join("data"));
    start.listen = address.clone();
    refused(
        &mut start.command(),
        &[&address, "taken", "Fix: stop it, or choose another port"],
    );
}

/// Shards share their port, so a second broker could steal half of the clients without an error.
#[test]
fn two_brokers_do_not_share_a_port() {
    let first = Broker::start("start_two_brokers");
    let directory = Directory::new("start_second_broker");
    let mut start = Start::in_directory(&directory.path().join("data"));
    start.listen = first.address.clone();
    refused(&mut start.command(), &[&first.address, "another ottla"]);
    start.listen = "127.0.0.1:0".into();
    start.admin = first.admin.clone();
    refused(&mut start.command(), &[&first.admin, "taken"]);
    Connection::open(&first.address).create_topic("undisturbed", 1, &[]);
}

#[test]
fn a_directory_has_one_process() {
    let first = Broker::start("start_in_use");
    let start = Start::in_directory(first.data());
    refused(&mut start.command(), &["in use", "Fix: stop it"]);
    Connection::open(&first.address).create_topic("undisturbed", 1, &[]);
}

#[test]
fn a_directory_belongs_to_its_node() {
    let mut broker = Broker::start_with("start_other_node", |start| start.set("node.id", "3"));
    broker.stop();
    let start = Start::in_directory(broker.data()).set("node.id", "4");
    refused(
        &mut start.command(),
        &["belongs to node 3", "Fix: --set node.id=3"],
    );
    broker.restart();
}

#[test]
fn locked_memory_may_be_too_small() {
    let directory = Directory::new("start_memlock");
    let start = Start::in_directory(&directory.path().join("data"));
    let mut command = wrapped(&["prlimit", "--memlock=65536:65536"], &start);
    refused(
        &mut command,
        &["locked memory is limited to 64 KiB", "Fix: LimitMEMLOCK"],
    );
}

#[test]
fn io_uring_may_be_blocked() {
    let directory = Directory::new("start_seccomp");
    let start = Start::in_directory(&directory.path().join("data"));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/without_io_uring.py");
    let mut command = wrapped(&["/usr/bin/python3", script], &start);
    refused(&mut command, &["io_uring is blocked", "seccomp", "Fix:"]);
}

#[test]
fn a_disk_may_be_too_small_to_start_on() {
    let directory = Directory::new("start_disk_full");
    let Some(disk) = mount::small_ext4(directory.path(), 48 << 20) else {
        return;
    };
    let start = Start::in_directory(&disk.path().join("data"));
    refused(
        &mut start.command(),
        &["disk of", "full", "Fix: free space"],
    );
}

/// With data in it and without.
#[test]
fn a_directory_that_is_read_only_is_named() {
    let directory = Directory::new("start_read_only_image");
    let Some(disk) = mount::small_ext4(directory.path(), 512 << 20) else {
        return;
    };
    let data = disk.path().join("data");
    let mut broker = Broker::start_with("start_read_only", |start| Start { data, ..start });
    Connection::open(&broker.address).create_topic("kept", 1, &[]);
    broker.stop();
    disk.make_read_only();
    for name in ["data", "fresh"] {
        let start = Start::in_directory(&disk.path().join(name));
        let path = format!("/disk/{name}");
        refused(&mut start.command(), &[&path, "Read-only", "Fix:"]);
    }
}

#[test]
fn a_directory_of_somebody_else_is_named() {
    let mut broker = Broker::start("start_other_owner");
    Connection::open(&broker.address).create_topic("kept", 1, &[]);
    broker.stop();
    let nobody = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
    ];
    let is_reachable = Command::new(nobody[0])
        .args(&nobody[1..])
        .args(["test", "-x"])
        .arg(binary())
        .status();
    if !is_reachable.is_ok_and(|status| status.success()) {
        println!("skipped: it takes root, and a build that others may run");
        return;
    }
    let data = broker.data().to_owned();
    let path = data.display().to_string();
    for (mode, what) in [(0o755, "what is there"), (0o700, "the directory")] {
        fs::set_permissions(&data, Permissions::from_mode(mode)).expect("ours");
        let start = Start::in_directory(&data);
        println!("{what} belongs to somebody else");
        refused(
            &mut wrapped(&nobody, &start),
            &[&path, "Permission denied", "Fix:"],
        );
    }
    broker.restart();
    assert_eq!(
        Connection::open(&broker.address)
            .metadata_of("kept")
            .error_code,
        0
    );
}

#[test]
fn an_overlay_is_used_with_a_warning() {
    let directory = Directory::new("start_overlay_layers");
    let Some(overlay) = mount::overlay(directory.path()) else {
        return;
    };
    let data = overlay.path().join("data");
    let broker = Broker::start_with("start_overlay", |mut start| {
        start.data = data;
        start
    });
    assert!(broker.log().contains("overlay"), "{}", broker.log());
    Connection::open(&broker.address).create_topic("works", 1, &[]);
    drop(broker);
}

#[test]
fn a_path_that_is_no_directory() {
    let directory = Directory::new("start_file");
    let file = directory.path().join("file");
    fs::write(&file, "something else").expect("writable");
    refused(
        &mut Start::in_directory(&file).command(),
        &["data directory", "Fix: --data"],
    );
    assert_eq!(
        fs::read_to_string(&file).expect("untouched"),
        "something else"
    );
}

#[test]
fn settings_that_cannot_be_are_named() {
    let directory = Directory::new("start_settings");
    let data = directory.path().join("data");
    let rows: &[(&str, &str, &[&str])] = &[
        ("no.such.key", "1", &["no.such.key"]),
        ("node.id", "-1", &["node.id"]),
        ("node.id", "one", &["node.id"]),
        ("kafka.num.partitions", "many", &["num.partitions"]),
        ("kafka.no.such.key", "1", &["no.such.key"]),
    ];
    for (key, value, fragments) in rows {
        ended(
            &mut Start::in_directory(&data).set(key, value).command(),
            USAGE,
            fragments,
        );
    }
    assert!(
        !data.exists(),
        "nothing is created for settings that cannot be"
    );
}

#[test]
fn a_file_is_read_and_its_faults_are_named() {
    let directory = Directory::new("start_file_faults");
    let file = directory.path().join("ottla.toml");
    let rows = [
        ("[node\n", "line 1"),
        ("[node]\nidd = 3\n", "idd"),
        ("[node]\nid = \"three\"\n", "id"),
        ("[nodes]\nid = 3\n", "nodes"),
    ];
    for (text, fragment) in rows {
        fs::write(&file, text).expect("writable");
        let mut command = Start::in_directory(&directory.path().join("data")).command();
        command.arg("--config").arg(&file);
        ended(&mut command, USAGE, &["ottla.toml", fragment]);
    }
    let mut command = Start::in_directory(&directory.path().join("data")).command();
    command
        .arg("--config")
        .arg(directory.path().join("absent.toml"));
    ended(&mut command, USAGE, &["absent.toml"]);
}

/// File < environment < command line, each heard where the next is silent.
#[test]
fn the_command_line_wins() {
    let directory = Directory::new("start_layers");
    let file = directory.path().join("ottla.toml");
    let text = "[kafka]\n\"num.partitions\" = 2\n\"log.segment.bytes\" = 2000000\n\"log.retention.ms\" = 2000000\n";
    fs::write(&file, text).expect("writable");
    let file = file.display().to_string();
    let broker = Broker::start_with("start_layers_broker", |start| {
        let start = start.argument("--config").argument(&file);
        let start = start.variable("OTTLA_KAFKA__NUM_PARTITIONS", "3");
        let start = start.variable("OTTLA_KAFKA__LOG_SEGMENT_BYTES", "3000000");
        start.set("kafka.num.partitions", "4")
    });
    let mut client = Connection::open(&broker.address);
    client.create_topic("layers", -1, &[]);
    assert_eq!(client.metadata_of("layers").partitions.len(), 4);
    for (key, value) in [("segment.bytes", "3000000"), ("retention.ms", "2000000")] {
        assert_eq!(client.config_value(TOPIC, "layers", key), value);
    }
    let start = Start::in_directory(&directory.path().join("data"));
    let wrong = start.variable("OTTLA_KAFKA__NUM_PARTITIONS", "many");
    ended(
        &mut wrong.command(),
        USAGE,
        &["OTTLA_KAFKA__NUM_PARTITIONS"],
    );
}

/// A free port, the same one on both families, in the ready line and in what clients are told.
#[test]
fn port_zero_takes_a_free_port() {
    let broker = Broker::start_with("start_port_zero", |start| Start {
        listen: "localhost:0".into(),
        admin: "127.0.0.1:0".into(),
        ..start
    });
    let (host, port) = broker.address.split_once(':').expect("host and port");
    let port: u16 = port.parse().expect("a port");
    assert_eq!(host, "localhost");
    assert!(
        port > 0 && !broker.admin.ends_with(":0"),
        "{}",
        broker.admin
    );
    for family in [
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ] {
        let mut client = Connection::open(&SocketAddr::new(family, port).to_string());
        let told = client
            .call(&MetadataRequest::default(), 12)
            .brokers
            .remove(0);
        assert_eq!(
            (told.host.as_str(), told.port),
            ("localhost", i32::from(port))
        );
    }
}

/// Everything by default: both families of localhost, the admin plane, a directory beside.
#[test]
fn no_arguments_are_enough() {
    let directory = Directory::new("start_no_arguments");
    // Fixed ports, so a network of its own.
    let script = format!(
        "ip link set lo up
         {} serve > ready 2> log & broker=$!
         for n in $(seq 600); do grep -q ottla ready 2>/dev/null && break; sleep 0.1; done
         cat ready
         : < /dev/tcp/127.0.0.1/9092 && : < /dev/tcp/::1/9092 && : < /dev/tcp/127.0.0.1/9644 && echo dialled
         kill $broker; wait $broker; echo code $?",
        binary().display()
    );
    let run = Command::new("unshare")
        .args(["-n", "bash", "-c", &script])
        .current_dir(directory.path())
        .output();
    let output = run.expect("unshare is part of every Debian");
    let text = String::from_utf8_lossy(&output.stdout);
    if !text.contains("ottla ready")
        && String::from_utf8_lossy(&output.stderr).contains("unshare failed")
    {
        println!("skipped: no network namespace");
        return;
    }
    assert!(
        text.contains("ottla ready: kafka localhost:9092, admin 127.0.0.1:9644, data "),
        "{text}"
    );
    assert!(text.contains("/ottla-data, "), "{text}");
    assert!(text.contains(" durability flushed"), "{text}");
    assert!(
        text.contains("dialled"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("code 0"), "{text}");
    let log = fs::read_to_string(directory.path().join("log")).unwrap_or_default();
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn the_ready_line_says_everything() {
    let broker = Broker::start_with("start_ready_line", |start| {
        start.argument("--durability").argument("memory")
    });
    let expected = format!(
        "ottla ready: kafka {}, admin {}, data {}, 2 shards, durability memory",
        broker.address,
        broker.admin,
        broker.data().display()
    );
    assert_eq!(broker.ready_line, expected);
    assert!(!broker.address.ends_with(":0") && !broker.admin.ends_with(":0"));
}

#[test]
fn the_limit_of_open_files_is_raised() {
    let directory = Directory::new("start_nofile");
    let start = Start::in_directory(&directory.path().join("data"));
    let mut inner = wrapped(&["prlimit", "--nofile=256:4096"], &start);
    inner
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null());
    let mut child = inner.spawn().expect("prlimit is part of every Debian");
    let output = child.stdout.take().expect("piped");
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).expect("a line");
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap_or_default();
    let _ = child.kill();
    let _ = child.wait();
    assert!(line.starts_with("ottla ready"), "{line}");
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .expect("a line");
    assert_eq!(files.split_whitespace().nth(3), Some("4096"), "{files}");
}

/// What the journal takes is written once, soon after the first start, not grown under load.
#[test]
fn the_journal_is_written_before_it_is_needed() {
    let broker = Broker::start("start_journal");
    wait_until("two rings of eight files, none sparse", || {
        let journals = files_below(broker.data(), "journal/");
        journals.len() == 16 && journals.iter().all(|blocks| *blocks >= 16 << 11)
    });
}

/// Allocated blocks of each file whose path contains the word.
fn files_below(path: &Path, word: &str) -> Vec<u64> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).expect("a directory").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files_below(&path, word));
        } else if path.display().to_string().contains(word) {
            // A file that was being made may have got its name meanwhile.
            found.extend(fs::metadata(&path).map(|it| it.blocks()).ok());
        }
    }
    found
}
