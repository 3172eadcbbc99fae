//! What `tuning/` says of hosts: the page and the plain files against the table of knobs, the scripts on a host of files,
//! the profiles through the broker's own parser.

use super::{read, root};
use ottla::config::{Settings, Sources};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Knob(toml::Table);

impl Knob {
    fn all() -> Vec<Knob> {
        let table: toml::Table = read("tuning/knobs.toml").parse().expect("TOML");
        let rows = table["knob"].as_array().expect("rows").clone();
        let knob = |row: toml::Value| Knob(row.as_table().expect("a row").clone());
        rows.into_iter().map(knob).collect()
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    fn text(&self, key: &str) -> &str {
        self.get(key)
            .unwrap_or_else(|| panic!("{key} of {:?}", self.0))
    }

    /// As the page tells it.
    fn markdown(&self) -> String {
        let mut head = format!("**{}**: `{}`", self.text("name"), self.text("wanted"));
        if let Some(only) = self.get("only") {
            head.push_str(&format!(", on {only}"));
        }
        if self.get("set").or(self.get("install")).is_some() {
            head.push_str("; ottla tune sets it");
        }
        let measure = self
            .get("measure")
            .map(|command| format!("; to measure: {command}"));
        format!(
            "{head}\n- why: {}\n- how: {}; undo: {}\n- effect: {}{}\n",
            self.text("why"),
            self.text("how"),
            self.text("undo"),
            self.text("effect"),
            measure.unwrap_or_default()
        )
    }
}

#[test]
fn the_page_tells_what_the_table_says() {
    let page = read("tuning/README.md");
    let (head, rest) = page
        .split_once("<!-- knobs.toml -->\n")
        .expect("where it begins");
    let (_, tail) = rest.split_once("<!-- end -->\n").expect("where it ends");
    let knobs: Vec<String> = Knob::all().iter().map(Knob::markdown).collect();
    let expected = format!(
        "{head}<!-- knobs.toml -->\n\n{}\n<!-- end -->\n{tail}",
        knobs.join("\n")
    );
    if page != expected {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("README.md");
        fs::write(&path, expected).expect("writable");
        panic!(
            "tuning/README.md is not what knobs.toml says: cp {} tuning/README.md",
            path.display()
        );
    }
}

/// A question that the benchmarks ask.
#[test]
fn what_is_to_be_measured_can_be() {
    let bench = read("bench/main.rs");
    let knobs = Knob::all();
    let commands = knobs.iter().filter_map(|knob| knob.get("measure"));
    let questions = commands.filter_map(|command| command.split_once("cargo bench -- "));
    let questions: Vec<&str> = questions
        .map(|(_, rest)| rest.split([' ', ',', ')']).next().unwrap_or(rest))
        .collect();
    assert!(questions.len() > 3, "{questions:?}");
    for question in questions {
        assert!(bench.contains(&format!("(\"{question}\", ")), "{question}");
    }
}

/// Nobody is promised what nobody has seen.
#[test]
fn an_effect_has_figures_or_none_is_claimed() {
    for knob in Knob::all() {
        let effect = knob.text("effect");
        let is_plain = [
            "not measured here",
            "a bound, no speed",
            "durability, not speed",
            "correct times",
            "without it",
        ];
        let is_measured = effect.starts_with("measured") && effect.contains(" us");
        let is_open = is_plain.iter().any(|words| effect.starts_with(words))
            || effect.contains("doctor --disk");
        assert!(is_measured || is_open, "{}: {effect}", knob.text("name"));
    }
}

#[test]
fn sysctl_conf_sets_what_the_table_sets() {
    let conf = read("tuning/sysctl.conf");
    let lines = conf.lines().filter(|line| !line.starts_with('#'));
    let lines: BTreeSet<String> = lines.map(str::to_owned).collect();
    let knobs = Knob::all();
    let sysctls = knobs.iter().filter(|knob| {
        let start = knob.text("name").split('.').next();
        start.is_some_and(|start| ["kernel", "net", "vm"].contains(&start))
    });
    let set =
        sysctls.filter_map(|knob| Some(format!("{} = {}", knob.text("name"), knob.get("set")?)));
    assert_eq!(lines, set.collect::<BTreeSet<String>>());
}

#[test]
fn limits_and_units_agree() {
    let unit = read("tuning/systemd/ottla.service");
    let limits = read("tuning/limits.conf");
    let knobs = Knob::all();
    let open = knobs
        .iter()
        .find(|knob| knob.text("name") == "open files")
        .expect("a row");
    let files = open.text("wanted").trim_start_matches("at least ");
    assert!(
        unit.contains(&format!("\nLimitNOFILE={files}\n"))
            && unit.contains("\nLimitMEMLOCK=infinity\n")
    );
    for line in limits.lines().filter(|line| !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_known = matches!(words[..], [_, "-", "memlock", "unlimited"])
            || words.get(1..) == Some(&["-", "nofile", files][..]);
        assert!(is_known, "{line}");
    }
}

/// Values the file sets are values in force.
#[test]
fn profiles_are_settings() {
    let folder = fs::read_dir(root().join("tuning/profiles")).expect("a folder");
    let mut names = BTreeSet::new();
    for entry in folder {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let text = fs::read_to_string(&path).expect("a file");
        let sources = || Sources {
            file: Some((&name, &text)),
            ..Sources::default()
        };
        let problems = sources().problems();
        assert!(problems.is_empty(), "{name}: {problems:?}");
        let settings = Settings::load(sources()).expect("no problems");
        assert_ne!(settings, Settings::default(), "{name}");
        names.insert(name);
    }
    let expected = ["latency.toml", "small.toml", "throughput.toml"];
    assert_eq!(names, expected.map(str::to_owned).into());
}

#[test]
fn units_are_units() {
    let folder = fresh("units");
    let mut files = Vec::new();
    for name in ["ottla.service", "ottla-tune.service"] {
        let text = read(&format!("tuning/systemd/{name}"));
        assert!(
            text.contains("=/usr/bin/ottla ") || text.contains("=-/usr/bin/ottla "),
            "{name}"
        );
        // The program must be there to be verified.
        let path = folder.join(name);
        fs::write(
            &path,
            text.replace("/usr/bin/ottla", env!("CARGO_BIN_EXE_ottla")),
        )
        .expect("writable");
        files.push(path);
    }
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(&files)
        .output();
    match verified {
        Err(_) => println!("skipped: no systemd-analyze"),
        Ok(said) => assert!(said.status.success() && said.stderr.is_empty(), "{said:?}"),
    }
}

#[test]
fn shellcheck_has_nothing_to_say() {
    let scripts = ["tuning/irq.sh", "tuning/nvme.sh"].map(|script| root().join(script));
    match Command::new("shellcheck").args(scripts).output() {
        Err(_) => println!("skipped: no shellcheck"),
        Ok(said) => assert!(
            said.status.success(),
            "{}",
            String::from_utf8_lossy(&said.stdout)
        ),
    }
}

#[test]
fn nvme_sh_sets_the_rows_for_nvme_and_takes_them_back() {
    let host = fresh("nvme");
    let queue = |drive: &str| host.join(format!("sys/block/{drive}/queue"));
    let before = [
        ("scheduler", "[mq-deadline] none kyber\n"),
        ("nomerges", "0\n"),
        ("rq_affinity", "1\n"),
    ];
    for drive in ["nvme0n1", "sda"] {
        fs::create_dir_all(queue(drive)).expect("writable");
        for (name, text) in before {
            fs::write(queue(drive).join(name), text).expect("writable");
        }
    }
    let undone = run("nvme.sh", &host, &["--undo"]);
    assert_eq!(undone.status.code(), Some(1), "{undone:?}");
    assert!(run("nvme.sh", &host, &[]).status.success());
    let knobs = Knob::all();
    let rows: Vec<&Knob> = knobs
        .iter()
        .filter(|knob| knob.get("only") == Some("nvme"))
        .collect();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let name = row.text("file").replace("{queue}/", "");
        let text = fs::read_to_string(queue("nvme0n1").join(&name)).expect("it is there");
        assert_eq!(text.trim(), row.text("set"), "{name}");
    }
    let again = run("nvme.sh", &host, &[]);
    assert!(
        again.status.success() && again.stdout.is_empty(),
        "{again:?}"
    );
    assert!(run("nvme.sh", &host, &["--undo"]).status.success());
    for (name, text) in before {
        let [nvme, sda] = ["nvme0n1", "sda"]
            .map(|drive| fs::read_to_string(queue(drive).join(name)).expect("it is there"));
        let restored = if name == "scheduler" {
            "mq-deadline\n"
        } else {
            text
        };
        assert_eq!((nvme.as_str(), sda.as_str()), (restored, text), "{name}");
    }
    assert_eq!(run("nvme.sh", &host, &["nvme7n1"]).status.code(), Some(1));
    assert_eq!(run("nvme.sh", &host, &["--all"]).status.code(), Some(2));
}

