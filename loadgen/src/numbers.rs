//! Numbers as people read them. Values below 1,000 keep three significant digits, as many as a histogram has.

/// Microseconds as milliseconds, without the unit: for a column whose heading names it.
pub(crate) fn milliseconds(micros: f64) -> String {
    let value = micros / 1_000.0;
    match value {
        // Nanoseconds are below what a clock of another machine could confirm.
        _ if value < 0.9995 => format!("{value:.3}"),
        _ => three_digits(value),
    }
}

/// Microseconds with the unit that suits them.
pub(crate) fn latency(micros: f64) -> String {
    match micros {
        _ if micros < 999.5 => format!("{} µs", three_digits(micros)),
        _ if micros < 999_500.0 => format!("{} ms", three_digits(micros / 1e3)),
        _ => format!("{} s", three_digits(micros / 1e6)),
    }
}

/// `12,345`.
pub(crate) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Of records, requests or megabytes in a second: whole from 1,000 on.
pub(crate) fn rate(value: f64) -> String {
    three_digits(value)
}

/// Bytes in memory or on a disk, binary units.
pub(crate) fn bytes(value: u64) -> String {
    let mut scaled = value as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if scaled < 1_024.0 {
            return format!("{} {unit}", three_digits(scaled));
        }
        scaled /= 1_024.0;
    }
    format!("{} TiB", three_digits(scaled))
}

/// A share between 0 and 1; never rounded to nothing.
pub(crate) fn percent(share: f64) -> String {
    let value = share * 100.0;
    match value {
        _ if value > 0.0 && value < 0.01 => "< 0.01 %".into(),
        _ => format!("{} %", three_digits(value)),
    }
}

/// How often `base` goes into `value`: `1.8×`.
pub(crate) fn ratio(value: f64, base: f64) -> Option<String> {
    (base > 0.0).then(|| format!("{}×", three_digits(value / base)))
}

fn three_digits(value: f64) -> String {
    match value {
        _ if value == 0.0 => "0".into(),
        _ if value < 9.995 => format!("{value:.2}"),
        _ if value < 99.95 => format!("{value:.1}"),
        _ => count(value.round() as u64),
    }
}

/// Data must not move the cursor of a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_digits_and_the_unit_that_suits_them() {
        let rows: &[(String, &str)] = &[
            (latency(8.4), "8.40 µs"),
            (latency(312.4), "312 µs"),
            (latency(999.6), "1.00 ms"),
            (latency(12_345.0), "12.3 ms"),
            (latency(999_600.0), "1.00 s"),
            (milliseconds(43.0), "0.043"),
            (milliseconds(999.9), "1.00"),
            (milliseconds(1_203_000.0), "1,203"),
            (count(0), "0"),
            (count(999), "999"),
            (count(1_234_567), "1,234,567"),
            (rate(99.96), "100"),
            (bytes(512), "512 B"),
            (bytes(3 << 30), "3.00 GiB"),
            (percent(0.00001), "< 0.01 %"),
            (percent(0.123), "12.3 %"),
            (percent(0.0), "0 %"),
        ];
        for (told, expected) in rows {
            assert_eq!(told, expected);
        }
        assert_eq!(ratio(9.0, 5.0).as_deref(), Some("1.80×"));
        assert_eq!(ratio(9.0, 0.0), None);
    }
}
