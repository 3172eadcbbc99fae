//! Times as people write them: RFC 3339 in UTC out; RFC 3339, a date, or how long ago in.

const DAY_MS: i64 = 86_400_000;
const UNITS: &[(&str, i64)] = &[
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", DAY_MS),
];

/// `2026-11-23T02:09:58.123Z` of milliseconds since 1970. Kafka's -1, no time, has no text.
pub(crate) fn render(millis: i64) -> Option<String> {
    if millis < 0 {
        return None;
    }
    let (days, rest) = (millis.div_euclid(DAY_MS), millis.rem_euclid(DAY_MS));
    let (year, month, day) = civil(days);
    let (hours, minutes) = (rest / 3_600_000, rest / 60_000 % 60);
    let (seconds, millis) = (rest / 1_000 % 60, rest % 1_000);
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z"
    ))
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
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let start = days(date)? * DAY_MS;
    let millis = time.map_or(Some(0), time_of_day)?;
    start.checked_add(millis)
}

/// Days since 1970 of `2026-11-23`.
fn days(date: &str) -> Option<i64> {
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else {
        return None;
    };
    let (year, month, day) = (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
    let days = days_of_civil(year, month, day);
    // A day that its month lacks comes back as another one.
    (civil(days) == (year, month, day)).then_some(days)
}

/// `02:09:58.123Z`, `02:09:58+02:00`: milliseconds after the start of the day in UTC.
fn time_of_day(text: &str) -> Option<i64> {
    let at = text.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = text.split_at(at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let parts: Vec<&str> = clock.split(':').collect();
    let [hours, minutes, seconds] = parts[..] else {
        return None;
    };
    let (hours, minutes, seconds) = (digits(hours, 2)?, digits(minutes, 2)?, digits(seconds, 2)?);
    let is_clock = hours < 24 && minutes < 60 && seconds < 60;
    let millis = ((hours * 60 + minutes) * 60 + seconds) * 1_000 + thousandths(fraction)?;
    is_clock.then_some(millis - offset(zone)?)
}

fn thousandths(fraction: &str) -> Option<i64> {
    let is_number = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
    let padded = format!("{fraction}00");
    is_number.then(|| padded[..3].parse().ok())?
}

/// What a zone is ahead of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("Z") {
        return Some(0);
    }
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let (hours, minutes) = (digits(hours, 2)?, digits(minutes, 2)?);
    let ahead = (hours * 60 + minutes) * 60_000;
    let is_zone = hours < 24 && minutes < 60;
    is_zone.then_some(if zone.starts_with('-') { -ahead } else { ahead })
}

fn digits(text: &str, count: usize) -> Option<i64> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

/// Year, month and day of days since 1970, by Hinnant's algorithm: years begin in March, eras have 400 of them.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_of_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
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
