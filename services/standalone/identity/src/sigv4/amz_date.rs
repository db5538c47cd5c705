//! The time of a signature, `X-Amz-Date`: ISO 8601 basic format, in UTC.

use contract_notifications_v1::Timestamp;
use jiff::civil::DateTime;

const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Parses `YYYYMMDD'T'HHMMSS'Z'`. Returns `None` for times before 1970.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let bytes: &[u8; 16] = text.as_bytes().try_into().ok()?;
    if bytes[8] != b'T' || bytes[15] != b'Z' {
        return None;
    }
    let year = i16::from(two_digits(bytes, 0)?) * 100 + i16::from(two_digits(bytes, 2)?);
    let (month, day) = (two_digits(bytes, 4)?, two_digits(bytes, 6)?);
    let (hour, minute, second) = (two_digits(bytes, 9)?, two_digits(bytes, 11)?, two_digits(bytes, 13)?);
    let time = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    u64::try_from(time.duration_since(EPOCH).as_millis()).ok().map(Timestamp::from_millis)
}

/// Writes a time as `YYYYMMDD'T'HHMMSS'Z'`.
pub(super) fn format(time: Timestamp) -> String {
    let millis = jiff::SignedDuration::from_millis(i64::try_from(time.millis()).unwrap_or(i64::MAX));
    EPOCH.saturating_add(millis).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Parses the two ASCII digits at `at`.
fn two_digits(bytes: &[u8; 16], at: usize) -> Option<i8> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| (byte - b'0').cast_signed());
    Some(digit(bytes[at])? * 10 + digit(bytes[at + 1])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_time_is_parsed_again() {
        for text in ["19700101T000000Z", "20000229T235959Z", "20150830T123600Z"] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn valid_time_is_parsed() {
        let seconds = |text| parse(text).map(|time| time.millis() / 1000);
        assert_eq!(seconds("19700101T000000Z"), Some(0));
        assert_eq!(seconds("20000229T000000Z"), Some(951_782_400));
        assert_eq!(seconds("20150830T123600Z"), Some(1_440_938_160));
        assert_eq!(seconds("20260301T120000Z"), Some(1_772_366_400));
        assert_eq!(seconds("21000301T000000Z"), Some(4_107_542_400));
        assert_eq!(seconds("99991231T235959Z"), Some(253_402_300_799));
    }

    #[test]
    fn malformed_time_is_refused() {
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
