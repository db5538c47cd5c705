//! The one form in which a signature writes its time: ISO 8601 basic, in UTC.

use contract_notifications_v1::Timestamp;

/// Reads `YYYYMMDD'T'HHMMSS'Z'` of a year from 1970 on.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
    if bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let number = |digits: &[u8]| {
        let all = digits.iter().all(u8::is_ascii_digit);
        all.then(|| digits.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0')))
    };
    let (year, month, day) = (number(&bytes[..4])?, number(&bytes[4..6])?, number(&bytes[6..8])?);
    let (hour, minute, second) = (number(&bytes[9..11])?, number(&bytes[11..13])?, number(&bytes[13..15])?);
    if year < 1970 || !(1..=12).contains(&month) || day < 1 || day > days_of(year, month) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let days = days_before(year) + (1..month).map(|month| days_of(year, month)).sum::<u64>() + day - 1;
    Some(Timestamp::from_millis((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000))
}

const fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

const fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 => 28 + is_leap(year) as u64,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from the epoch to the first of January of `year`.
fn days_before(year: u64) -> u64 {
    let leaps = |before: u64| before / 4 - before / 100 + before / 400;
    365 * (year - 1970) + leaps(year - 1) - leaps(1969)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        let seconds = |text| parse(text).map(|time| time.millis() / 1000);
        assert_eq!(seconds("19700101T000000Z"), Some(0));
        assert_eq!(seconds("20000229T000000Z"), Some(951_782_400));
        assert_eq!(seconds("20150830T123600Z"), Some(1_440_938_160));
        assert_eq!(seconds("20260301T120000Z"), Some(1_772_366_400));
        assert_eq!(seconds("21000301T000000Z"), Some(4_107_542_400));
        assert_eq!(seconds("99991231T235959Z"), Some(253_402_300_799));
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = None;
        for year in 1970..2500 {
            for month in 1..=12 {
                for day in 1..=days_of(year, month) {
                    let midnight = parse(&format!("{year:04}{month:02}{day:02}T000000Z")).unwrap().millis();
                    assert_eq!(midnight, before.map_or(0, |before| before + 86_400_000));
                    before = Some(midnight);
                }
            }
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "20150830T123600",
            "2015-08-30T12:36Z",
            "20150830t123600Z",
            "20151330T123600Z",
            "20150231T123600Z",
            "21000229T123600Z",
            "20150830T243600Z",
            "20150830T126000Z",
            "20150830T123660Z",
            "19691231T235959Z",
            "2015083+T123600Z",
            "20150830T1236é0Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
