//! Times as people write them: RFC 3339 in UTC out; RFC 3339, a date, or how long ago in.

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat};

const UNITS: &[(&str, i64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];
/// Years have four digits.
const DATE_BYTES: usize = 10;

/// `2026-11-23T02:09:58.123Z` of milliseconds since 1970. Kafka's -1, no time, has no text.
pub(crate) fn render(millis: i64) -> Option<String> {
    let time = DateTime::from_timestamp_millis(millis).filter(|_| millis >= 0)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// Milliseconds since 1970 of an RFC 3339 time, a date (its first moment in UTC), or `5m`, which is five minutes ago.
pub(crate) fn parse(text: &str, now: i64) -> Option<i64> {
    ago(text)
        .and_then(|span| now.checked_sub(span))
        .or_else(|| absolute(text))
}

fn ago(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<i64>().ok()?.checked_mul(*factor)
}

fn absolute(text: &str) -> Option<i64> {
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(time.timestamp_millis());
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    let start = date.and_time(NaiveTime::MIN).and_utc();
    (text.len() == DATE_BYTES).then(|| start.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs as `date -u -d @SECONDS` prints them.
    #[test]
    fn a_time_is_written_and_read_in_utc() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_827_696_789, "2000-02-29T12:34:56.789Z"),
            (1_077_926_399_000, "2004-02-27T23:59:59.000Z"),
            (1_795_399_798_123, "2026-11-23T02:09:58.123Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(render(millis).as_deref(), Some(text));
            assert_eq!(parse(text, 0), Some(millis));
        }
        assert_eq!(render(-1), None);
    }

    #[test]
    fn a_time_may_be_a_date_or_a_while_ago_or_of_another_zone() {
        let now = 1_795_399_798_123;
        for (text, millis) in [
            ("2026-11-23", Some(1_795_392_000_000)),
            ("2026-11-23T02:09:58Z", Some(1_795_399_798_000)),
            ("2026-11-23 04:09:58.5+02:00", Some(1_795_399_798_500)),
            ("2026-11-22T21:09:58-05:00", Some(1_795_399_798_000)),
            ("5m", Some(now - 300_000)),
            ("1500ms", Some(now - 1_500)),
            ("2d", Some(now - 172_800_000)),
            ("2026-02-30", None),
            ("2026-13-01", None),
            ("2026-11-23T25:00:00Z", None),
            ("2026-11-23T02:09:58", None),
            ("26-11-23", None),
            ("5", None),
            ("m", None),
            ("99999999999999999d", None),
            ("", None),
        ] {
            assert_eq!(parse(text, now), millis, "{text}");
        }
    }
}
