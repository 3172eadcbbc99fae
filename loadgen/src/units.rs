//! Durations, sizes and ranges as people write them on a command line.

use std::time::Duration;

/// `500ms`, `10s`, `2m`; a bare number is seconds.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = split(text);
    let scale = match unit {
        "ns" => 1e-9,
        "us" => 1e-6,
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        _ => return Err("write a duration like 500us, 10s or 2m".into()),
    };
    let seconds = number.parse::<f64>().map(|number| number * scale);
    let seconds = seconds.ok().filter(|seconds| (0.0..=1e6).contains(seconds));
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "write a duration like 500us, 10s or 2m".into())
}

/// `100`, `1KiB`, `16k`, `1MiB`, `2MB`.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let (number, unit) = split(text);
    let scale: f64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "kib" => 1024.0,
        "mib" => 1024.0 * 1024.0,
        "gib" => 1024.0 * 1024.0 * 1024.0,
        _ => return Err("write a size like 100, 1KiB or 2MB".into()),
    };
    let bytes = number.parse::<f64>().map(|number| number * scale);
    let bytes = bytes.ok().filter(|bytes| (0.0..=1e13).contains(bytes));
    bytes
        .map(|bytes| bytes as usize)
        .ok_or_else(|| "write a size like 100, 1KiB or 2MB".into())
}

/// One size, or `50..200`: from, to.
pub(crate) fn size_range(text: &str) -> Result<(usize, usize), String> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let (from, to) = (size(from)?, size(to)?);
    match from <= to {
        true => Ok((from, to)),
        false => Err("the first size of a range is the smaller one".into()),
    }
}

/// `1000..50000`.
pub(crate) fn rate_range(text: &str) -> Result<(f64, f64), String> {
    let usage = || "write a range of records a second like 1000..50000".to_owned();
    let (from, to) = text.split_once("..").ok_or_else(usage)?;
    let parse = |text: &str| text.parse().ok().filter(|rate: &f64| *rate > 0.0);
    Ok((parse(from).ok_or_else(usage)?, parse(to).ok_or_else(usage)?))
}

/// A positive number of records a second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok();
    rate.filter(|rate: &f64| *rate > 0.0 && *rate <= 1e9)
        .ok_or_else(|| "write records a second, above 0".into())
}

/// `100ms/1s`: for how long, how often.
pub(crate) fn stall(text: &str) -> Result<(Duration, Duration), String> {
    let usage = || "write a stall like 100ms/1s: how long, how often".to_owned();
    let (length, period) = text.split_once('/').ok_or_else(usage)?;
    let (length, period) = (duration(length)?, duration(period)?);
    (length < period)
        .then_some((length, period))
        .ok_or_else(usage)
}

/// `name=value`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| c.is_ascii_alphabetic());
    text.split_at(end.unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_people_write_them() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("10"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1_500)));
        assert!(duration("10 parsecs").is_err() && duration("-1s").is_err());
        assert_eq!(size("1KiB"), Ok(1_024));
        assert_eq!(size("2MB"), Ok(2_000_000));
        assert!(size("1 elephant").is_err());
        assert_eq!(size_range("50..200"), Ok((50, 200)));
        assert_eq!(size_range("100"), Ok((100, 100)));
        assert!(size_range("200..50").is_err());
        assert!(stall("1s/100ms").is_err());
    }
}
