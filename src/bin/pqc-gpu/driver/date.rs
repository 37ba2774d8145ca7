//! Dates: RFC 3339 with its zone, or seconds since 1970. A date without a zone is refused, not guessed.

/// Reads a date as seconds since 1970-01-01T00:00:00Z.
pub(super) fn parse(text: &str) -> Result<u64, String> {
    const FORM: &str = "a date is RFC 3339 with seconds and zone, such as 2027-01-01T00:00:00Z, or seconds since 1970";
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| FORM.to_owned());
    }
    rfc3339(text).ok_or_else(|| FORM.to_owned())
}

/// A date as people read it, in UTC; past the year 9999, and so past RFC 3339, as seconds.
pub(super) fn shown(seconds: u64) -> String {
    const LAST: u64 = 253_402_300_799;
    if seconds > LAST {
        return format!("{seconds} seconds after 1970");
    }
    let (days, time) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970 + days / 366;
    while days_before(year + 1) <= days {
        year += 1;
    }
    let mut day = days - days_before(year);
    let mut month = 1;
    while day >= month_days(year, month) {
        day -= month_days(year, month);
        month += 1;
    }
    format!("{year:04}-{month:02}-{:02}T{:02}:{:02}:{:02}Z", day + 1, time / 3600, time / 60 % 60, time % 60)
}

/// RFC 3339 section 5.6, without fractions and leap seconds.
fn rfc3339(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        let part = bytes.get(range)?;
        part.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
    };
    let signs = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !signs.iter().all(|&(at, sign)| bytes.get(at) == Some(&sign)) {
        return None;
    }
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let (hour, minute, second) = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
    if year < 1970 || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if !(1..=month_days(year, month)).contains(&day) {
        return None;
    }
    let days = days_before(year) + (1..month).map(|month| month_days(year, month)).sum::<u64>() + day - 1;
    let local = days * 86_400 + hour * 3600 + minute * 60 + second;
    match bytes.get(19..)? {
        b"Z" => Some(local),
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (digits(20..22)?, digits(23..25)?);
            let offset = hours * 3600 + minutes * 60;
            match (hours < 24 && minutes < 60, sign) {
                (true, b'+') => local.checked_sub(offset),
                (true, _) => local.checked_add(offset),
                _ => None,
            }
        }
        _ => None,
    }
}

/// Days from 1970-01-01 to the first of January of a year from 1970 on.
fn days_before(year: u64) -> u64 {
    let leaps = |year: u64| year / 4 - year / 100 + year / 400;
    (year - 1970) * 365 + leaps(year - 1) - leaps(1969)
}

fn month_days(year: u64, month: u64) -> u64 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_shown() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:34:56Z", 951_827_696),
            ("2027-01-15T08:00:00Z", 1_800_000_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(parse(text), Ok(seconds), "{text}");
            assert_eq!(shown(seconds), text);
        }
        assert_eq!(parse("2027-01-15T10:00:00+02:00"), Ok(1_800_000_000));
        assert_eq!(parse("2027-01-15T07:30:00-00:30"), Ok(1_800_000_000));
        assert_eq!(parse("1800000000"), Ok(1_800_000_000));
        for day in (0..80_000).map(|day| day * 86_400 + 86_399) {
            assert_eq!(parse(&shown(day)), Ok(day));
        }
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for bad in [
            "",
            "now",
            "2027-01-01",
            "2027-01-01T00:00:00",
            "2027-01-01 00:00:00Z",
            "2027-13-01T00:00:00Z",
            "-1",
            "+1",
            "2027-02-29T00:00:00Z",
            "2027-01-01T24:00:00Z",
            "2027-01-01T00:00:60Z",
            "2027-01-01T00:00:00z ",
            "1.5",
            "2027-01-01T00:00:00+2:00",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "18446744073709551616",
            "2027-01-01T00:00:00Zé",
            "2027-00-01T00:00:00Z",
            "2027-01-00T00:00:00Z",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
