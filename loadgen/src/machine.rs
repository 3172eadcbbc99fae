//! Facts of the host.

use crate::result::Machine;
use std::collections::BTreeMap;
use std::fs;

pub(crate) fn read() -> Machine {
    let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line
            .and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim());
        value.unwrap_or_default().to_owned()
    };
    let memory = field(&text("/proc/meminfo"), "MemTotal");
    let kibibytes = memory
        .split_whitespace()
        .next()
        .and_then(|number| number.parse::<u64>().ok());
    Machine {
        kernel: text("/proc/sys/kernel/osrelease").trim().to_owned(),
        cpu: field(&text("/proc/cpuinfo"), "model name"),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: kibibytes.unwrap_or(0) * 1024,
        facts: BTreeMap::new(),
    }
}
