//! User ids, in the two forms that they have.
//!
//! - *Written*: the text that people use, such as `José Pérez`. Answers, frames and pages show it.
//! - *Carried*: ASCII that is legal as an SQS message group ID. Queue, tables and logs have it. An id of ASCII
//!   letters, digits and punctuation is carried as it is written. Any other one is carried as `u8:` and the
//!   base64url, without padding, of its UTF-8.
//!
//! Every text has at most one carried form, and [`UserId::new`] accepts both forms, so that a carried id that
//! comes back in a request is the same user.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::identifiers::{InvalidIdentifier, MAX_CHARACTERS, check_sqs_identifier, identifier_traits};

/// Beginning of a carried id that is an encoding.
const PREFIX: &str = "u8:";

/// Largest number of bytes of a user id that is encoded. Its carried form has 127 characters.
pub const MAX_ENCODED_BYTES: usize = 93;

/// A user's id, in its carried form: 1 to 128 characters that are legal in an SQS message group ID. As people
/// write it, it may have all characters but control characters; with spaces or characters beyond ASCII it has at
/// most 93 bytes ([`MAX_ENCODED_BYTES`]).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Arc<str>);

identifier_traits!(UserId);

impl UserId {
    /// Creates an id from its written or its carried form.
    ///
    /// # Errors
    /// [`InvalidIdentifier`] when the text is empty or too long, has a control character, begins or ends with
    /// white space, begins with `u8:` without being a carried form, or is `.` or `..`, which URLs leave out.
    pub fn new(text: impl AsRef<str> + Into<Arc<str>>) -> Result<Self, InvalidIdentifier> {
        let written = text.as_ref();
        if let Some(code) = written.strip_prefix(PREFIX) {
            return decode(code).map(|_| Self(text.into())).ok_or(InvalidIdentifier::NotCanonical);
        }
        if matches!(written, "." | "..") {
            return Err(InvalidIdentifier::DotSegment);
        }
        match check_sqs_identifier("user id", MAX_CHARACTERS, written) {
            Ok(()) => Ok(Self(text.into())),
            Err(InvalidIdentifier::IllegalCharacter { .. }) => {
                check_encodable(written)?;
                Ok(Self(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(written)).into()))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the id as people write it.
    pub fn as_written(&self) -> Cow<'_, str> {
        match self.0.strip_prefix(PREFIX).and_then(decode) {
            Some(text) => Cow::Owned(text),
            None => Cow::Borrowed(&self.0),
        }
    }
}

/// Checks a text that is not of ASCII letters, digits and punctuation alone.
fn check_encodable(text: &str) -> Result<(), InvalidIdentifier> {
    if let Some((position, character)) = text.chars().enumerate().find(|(_, c)| c.is_control()) {
        return Err(InvalidIdentifier::ControlCharacter { character, position });
    }
    if text.trim() != text {
        return Err(InvalidIdentifier::OuterWhiteSpace);
    }
    if text.len() > MAX_ENCODED_BYTES {
        return Err(InvalidIdentifier::TooManyBytes { bytes: text.len(), max: MAX_ENCODED_BYTES });
    }
    Ok(())
}

/// Returns the text whose encoding, after the prefix, is `code`; `None` if there is none, or if the text is
/// carried without an encoding.
fn decode(code: &str) -> Option<String> {
    // The engine refuses padding and bits that are left over, so a text has one encoding.
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(code).ok()?).ok()?;
    let needs_encoding = !text.bytes().all(|byte| byte.is_ascii_graphic());
    (needs_encoding && check_encodable(&text).is_ok()).then_some(text)
}

impl JsonSchema for UserId {
    fn schema_name() -> Cow<'static, str> {
        "UserId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_CHARACTERS,
            "pattern": r"^(?!u8:|\.{1,2}$)[^\s\x00-\x1f\x7f-\x9f]([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f])?$|^u8:[A-Za-z0-9_-]+$",
        })
    }
}

/// Serializers of fields that people read, for `#[serde(serialize_with = "…")]`. They write user ids as people
/// do. Deserializing needs none: [`UserId`] accepts both forms.
pub mod written {
    use serde::{Serialize as _, Serializer};

    use super::UserId;