#[test]
fn irq_sh_moves_the_queues_of_one_device_and_takes_them_back() {
    let host = fresh("irq");
    fs::create_dir_all(host.join("proc")).expect("writable");
    let table = "     CPU0 CPU1\n 35: 0 1 x virtio1-config\n 36: 0 9 x virtio1-req.0\n 37: 0 9 x virtio11-req.0\n \
                 51: 7 0 x nvme0q0\n 52: 9 0 x nvme0q1\nNMI: 0 0 nothing\n";
    fs::write(host.join("proc/interrupts"), table).expect("writable");
    let affinity = |number: u32| host.join(format!("proc/irq/{number}/smp_affinity_list"));
    let all = [35, 36, 37, 51, 52];
    for number in all {
        fs::create_dir_all(affinity(number).parent().expect("a folder")).expect("writable");
        fs::write(affinity(number), "0-1\n").expect("writable");
    }
    let stand = || all.map(|number| fs::read_to_string(affinity(number)).expect("it is there"));
    assert_eq!(run("irq.sh", &host, &["--undo"]).status.code(), Some(1));
    for (name, moved) in [("virtio1", 36), ("nvme0", 52)] {
        assert!(run("irq.sh", &host, &[name, "1"]).status.success());
        assert_eq!(
            fs::read_to_string(affinity(moved)).expect("it is there"),
            "1\n"
        );
    }
    assert_eq!(stand(), ["0-1\n", "1\n", "0-1\n", "0-1\n", "1\n"]);
    assert!(
        run("irq.sh", &host, &["nvme0", "1"]).stdout.is_empty(),
        "nothing is left to do"
    );
    assert!(run("irq.sh", &host, &["--undo"]).status.success());
    assert_eq!(stand(), ["0-1\n"; 5]);
    assert_eq!(
        run("irq.sh", &host, &["nvme", "1"]).status.code(),
        Some(1),
        "no device of that name"
    );
    assert_eq!(run("irq.sh", &host, &["nvme0"]).status.code(), Some(2));
}

fn fresh(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tuning-{name}"));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("writable");
    path
}

fn run(script: &str, host: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(root().join("tuning").join(script));
    command.args(arguments).env("ROOT", host);
    command.output().expect("a shell")
}
