//! Places in a log as people name them: an end, an offset, a number of records, a time.

use crate::moment;
use std::str::FromStr;
use std::time::SystemTime;

/// Milliseconds since 1970, now.
pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    })
}

/// Where a reader begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum From {
    Beginning,
    End,
    Offset(i64),
    /// That many records of each partition before its end.
    Last(i64),
    Time(i64),
}

impl FromStr for From {
    type Err = String;

    fn from_str(text: &str) -> Result<From, String> {
        match text {
            "beginning" | "earliest" => return Ok(From::Beginning),
            "end" | "latest" => return Ok(From::End),
            _ => {}
        }
        match text.parse::<i64>() {
            Ok(offset) if offset >= 0 => return Ok(From::Offset(offset)),
            Ok(number) if number > i64::MIN => return Ok(From::Last(-number)),
            _ => {}
        }
        let time = moment::parse(text, now()).map(From::Time);
        time.ok_or_else(|| {
            "write beginning, end, an offset, -N for the last N records, or a time: 2026-11-23T02:00:00Z, \
             2026-11-23, or 5m for five minutes ago"
                .into()
        })
    }
}

/// What is deleted lies before this.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Before {
    End,
    Offset(i64),
    Time(i64),
}

impl FromStr for Before {
    type Err = String;

    fn from_str(text: &str) -> Result<Before, String> {
        match text.parse::<From>() {
            Ok(From::End) => Ok(Before::End),
            Ok(From::Offset(offset)) => Ok(Before::Offset(offset)),
            Ok(From::Time(time)) => Ok(Before::Time(time)),
            _ => Err(
                "write an offset, end, or a time: 2026-11-23T02:00:00Z, or 7d for seven days ago"
                    .into(),
            ),
        }
    }
}

/// Where a group is put.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Target {
    Earliest,
    Latest,
    Offset(i64),
    Time(i64),
    /// From where it is.
    Shift(i64),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Target, String> {
        if text.starts_with(['+', '-']) {
            let shift = text.parse().map(Target::Shift);
            return shift.map_err(|_| "write +N or -N for a shift by N records".into());
        }
        match text.parse::<From>() {
            Ok(From::Beginning) => Ok(Target::Earliest),
            Ok(From::End) => Ok(Target::Latest),
            Ok(From::Offset(offset)) => Ok(Target::Offset(offset)),
            Ok(From::Time(time)) => Ok(Target::Time(time)),
            _ => Err("write earliest, latest, an offset, +N or -N for a shift, or a time: 2026-11-23T02:00:00Z, \
                      or 5m for five minutes ago"
                .into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_end_an_offset_or_a_time() {
        let time = 1_795_392_000_000;
        for (text, from, before, target) in [
            (
                "beginning",
                Some(From::Beginning),
                None,
                Some(Target::Earliest),
            ),
            (
                "earliest",
                Some(From::Beginning),
                None,
                Some(Target::Earliest),
            ),
            (
                "end",
                Some(From::End),
                Some(Before::End),
                Some(Target::Latest),
            ),
            (
                "latest",
                Some(From::End),
                Some(Before::End),
                Some(Target::Latest),
            ),
            (
                "0",
                Some(From::Offset(0)),
                Some(Before::Offset(0)),
                Some(Target::Offset(0)),
            ),
            (
                "17",
                Some(From::Offset(17)),
                Some(Before::Offset(17)),
                Some(Target::Offset(17)),
            ),
            ("-5", Some(From::Last(5)), None, Some(Target::Shift(-5))),
            (
                "2026-11-23",
                Some(From::Time(time)),
                Some(Before::Time(time)),
                Some(Target::Time(time)),
            ),
            (
                "-9223372036854775808",
                None,
                None,
                Some(Target::Shift(i64::MIN)),
            ),
            ("9223372036854775808", None, None, None),
            ("somewhere", None, None, None),
            ("", None, None, None),
        ] {
            assert_eq!(text.parse::<From>().ok(), from, "{text}");
            assert_eq!(text.parse::<Before>().ok(), before, "{text}");
            assert_eq!(text.parse::<Target>().ok(), target, "{text}");
        }
        assert_eq!("+5".parse(), Ok(Target::Shift(5)));
        assert!("+x".parse::<Target>().is_err());
        let Ok(From::Time(ago)) = "1h".parse() else {
            panic!("a time");
        };
        assert!((now() - ago - 3_600_000).abs() < 60_000);
    }
}
