//! What a knob should say, and whether it does.

use super::cpus::Cpus;
use ottla::config::quantity::parse_size;

/// Alternatives; one that fits is enough.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Wanted(Vec<Wish>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Wish {
    Any,
    AtLeast(Amount),
    AtMost(Amount),
    /// A list of CPUs that has none but these.
    Within(Cpus),
    Not(Vec<String>),
    Is(String),
}

/// A number, a version, a size or no bound at all, in this order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Amount {
    Parts(Vec<u64>),
    Unlimited,
}

impl Wanted {
    /// `None` when an alternative makes no sense.
    pub(crate) fn parse(text: &str) -> Option<Wanted> {
        let wishes = text.split(" or ").map(Wish::parse);
        wishes.collect::<Option<Vec<Wish>>>().map(Wanted)
    }

    pub(crate) fn fits(&self, found: &str) -> bool {
        self.0.iter().any(|wish| wish.fits(found))
    }
}

impl Wish {
    fn parse(text: &str) -> Option<Wish> {
        if text == "any" {
            return Some(Wish::Any);
        }
        if let Some(amount) = text.strip_prefix("at least ") {
            return Amount::parse(amount).map(Wish::AtLeast);
        }
        if let Some(amount) = text.strip_prefix("at most ") {
            return Amount::parse(amount).map(Wish::AtMost);
        }
        if let Some(cpus) = text.strip_prefix("CPUs within ") {
            let cpus = if cpus == "none" { "" } else { cpus };
            return Cpus::parse(cpus).map(Wish::Within);
        }
        if let Some(words) = text.strip_prefix("not ") {
            let words = words.split(',').map(|word| word.trim().to_owned());
            return Some(Wish::Not(words.collect()));
        }
        (!text.is_empty()).then(|| Wish::Is(text.to_owned()))
    }

    fn fits(&self, found: &str) -> bool {
        let amount = || Amount::parse(found);
        match self {
            Wish::Any => true,
            Wish::AtLeast(least) => amount().is_some_and(|amount| amount >= *least),
            Wish::AtMost(most) => amount().is_some_and(|amount| amount <= *most),
            Wish::Within(cpus) => {
                Cpus::parse(found).is_some_and(|found| !found.is_empty() && found.is_within(cpus))
            }
            Wish::Not(words) => !words.iter().any(|word| word == found),
            Wish::Is(text) => text == found,
        }
    }
}

impl Amount {
    /// `unlimited`, `97MiB`, or numbers with dots between them; what follows after a space or a dash is a unit or a name.
    fn parse(text: &str) -> Option<Amount> {
        let text = text.trim();
        if text == "unlimited" {
            return Some(Amount::Unlimited);
        }
        if let Some(bytes) = parse_size(text) {
            return Some(Amount::Parts(vec![bytes]));
        }
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let (number, rest) = text.split_at(end.unwrap_or(text.len()));
        if !rest.is_empty() && !rest.starts_with([' ', '-', '+']) {
            return None;
        }
        let parts = number.split('.').map(|part| part.parse().ok());
        parts.collect::<Option<Vec<u64>>>().map(Amount::Parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_knob_says_what_is_wanted_or_does_not() {
        for (wanted, found, fits) in [
            ("any", "whatever", true),
            ("none", "none", true),
            ("none", "mq-deadline", false),
            ("madvise or never", "never", true),
            ("madvise or never", "always", false),
            ("at least 4096", "4096", true),
            ("at least 4096", "128", false),
            ("at least 6.1", "6.18.44-fc-v509", true),
            ("at least 6.1", "6.1.0-13-amd64", true),
            ("at least 6.1", "5.15.0-91-generic", false),
            ("at least 6.1", "10.0", true),
            ("at least 97MiB", "8MiB", false),
            ("at least 97MiB", "97MiB", true),
            ("at least 97MiB", "1GiB", true),
            ("at least 97MiB", "unlimited", true),
            ("at least 4096", "", false),
            ("at least 4096", "many", false),
            ("at most 500 us", "27 us", true),
            ("at most 500 us", "891 us", false),
            ("no swap or at most 1", "no swap", true),
            ("no swap or at most 1", "0", true),
            ("no swap or at most 1", "60", false),
            ("CPUs within 2-3", "3", true),
            ("CPUs within 2-3", "1-2", false),
            ("CPUs within 2-3", "", false),
            ("CPUs within none or a queue per CPU", "0", false),
            (
                "CPUs within none or a queue per CPU",
                "a queue per CPU",
                true,
            ),
            ("not tmpfs, ramfs", "ext4", true),
            ("not tmpfs, ramfs", "ramfs", false),
        ] {
            let wish = Wanted::parse(wanted).unwrap_or_else(|| panic!("{wanted:?}"));
            assert_eq!(wish.fits(found), fits, "{wanted:?} {found:?}");
        }
    }

    #[test]
    fn nonsense_is_no_wish() {
        for text in [
            "at least much",
            "at most 4x",
            "CPUs within all",
            "none or ",
            "",
        ] {
            assert_eq!(Wanted::parse(text), None, "{text:?}");
        }
    }
}
