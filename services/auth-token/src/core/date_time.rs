//! Times as signed handshakes carry them.

use contract_notifications_v1::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Reads `2026-01-02T03:04:05` with a fraction of up to nine digits, and `Z`, an offset of hours and minutes
/// or nothing behind it: what Python's `datetime.isoformat()` and JavaScript's `toISOString()` write. Without
/// an offset it is UTC, as Python clients sign `datetime.utcnow()`.
///
/// ISO 8601 knows many more forms. None of them is read: a time that two readers may understand differently
/// has no place under a signature.
pub(crate) fn parse(text: &str) -> Option<Timestamp> {
    // The form alone; what the numbers may be is the parser's to know.
    const SECONDS: &[u8] = b"0000-00-00T00:00:00";
    const OFFSET: &[u8] = b"+00:00";
    let bytes = text.as_bytes();
    let (seconds, rest) = bytes.split_at_checked(SECONDS.len())?;
    let (fraction, zone) = match rest.strip_prefix(b".") {
        Some(rest) => rest.split_at(rest.iter().take_while(|byte| byte.is_ascii_digit()).count()),
        None => (b"0".as_slice(), rest),
    };
    let is_whole = has_form(seconds, SECONDS) && (1..=9).contains(&fraction.len());
    // A leap second has no place in time since the epoch.
    if !is_whole || seconds.ends_with(b"60") {
        return None;
    }
    let moment = match zone {
        b"" => OffsetDateTime::parse(&format!("{text}Z"), &Rfc3339),
        b"Z" => OffsetDateTime::parse(text, &Rfc3339),
        offset if has_form(offset, OFFSET) => OffsetDateTime::parse(text, &Rfc3339),
        _ => return None,
    };
    let millis = moment.ok()?.unix_timestamp_nanos().checked_div(1_000_000)?;
    u64::try_from(millis).ok().map(Timestamp::from_millis)
}

/// Whether digits stand where the form has `0`, a sign where it has `+`, and its own characters elsewhere.
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
    const NOON: u64 = 1_767_323_045_000;

    #[test]
    fn what_python_and_javascript_write_is_read() {
        for (text, expected) in [
            ("2026-01-02T03:04:05", NOON),
            ("2026-01-02T03:04:05Z", NOON),
            ("2026-01-02T03:04:05.678Z", NOON + 678),
            ("2026-01-02T03:04:05.678901", NOON + 678),
            ("2026-01-02T03:04:05.678901+00:00", NOON + 678),
            ("2026-01-02T05:34:05+02:30", NOON),
            ("2026-01-01T22:04:05-05:00", NOON),
            ("1970-01-01T00:00:00Z", 0),
        ] {
            assert_eq!(millis(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_forms_of_iso_8601_are_not() {
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
        fn no_text_makes_it_panic(text in "[0-9TZ:.+-]{0,40}|.{0,30}") {
            let _ = parse(&text);
        }
    }
}
