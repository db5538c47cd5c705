//! Parses the time of a signed handshake.

use contract_notifications_v1::Timestamp;
use jiff::SignedDuration;
use jiff::civil::{DateTime, Time};

/// 1970-01-01T00:00:00.
const EPOCH: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// Parses `2026-01-02T03:04:05`, optionally with a fraction of up to nine digits, then `Z`, an offset of
/// hours and minutes, or nothing. Python's `datetime.isoformat()` and JavaScript's `toISOString()` write
/// these forms. A time without an offset is UTC, because Python clients sign `datetime.utcnow()`.
///
/// Other forms of ISO 8601 are refused. A time that two readers may understand differently must not be
/// signed.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    // These patterns check only the form. The parser checks the range of the numbers.
    const SECONDS: &[u8] = b"0000-00-00T00:00:00";
    const OFFSET: &[u8] = b"+00:00";
    let (seconds, rest) = text.as_bytes().split_at_checked(SECONDS.len())?;
    let (fraction, zone) = match rest.strip_prefix(b".") {
        Some(rest) => rest.split_at(rest.iter().take_while(|byte| byte.is_ascii_digit()).count()),
        None => (b"0".as_slice(), rest),
    };
    let has_valid_form = has_form(seconds, SECONDS) && (1..=9).contains(&fraction.len());
    // A leap second has no representation in time since the epoch.
    if !has_valid_form || seconds.ends_with(b"60") {
        return None;
    }
    let offset = match zone {
        b"" | b"Z" => SignedDuration::ZERO,
        zone if has_form(zone, OFFSET) => parse_offset(text.get(text.len() - OFFSET.len()..)?)?,
        _ => return None,
    };
    let local: DateTime = text.get(..text.len() - zone.len())?.parse().ok()?;
    let since_epoch = local.duration_since(EPOCH).checked_sub(offset)?;
    u64::try_from(since_epoch.as_millis()).ok().map(Timestamp::from_millis)
}

/// Parses an offset such as `+02:30`.
fn parse_offset(text: &str) -> Option<SignedDuration> {
    let (sign, digits) = text.split_at_checked(1)?;
    let size = digits.parse::<Time>().ok()?.duration_since(Time::midnight());
    Some(if sign == "-" { -size } else { size })
}

/// Returns true if the text has a digit for each `0` of the form, a sign for each `+`, and the form's own
/// characters elsewhere.
fn has_form(text: &[u8], form: &[u8]) -> bool {
    let fits = |(byte, of): (&u8, &u8)| match of {
        b'0' => byte.is_ascii_digit(),
        b'+' => matches!(byte, b'+' | b'-'),
        other => byte == other,
    };
    text.len() == form.len() && text.iter().zip(form).all(fits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn millis(text: &str) -> Option<u64> {
        parse(text).map(Timestamp::millis)
    }

    /// 2026-01-02T03:04:05Z.
    const TIME: u64 = 1_767_323_045_000;

    #[test]
    fn python_and_javascript_times_are_read() {
        for (text, expected) in [
            ("2026-01-02T03:04:05", TIME),
            ("2026-01-02T03:04:05Z", TIME),
            ("2026-01-02T03:04:05.678Z", TIME + 678),
            ("2026-01-02T03:04:05.678901", TIME + 678),
            ("2026-01-02T03:04:05.678901+00:00", TIME + 678),
            ("2026-01-02T05:34:05+02:30", TIME),
            ("2026-01-01T22:04:05-05:00", TIME),
            ("1970-01-01T00:00:00Z", 0),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_forms_of_iso_8601_are_refused() {
        for text in [
            "",
            "2026-01-02",
            "2026-01-02T03:04",
            "2026-01-02 03:04:05",
            "2026-01-02t03:04:05z",
            "20260102T030405Z",
            "2026-W01-5T03:04:05Z",
            "2026-002T03:04:05Z",
            "+002026-01-02T03:04:05Z",
            "2026-01-02T03:04:05,678Z",
            "2026-01-02T03:04:05.Z",
            "2026-01-02T03:04:05.1234567890Z",
            "2026-01-02T03:04:05+02",
            "2026-01-02T03:04:05+0200",
            "2026-01-02T03:04:05+02:00:01",
            "2026-01-02T03:04:05Z[UTC]",
            "2026-01-02T03:04:05ZZ",
            " 2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05Z\n",
            "2026-01-02T24:00:00Z",
            "2026-01-02T03:04:60Z",
            "2026-02-29T03:04:05Z",
            "2026-13-02T03:04:05Z",
            "2026-01-02T03:04:05+25:00",
            "1969-12-31T23:59:59Z",
            "٢٠٢٦-01-02T03:04:05Z",
            "1767323045",
            "1767323045000",
        ] {
            assert_eq!(millis(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_causes_a_panic(text in "[0-9TZ:.+-]{0,40}|.{0,30}") {
            let _ = parse(&text);
        }
    }
}
