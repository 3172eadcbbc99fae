//! `ottla doctor` and `ottla tune`, on a host of files and, reading only, on the one that runs the tests.

use crate::harness::broker::binary;
use crate::harness::directory::Directory;
use crate::harness::host::Host;
use crate::harness::tool::{Ran, Running};
use crate::harness::wait::wait_until;
use serde_json::{Value, json};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

const RECORD: &str = "var/lib/ottla-tune/record.json";
const SOMAXCONN: &str = "proc/sys/net/core/somaxconn";
const DRIVE: &str = "sys/devices/pci0000:00/0000:00:01.0/nvme/nvme0/nvme0n1/queue";

fn ottla(arguments: &[&str]) -> Ran {
    let mut command = Command::new(binary());
    command.args(arguments);
    Running::start(command).wait()
}

/// Of a broker with two shards on this host.
fn on(host: &Host, arguments: &[&str]) -> Ran {
    let (root, data) = (host.root(), host.data());
    let [root, data] = [&root, &data].map(|path| path.to_str().expect("text"));
    ottla(
        &[
            arguments,
            &["--root", root, "--data", data, "--shards", "2"],
        ]
        .concat(),
    )
}

fn json_on(host: &Host, arguments: &[&str]) -> (Option<i32>, Value) {
    let ran = on(host, &[arguments, &["-o", "json"]].concat());
    (ran.code, ran.json())
}

fn knob<'a>(report: &'a Value, name: &str) -> &'a Value {
    let knobs = report["knobs"].as_array().expect("a list");
    let found = knobs.iter().find(|knob| knob["name"] == name);
    found.unwrap_or_else(|| panic!("{name} in {report:#}"))
}

fn says<'a>(report: &'a Value, name: &str) -> (&'a str, &'a str) {
    let knob = knob(report, name);
    let text = |key: &str| knob[key].as_str().expect("text");
    (text("found"), text("verdict"))
}

#[test]
fn doctor_reads_every_knob_of_a_host() {
    let host = Host::new("host_knobs");
    let before = host.all();
    let (code, report) = json_on(&host, &["doctor"]);
    assert_eq!(code, Some(0), "warnings are no problem");
    for (name, found, verdict) in [
        ("kernel", "6.1.0-13-amd64", "ok"),
        ("kernel.io_uring_disabled", "0", "ok"),
        ("io_uring", "works", "ok"),
        ("file system", "xfs", "ok"),
        ("direct I/O", "works", "ok"),
        ("mount: access times", "relatime", "warn"),
        ("mount: write barriers", "on", "ok"),
        ("drive: write cache", "write through (nvme0n1)", "ok"),
        ("drive: FUA", "1 (nvme0n1)", "ok"),
        ("drive: scheduler", "mq-deadline (nvme0n1)", "warn"),
        ("drive: nomerges", "0 (nvme0n1)", "warn"),
        ("drive: rq_affinity", "1 (nvme0n1)", "warn"),
        ("interrupts: storage", "0 (nvme0q1)", "ok"),
        ("interrupts: network", "0 (eth0-rx)", "warn"),
        ("CPU: governor", "powersave (cpu0 cpu1 cpu2 cpu3)", "warn"),
        (
            "CPU: deep idle states disabled",
            "0 (cpu0/C6 cpu1/C6 cpu2/C6 cpu3/C6)",
            "warn",
        ),
        ("NUMA: nodes", "shards on 0, nvme0n1 on 1", "warn"),
        ("CPU: siblings", "CPUs 0-1 share a core", "warn"),
        ("transparent huge pages", "always", "warn"),
        ("vm.swappiness", "60", "warn"),
        ("net.core.somaxconn", "128", "warn"),
        ("clock source", "hpet", "warn"),
        ("time synchronisation", "chronyd runs", "ok"),
        ("CPU quota", "1.50 CPUs", "warn"),
    ] {
        assert_eq!(says(&report, name), (found, verdict), "{name}");
    }
    assert_eq!(knob(&report, "CPU: nohz_full")["verdict"], "unknown");
    assert_eq!(
        (&report["verdict"], &report["drives"], &report["disk"]),
        (&json!("warn"), &json!(["nvme0n1"]), &Value::Null)
    );
    assert_eq!(before, host.all(), "it only reads");
    let names = fs::read_dir(host.data()).expect("a folder").count();
    assert_eq!(names, 0, "it leaves nothing where the data goes");
}

