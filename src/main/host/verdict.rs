//! What to think of a reading.

use super::reading::Reading;
use super::wanted::Wanted;
use serde::Serialize;

/// From the best to the worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Ok,
    /// It could not be looked at; the reading says why.
    Unknown,
    /// A broker works, but not as well as it could.
    Warn,
    /// A broker would not start, or would lose what it acknowledged.
    Bad,
}

impl Verdict {
    pub(crate) fn of(reading: &Reading, wanted: &Wanted, needed: Option<&Wanted>) -> Verdict {
        let Reading::Values(values) = reading else {
            return Verdict::Unknown;
        };
        let all_fit = |wanted: &Wanted| values.iter().all(|value| wanted.fits(&value.text));
        if needed.is_some_and(|needed| !all_fit(needed)) {
            return Verdict::Bad;
        }
        match all_fit(wanted) {
            true => Verdict::Ok,
            false => Verdict::Warn,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Verdict::Ok => "ok",
            Verdict::Unknown => "unknown",
            Verdict::Warn => "warn",
            Verdict::Bad => "bad",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::reading::Value;

    #[test]
    fn a_reading_is_as_good_as_its_worst_place() {
        let values = |texts: &[&str]| {
            let value = |text: &&str| Value {
                text: (*text).into(),
                ..Value::default()
            };
            Reading::Values(texts.iter().map(value).collect())
        };
        for (reading, wanted, needed, verdict) in [
            (
                values(&["97MiB"]),
                "at least 97MiB",
                Some("at least 512KiB"),
                Verdict::Ok,
            ),
            (
                values(&["8MiB"]),
                "at least 97MiB",
                Some("at least 512KiB"),
                Verdict::Warn,
            ),
            (
                values(&["64KiB"]),
                "at least 97MiB",
                Some("at least 512KiB"),
                Verdict::Bad,
            ),
            (
                values(&["performance", "performance"]),
                "performance",
                None,
                Verdict::Ok,
            ),
            (
                values(&["performance", "powersave"]),
                "performance",
                None,
                Verdict::Warn,
            ),
            (values(&[]), "1", None, Verdict::Ok),
            (
                values(&["btrfs"]),
                "ext4 or xfs",
                Some("not tmpfs, ramfs"),
                Verdict::Warn,
            ),
            (
                values(&["tmpfs"]),
                "ext4 or xfs",
                Some("not tmpfs, ramfs"),
                Verdict::Bad,
            ),
            (
                Reading::Unknown("missing".into()),
                "1",
                Some("1"),
                Verdict::Unknown,
            ),
        ] {
            let parse = |text| Wanted::parse(text).expect("it makes sense");
            let (wish, need) = (parse(wanted), needed.map(parse));
            let found = Verdict::of(&reading, &wish, need.as_ref());
            assert_eq!(found, verdict, "{reading:?} {wanted}");
        }
    }
}
