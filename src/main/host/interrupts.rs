//! `/proc/interrupts`: which interrupt is whose, and which CPUs have taken it.

use super::cpus::Cpus;

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Interrupt {
    pub(crate) number: u32,
    /// As its driver calls it: `nvme0q3`, `virtio1-req.0`, `eth0-TxRx-1`.
    pub(crate) name: String,
    /// Those that took it since the start.
    pub(crate) taken_by: Cpus,
}

/// Only those with a number: the others are the CPUs' own.
pub(crate) fn parse(table: &str) -> Vec<Interrupt> {
    let mut lines = table.lines();
    let heading = lines.next().unwrap_or_default().split_whitespace();
    let cpus = heading.map(|cpu| cpu.strip_prefix("CPU")?.parse().ok());
    let Some(cpus) = cpus.collect::<Option<Vec<usize>>>() else {
        return Vec::new();
    };
    lines.filter_map(|line| interrupt(line, &cpus)).collect()
}

fn interrupt(line: &str, cpus: &[usize]) -> Option<Interrupt> {
    let (number, rest) = line.split_once(':')?;
    let number = number.trim().parse().ok()?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let counts = words.get(..cpus.len())?;
    let taken = cpus.iter().zip(counts);
    let taken = taken.filter(|(_, count)| **count != "0");
    Some(Interrupt {
        number,
        name: (*words.last()?).to_owned(),
        taken_by: taken.map(|(cpu, _)| *cpu).collect(),
    })
}

impl Interrupt {
    /// One that tells of requests done or packets come, not of a changed configuration.
    pub(crate) fn is_of_traffic(&self) -> bool {
        // The first queue of an NVMe drive takes its administration alone.
        let is_admin_queue = self.name.starts_with("nvme") && self.name.ends_with("q0");
        !is_admin_queue
            && !["-config", "-control"]
                .iter()
                .any(|end| self.name.ends_with(end))
    }
}

/// Whether each of several queues has a CPU of its own, as drivers with a queue per CPU arrange it; such queues cannot be
/// moved, and need not be.
pub(crate) fn are_spread(cpus_of_queues: &[Cpus]) -> bool {
    let mut seen = Vec::new();
    let are_single = cpus_of_queues.iter().all(|cpus| {
        let mut cpus = cpus.iter();
        let (Some(cpu), None) = (cpus.next(), cpus.next()) else {
            return false;
        };
        seen.push(cpu);
        true
    });
    seen.sort_unstable();
    seen.dedup();
    are_single && seen.len() > 1 && seen.len() == cpus_of_queues.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "
           CPU0       CPU1       CPU3
  9:          0          0          0   IO-APIC   9-fasteoi   acpi
 35:          0          1          0 PCI-MSIX-0000:00:02.0   0-edge      virtio1-config
 36:          0      52198          0 PCI-MSIX-0000:00:02.0   1-edge      virtio1-req.0
 51:          7          0          2 PCI-MSIX-0000:01:00.0   0-edge      nvme0q0
 52:       9999          0          0 PCI-MSIX-0000:01:00.0   1-edge      nvme0q1
NMI:          0          0          0   Non-maskable interrupts
ERR:          0
";

    #[test]
    fn an_interrupt_has_a_name_and_cpus() {
        let found = parse(TABLE.trim_start_matches('\n'));
        let shown = found.iter().map(|interrupt| {
            let is_of_traffic = interrupt.is_of_traffic();
            (
                interrupt.number,
                interrupt.name.as_str(),
                interrupt.taken_by.to_string(),
                is_of_traffic,
            )
        });
        let expected = [
            (9, "acpi", "", true),
            (35, "virtio1-config", "1", false),
            (36, "virtio1-req.0", "1", true),
            (51, "nvme0q0", "0,3", false),
            (52, "nvme0q1", "0", true),
        ];
        let expected = expected.map(|(number, name, cpus, is)| (number, name, cpus.to_owned(), is));
        assert_eq!(shown.collect::<Vec<_>>(), expected);
        assert!(parse("").is_empty() && parse("no table\n1: 2 x\n").is_empty());
    }

    #[test]
    fn queues_are_spread_when_each_has_its_own_cpu() {
        for (queues, spread) in [
            (vec!["0", "1", "2", "3"], true),
            (vec!["1"], false),
            (vec!["0", "0"], false),
            (vec!["0", "1", "1"], false),
            (vec!["0-1", "2"], false),
            (vec![], false),
        ] {
            let cpus = queues.iter().map(|text| Cpus::parse(text).expect("a list"));
            assert_eq!(are_spread(&cpus.collect::<Vec<_>>()), spread, "{queues:?}");
        }
    }
}