    /// Serializes a user id as people write it.
    ///
    /// # Errors
    /// The serializer's.
    pub fn user_id<S: Serializer>(id: &UserId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&id.as_written())
    }

    /// Serializes user ids as people write them.
    ///
    /// # Errors
    /// The serializer's.
    pub fn user_ids<S: Serializer>(ids: &[UserId], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(ids.iter().map(UserId::as_written))
    }

    /// Serializes a user id as people write it, or nothing.
    ///
    /// # Errors
    /// The serializer's.
    pub fn optional<S: Serializer>(id: &Option<UserId>, serializer: S) -> Result<S::Ok, S::Error> {
        id.as_ref().map(UserId::as_written).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> InvalidIdentifier {
        UserId::new(text).unwrap_err()
    }

    #[test]
    fn ascii_is_carried_as_written() {
        let all: String = (0x21_u8..=0x7e).map(char::from).collect();
        for text in [all.as_str(), "u", "u8", "U8:x", "bob@example.com", "x".repeat(128).as_str()] {
            let id = UserId::new(text).unwrap();
            assert_eq!((id.as_str(), &*id.as_written()), (text, text));
        }
    }

    /// The encodings were computed with Python's `base64.urlsafe_b64encode`, without the padding.
    #[test]
    fn other_text_is_carried_as_base64url() {
        for (written, carried) in [
            ("José Pérez", "u8:Sm9zw6kgUMOpcmV6"),
            ("two words", "u8:dHdvIHdvcmRz"),
            ("李雷", "u8:5p2O6Zu3"),
            ("Zoë 😀", "u8:Wm_DqyDwn5iA"),
            ("ÿÿ>", "u8:w7_Dvz4"),
        ] {
            let id = UserId::new(written).unwrap();
            assert_eq!((id.as_str(), &*id.as_written()), (carried, written));
            assert_eq!(UserId::new(carried).unwrap(), id);
            assert_eq!(serde_json::to_string(&id).unwrap(), format!("{carried:?}"));
            assert_eq!(serde_json::from_str::<UserId>(&format!("{written:?}")).unwrap(), id);
        }
        let longest = "é".repeat(46) + " ";
        assert_eq!(
            UserId::new(longest.clone() + "x").unwrap_err(),
            InvalidIdentifier::TooManyBytes { bytes: 94, max: 93 }
        );
        let longest = UserId::new(longest.replace(' ', "x")).unwrap();
        assert_eq!(longest.as_str().len(), 127);
    }

    #[test]
    fn dot_segments_of_a_url_are_no_ids() {
        for text in [".", ".."] {
            assert_eq!(refusal(text), InvalidIdentifier::DotSegment);
        }
        for text in ["...", ".a", "a..", "./.."] {
            assert_eq!(UserId::new(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn prefix_needs_a_canonical_encoding() {
        for text in [
            "u8:",
            "u8:x",
            "u8:YQ",            // "a" needs no encoding.
            "u8:dHdvIHdvcmRz=", // Padding.
            "u8:dHdv IHdvcmRz",
            "u8:José",
            "u8:w7_Dvz5", // Bits left over.
            "u8:w7/Dvz4", // Not the URL's alphabet.
            "u8:_w",      // Not UTF-8.
            "u8:IGE",     // " a" begins with a space.
            "u8:YSAA",    // "a \0" has a control character.
        ] {
            assert_eq!(refusal(text), InvalidIdentifier::NotCanonical, "{text}");
        }
        // 94 bytes, the encoding of which would have 129 characters.
        let long = format!("u8:{}", URL_SAFE_NO_PAD.encode("é".repeat(47)));
        assert_eq!(refusal(&long), InvalidIdentifier::NotCanonical);
    }

    #[test]
    fn refusals_name_the_rule() {
        assert_eq!(refusal(""), InvalidIdentifier::Empty { what: "user id", max: 128 });
        let long = InvalidIdentifier::TooLong { what: "user id", length: 129, max: 128 };
        assert_eq!(refusal(&"x".repeat(129)), long);
        assert_eq!(refusal("jo\n"), InvalidIdentifier::ControlCharacter { character: '\n', position: 2 });
        assert_eq!(refusal(" jo"), InvalidIdentifier::OuterWhiteSpace);
        assert_eq!(refusal("jo\u{a0}"), InvalidIdentifier::OuterWhiteSpace);
        let message = refusal("a\u{0}").to_string();
        assert!(message.contains("position 1") && message.contains("allowed"), "{message}");
    }

    proptest! {
        #[test]
        fn both_forms_are_one_user(text in any::<String>()) {
            if let Ok(id) = UserId::new(text.as_str()) {
                prop_assert!(id.as_str().len() <= MAX_CHARACTERS);
                prop_assert!(id.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert_eq!(UserId::new(id.as_str()).unwrap(), id.clone());
                prop_assert_eq!(UserId::new(&*id.as_written()).unwrap(), id);
            }
        }

        #[test]
        fn different_texts_are_different_users(a in "[a u8:é]{1,6}", b in "[a u8:é]{1,6}") {
            if let (Ok(first), Ok(second)) = (UserId::new(a.as_str()), UserId::new(b.as_str())) {
                prop_assert_eq!(first == second, a == b);
            }
        }
    }
}