#[test]
fn what_loses_data_is_a_problem() {
    let host = Host::new("host_bad");
    for (file_system, options, name) in [
        ("tmpfs", "rw,noatime", "file system"),
        ("ext4", "rw,noatime,nobarrier", "mount: write barriers"),
    ] {
        host.mount("259:1", file_system, options);
        let (code, report) = json_on(&host, &["doctor"]);
        assert_eq!((code, &report["verdict"]), (Some(3), &json!("bad")));
        assert_eq!(knob(&report, name)["verdict"], "bad");
        assert_eq!(says(&report, "mount: access times"), ("noatime", "ok"));
    }
    let table = on(&host, &["doctor"]);
    assert_eq!((table.code, table.errors.as_str()), (Some(3), ""));
    let text = table.text();
    for words in [
        "VERDICT",
        "what was acknowledged is lost",
        "barrier=1",
        "unknown:",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn what_a_container_hides_is_unknown_and_no_fault() {
    let host = Host::new("host_empty");
    fs::remove_dir_all(host.root()).expect("it was made");
    fs::create_dir_all(host.root()).expect("writable");
    let (code, report) = json_on(&host, &["doctor"]);
    assert_eq!(code, Some(0));
    for (name, reason) in [
        ("kernel", "/proc/sys/kernel/osrelease is missing"),
        ("file system", "/proc/self/mountinfo is missing"),
        ("drive: scheduler", "/proc/self/mountinfo is missing"),
        ("CPU: governor", "in most virtual machines"),
        ("interrupts: network", "no network card is seen here"),
    ] {
        let (found, verdict) = says(&report, name);
        assert!(
            verdict == "unknown" && found.contains(reason),
            "{name}: {found}"
        );
    }
    host.mount("0:55", "overlay", "rw");
    let (_, report) = json_on(&host, &["doctor"]);
    assert_eq!(says(&report, "file system"), ("overlay", "warn"));
    let (found, _) = says(&report, "drive: scheduler");
    assert!(
        found.contains("no drive is seen behind this overlay"),
        "{found}"
    );
}

/// A partition of an encrypted volume over two drives, one of which is no NVMe drive.
#[test]
fn a_volume_is_looked_through_to_its_drives() {
    let host = Host::new("host_volume");
    let volume = "sys/devices/virtual/block/dm-0";
    host.write(&format!("{volume}/size"), "1\n");
    host.write(
        "sys/devices/pci0000:00/ata1/sda/queue/scheduler",
        "[mq-deadline] none\n",
    );
    for (path, target) in [
        ("sys/dev/block/253:0", "../../devices/virtual/block/dm-0"),
        ("sys/block/sda", "../devices/pci0000:00/ata1/sda"),
    ] {
        symlink(target, host.path(path)).expect("writable");
    }
    let slaves = host.path(&format!("{volume}/slaves"));
    fs::create_dir_all(&slaves).expect("writable");
    for (name, target) in [
        (
            "nvme0n1p1",
            "pci0000:00/0000:00:01.0/nvme/nvme0/nvme0n1/nvme0n1p1",
        ),
        ("sda", "pci0000:00/ata1/sda"),
    ] {
        symlink(format!("../../../../{target}"), slaves.join(name)).expect("writable");
    }
    host.mount("253:0", "ext4", "rw,noatime");
    let (_, report) = json_on(&host, &["doctor"]);
    assert_eq!(report["drives"], json!(["sda", "nvme0n1"]));
    let scheduler = says(&report, "drive: scheduler");
    assert_eq!(
        scheduler,
        ("mq-deadline (sda nvme0n1)", "ok"),
        "asked for on NVMe alone"
    );
}

#[test]
fn this_host_runs_a_broker_or_says_why_not() {
    let directory = Directory::new("host_real");
    let data = directory.path().to_str().expect("text").to_owned();
    let arguments = ["doctor", "-o", "json", "--data", &data];
    let report = ottla(&arguments).ok().json();
    assert_eq!(
        (says(&report, "io_uring"), says(&report, "direct I/O")),
        (("works", "ok"), ("works", "ok"))
    );
    let under = |wrapper: &[&str]| {
        let mut command = Command::new(wrapper[0]);
        command.args(&wrapper[1..]).arg(binary()).args(arguments);
        let ran = Running::start(command).wait();
        assert_eq!((ran.code, ran.errors.as_str()), (Some(3), ""), "{ran:?}");
        ran.json()
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/without_io_uring.py");
    let report = under(&["/usr/bin/python3", script]);
    let (found, verdict) = says(&report, "io_uring");
    assert!(verdict == "bad" && found.contains("seccomp"), "{found}");
    let report = under(&["prlimit", "--memlock=65536:65536"]);
    assert_eq!(says(&report, "locked memory"), ("64KiB", "bad"));
}

#[test]
fn the_disk_is_measured_and_left_as_it_was() {
    let directory = Directory::new("host_disk");
    let data = directory.path().to_str().expect("text");
    let report = ottla(&["doctor", "--disk=0.2", "-o", "json", "--data", data])
        .ok()
        .json();
    let disk = &report["disk"];
    let number = |value: &Value| value.as_f64().expect("a number");
    let p50 = number(&disk["flushedWrite"]["p50Seconds"]);
    assert!(p50 > 0.0 && p50 < 0.2, "{disk}");
    let count = disk["flushedWrite"]["count"].as_u64().expect("a number");
    assert_eq!(
        disk["flushedWrite"]["p999Seconds"].is_null(),
        count < 10_000,
        "{disk}"
    );
    for rate in ["writeBytesPerSecond", "readBytesPerSecond"] {
        assert!(number(&disk[rate]) > 1e6, "{disk}");
    }
    let (found, _) = says(&report, "drive: flushed write");
    assert_eq!(found, format!("{:.0} us", p50 * 1e6));
    let table = ottla(&["doctor", "--disk=0.1", "--data", data]).ok().text();
    assert!(
        table.contains("4 KiB flushed write") && table.contains("MB/s"),
        "{table}"
    );
    let mut command = Command::new(binary());
    command.args(["doctor", "--disk=60", "--data", data]);
    let running = Running::start(command);
    wait_until("the file it measures with", || {
        running.has_open(directory.path())
    });
    running.interrupt();
    assert_eq!(running.wait().code, None, "the signal ended it");
    let left = fs::read_dir(data).expect("a folder").count();
    assert_eq!(left, 0, "neither an end nor an interruption leaves a file");
    ottla(&["doctor", "--disk", "--data", "/proc"])
        .failed(1, &["cannot be measured in /proc", "--data"]);
    assert_eq!(ottla(&["doctor", "--disk=61"]).code, Some(2));
}

#[test]
fn tune_changes_what_it_says_and_takes_every_byte_of_it_back() {
    let host = Host::new("host_tune");
    let before = host.all();
    let (code, checked) = json_on(&host, &["tune", "--check"]);
    assert_eq!(code, Some(3), "there is something to change");
    assert_eq!(host.all(), before, "a check changes nothing");
    let (code, applied) = json_on(&host, &["tune", "--apply"]);
    assert_eq!(code, Some(0), "{applied}");
    let places = |report: &Value| -> Vec<(Value, Value)> {
        let changes = report["changes"].as_array().expect("a list").iter();
        changes
            .map(|change| (change["place"].clone(), change["after"].clone()))
            .collect()
    };
    assert_eq!(
        places(&checked),
        places(&applied),
        "no more and no less than announced"
    );
    for (path, text) in [
        (SOMAXCONN, "4096\n"),
        ("proc/sys/vm/swappiness", "1\n"),
        ("proc/irq/60/smp_affinity_list", "2-3\n"),
        ("proc/irq/52/smp_affinity_list", "0\n"),
        ("sys/kernel/mm/transparent_hugepage/enabled", "madvise\n"),
        (
            "sys/devices/system/cpu/cpu3/cpufreq/scaling_governor",
            "performance\n",
        ),
        ("sys/devices/system/cpu/cpu2/cpuidle/state2/disable", "1\n"),
        ("sys/devices/system/cpu/cpu2/cpuidle/state1/disable", "0\n"),
        (&format!("{DRIVE}/scheduler"), "none\n"),
        (&format!("{DRIVE}/nomerges"), "2\n"),
    ] {
        assert_eq!(host.read(path), text, "{path}");
    }
    let by_hand = applied["byHand"].as_array().expect("a list");
    let by_hand: Vec<&str> = by_hand
        .iter()
        .filter_map(|row| row["name"].as_str())
        .collect();
    assert!(
        by_hand.contains(&"NUMA: nodes") && by_hand.contains(&"CPU quota"),
        "{by_hand:?}"
    );
    let (code, again) = json_on(&host, &["tune", "--check"]);
    assert_eq!(
        (code, &again["changes"]),
        (Some(0), &json!([])),
        "nothing is left to change"
    );
    let record = host.read(RECORD);
    assert!(
        on(&host, &["tune", "--apply"])
            .ok()
            .text()
            .starts_with("nothing to change\n")
    );
    assert_eq!(host.read(RECORD), record, "what was before is still known");
    let undone = on(&host, &["tune", "--undo"]).ok().text();
    assert!(
        undone.contains("net.core.somaxconn: 4096 -> 128"),
        "{undone}"
    );
    assert_eq!(after_undo(&host), before);
}

/// The kernel puts the brackets of a choice back by itself; a file does not.
fn after_undo(host: &Host) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    for (path, chosen, choice) in [
        (
            format!("{DRIVE}/scheduler"),
            "mq-deadline\n",
            "none [mq-deadline] kyber\n",
        ),
        (
            "sys/kernel/mm/transparent_hugepage/enabled".into(),
            "always\n",
            "[always] madvise never\n",
        ),
    ] {
        assert!(
            [chosen, choice].contains(&&*host.read(&path)),
            "{path}: {}",
            host.read(&path)
        );
        host.write(&path, choice);
    }
    host.all()
}

/// One value the kernel takes and ignores, one it refuses.
#[test]
fn what_cannot_be_changed_is_told_and_the_rest_is_done() {
    let host = Host::new("host_partly");
    for (path, target) in [
        (format!("{DRIVE}/nomerges"), "/dev/null"),
        (
            "proc/sys/net/ipv4/tcp_slow_start_after_idle".into(),
            "/proc/version",
        ),
    ] {
        fs::remove_file(host.path(&path)).expect("it was made");
        symlink(target, host.path(&path)).expect("writable");
    }
    let before = host.all();
    let ran = on(&host, &["tune", "--apply"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    for words in [
        "nomerges: ",
        "still says",
        "tcp_slow_start_after_idle",
        "cannot be written",
    ] {
        assert!(ran.errors.contains(words), "{words}: {ran:?}");
    }
    assert_eq!(ran.errors.lines().count(), 2, "a line each: {ran:?}");
    assert_eq!(host.read(SOMAXCONN), "4096\n");
    on(&host, &["tune", "--undo"]).ok();
    assert_eq!(
        after_undo(&host),
        before,
        "also what was done in part is undone whole"
    );
    let ran = on(&host, &["tune", "--apply", "drive: nomerges"]);
    ran.failed(1, &["nomerges", "still says"]);
    assert!(
        !host.path(RECORD).exists(),
        "nothing was changed, nothing is to undo"
    );
}

#[test]
fn only_the_knobs_named_are_changed() {
    let host = Host::new("host_named");
    let ran = on(&host, &["tune", "--apply", "net.core.somaxconn"]).ok();
    assert_eq!(
        ran.text(),
        "net.core.somaxconn: 128 -> 4096 (/proc/sys/net/core/somaxconn)\n"
    );
    assert_eq!(host.read("proc/sys/vm/swappiness"), "60\n");
    on(&host, &["tune", "--apply", "net.core.somaxcon"])
        .failed(2, &["there is no knob net.core.somaxcon"]);
    for wrong in [
        &["tune"][..],
        &["tune", "--apply", "--undo"],
        &["tune", "--undo", "net.core.somaxconn"],
    ] {
        assert_eq!(on(&host, wrong).code, Some(2), "{wrong:?}");
    }
}

#[test]
fn undo_leaves_alone_what_is_not_its_own() {
    let host = Host::new("host_undo");
    let missing = on(&host, &["tune", "--undo"]);
    missing.failed(
        1,
        &[
            "nothing to undo",
            "record.json does not exist",
            "tune --apply",
        ],
    );
    on(&host, &["tune", "--apply"]).ok();
    host.write(SOMAXCONN, "8192\n");
    let ran = on(&host, &["tune", "--undo"]);
    assert_eq!(ran.code, Some(4), "{ran:?}");
    for words in [
        "somaxconn says 8192, which tune did not set",
        "before tune it was 128",
    ] {
        assert!(ran.errors.contains(words), "{ran:?}");
    }
    assert_eq!(
        (host.read(SOMAXCONN), host.read("proc/sys/vm/swappiness")),
        ("8192\n".into(), "60\n".into())
    );
    assert!(!host.path(RECORD).exists());
    host.write(RECORD, "{}");
    on(&host, &["tune", "--undo"]).failed(1, &["record.json is damaged", "move it away"]);
}

#[test]
fn a_second_apply_still_knows_what_was_before_the_first() {
    let host = Host::new("host_twice");
    let apply = ["tune", "--apply", "net.core.somaxconn"];
    on(&host, &apply).ok();
    host.write(SOMAXCONN, "64\n");
    on(&host, &apply).ok();
    assert_eq!(host.read(SOMAXCONN), "4096\n");
    on(&host, &["tune", "--undo"]).ok();
    assert_eq!(host.read(SOMAXCONN), "128\n");
}

/// Values of a running kernel go with it; a new one's are nobody's to take back.
#[test]
fn a_boot_between_apply_and_undo_has_undone_it() {
    let host = Host::new("host_boot");
    on(&host, &["tune", "--apply"]).ok();
    host.write("proc/sys/kernel/random/boot_id", "second\n");
    on(&host, &["tune", "--undo"]).ok();
    assert_eq!(
        host.read(SOMAXCONN),
        "4096\n",
        "whoever set it in this boot, it was not tune"
    );
    assert!(
        !host.path(RECORD).exists() && !host.path("etc/security/limits.d/90-ottla.conf").exists()
    );
}

/// The record is written first: a machine that stops in between has nothing to take back. Nobody else may write it, nor
/// two at a time.
#[test]
fn a_change_that_was_never_made_is_undone_by_nothing() {
    let host = Host::new("host_cut");
    let record = json!({"bootId": "first", "changes": [
        {"name": "net.core.somaxconn", "place": format!("/{SOMAXCONN}"), "before": "128\n", "after": "4096\n"},
    ]});
    host.write(RECORD, &record.to_string());
    let folder = host.path("var/lib/ottla-tune");
    let allow =
        |mode| fs::set_permissions(&folder, Permissions::from_mode(mode)).expect("it is ours");
    allow(0o777);
    let refused = on(&host, &["tune", "--undo"]);
    refused.failed(1, &["ottla-tune can be written to by others", "chmod 700"]);
    allow(0o700);
    let lock = File::open(&folder).expect("a folder");
    lock.lock().expect("nobody has it");
    on(&host, &["tune", "--undo"]).failed(1, &["another ottla tune", "wait"]);
    drop(lock);
    on(&host, &["tune", "--undo"]).ok();
    assert_eq!(host.read(SOMAXCONN), "128\n");
    assert!(!host.path(RECORD).exists());
}

/// The kernel itself, where a change concerns nobody: in a network and among mounts of the test's own.
#[test]
fn a_real_kernel_takes_and_gives_back() {
    let script = "mount -t tmpfs none /var/lib || exit 77
        echo 128 > /proc/sys/net/core/somaxconn
        cat /proc/sys/net/core/somaxconn
        \"$0\" tune --apply net.core.somaxconn > /dev/null || exit
        cat /proc/sys/net/core/somaxconn
        \"$0\" tune --undo > /dev/null || exit
        cat /proc/sys/net/core/somaxconn";
    let mut command = Command::new("unshare");
    command
        .args(["--net", "--mount", "sh", "-c", script])
        .arg(binary());
    let ran = Running::start(command).wait();
    if [Some(1), Some(77)].contains(&ran.code) && ran.output.is_empty() {
        println!("skipped: it takes root, and namespaces: {}", ran.errors);
        return;
    }
    assert_eq!(ran.ok().lines(), ["128", "4096", "128"]);
}

#[test]
fn only_root_changes_a_real_host() {
    let nobody = |program: &std::path::Path, arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(program)
            .args(arguments);
        Running::start(command).wait()
    };
    let is_reachable = nobody(
        "/usr/bin/test".as_ref(),
        &["-x", binary().to_str().expect("text")],
    )
    .code;
    if is_reachable != Some(0) {
        println!("skipped: it takes root, and a build that others may run");
        return;
    }
    for action in ["--apply", "--undo"] {
        nobody(&binary(), &["tune", action]).failed(1, &["only root may change this host", "sudo"]);
    }
}
