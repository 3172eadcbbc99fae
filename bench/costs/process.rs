//! A broker inside a process of this program, whose allocator counts: its parent asks over standard input.

use super::allocation;
use ottla::boot;
use ottla::config::{Entry, Settings, Sources};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

const COUNT: &str = "count";
const TRACE: &str = "trace";
const SITES: &str = "sites";
const END: &str = "end";

/// The child: serves until its standard input ends.
pub(crate) fn serve(data: &str) -> ExitCode {
    let wishes = [
        format!("node.data_dir={data}"),
        "listeners.kafka=127.0.0.1:0".to_owned(),
        "admin.listen=off".to_owned(),
        "shards.count=1".to_owned(),
    ];
    let entries = wishes
        .iter()
        .map(|wish| Entry::set(wish).expect("a setting"));
    let settings = Settings::load(Sources {
        arguments: entries.collect(),
        ..Sources::default()
    });
    let settings = settings.expect("valid settings");
    std::thread::spawn(|| {
        let served = boot::serve(settings, |ready| println!("{}", ready.kafka));
        panic!("the broker has ended: {served:?}");
    });
    for order in std::io::stdin().lines() {
        match order.expect("a pipe").as_str() {
            COUNT => println!("{}", allocation::count()),
            TRACE => {
                allocation::trace(true);
                println!("{TRACE}");
            }
            SITES => {
                allocation::trace(false);
                for (site, count) in allocation::take_sites() {
                    println!("{count} {site}");
                }
                println!("{END}");
            }
            other => panic!("no order: {other}"),
        }
    }
    ExitCode::SUCCESS
}

/// The parent's view.
pub(crate) struct Counted {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    pub(crate) address: String,
}

impl Counted {
    pub(crate) fn start(data: &Path) -> Counted {
        let program = std::env::current_exe().expect("this program");
        let mut child = Command::new(program)
            .arg("--serve")
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program again");
        let orders = child.stdin.take().expect("piped");
        let answers = BufReader::new(child.stdout.take().expect("piped"));
        let mut counted = Counted {
            child,
            orders,
            answers,
            address: String::new(),
        };
        counted.address = counted.answer();
        counted
    }

    /// Allocations so far.
    pub(crate) fn count(&mut self) -> u64 {
        self.order(COUNT);
        self.answer().parse().expect("a number")
    }

    /// From now on.
    pub(crate) fn trace(&mut self) {
        self.order(TRACE);
        assert_eq!(self.answer(), TRACE);
    }

    /// Where it allocated since, and how often.
    pub(crate) fn sites(&mut self) -> Vec<(u64, String)> {
        self.order(SITES);
        let mut sites = Vec::new();
        loop {
            let line = self.answer();
            if line == END {
                return sites;
            }
            let (count, site) = line.split_once(' ').expect("a count and a site");
            sites.push((count.parse().expect("a number"), site.to_owned()));
        }
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("the child reads");
    }

    fn answer(&mut self) -> String {
        let mut line = String::new();
        self.answers
            .read_line(&mut line)
            .expect("the child answers");
        line.trim_end().to_owned()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
