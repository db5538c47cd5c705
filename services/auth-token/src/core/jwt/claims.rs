//! The claims of a JSON Web Token that the gateway uses.

use contract_notifications_v1::{HubName, InvalidIdentifier, Timestamp, UserId};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Number, Value};

use super::invalid::InvalidJwt;

/// Claims with a user's display name. The first one present is used.
const NAMES: [&str; 4] = ["preferred_username", "cognito:username", "username", "name"];

/// Unverified claims of a token. A duplicate claim makes the token invalid.
#[derive(Deserialize)]
pub(crate) struct Claims {
    #[serde(default)]
    pub(crate) iss: Option<String>,
    #[serde(default)]
    pub(crate) aud: Option<OneOrMany>,
    /// Access tokens of Cognito have it in place of `aud`
    /// (<https://docs.aws.amazon.com/cognito/latest/developerguide/amazon-cognito-user-pools-using-the-access-token.html>).
    #[serde(default)]
    pub(crate) client_id: Option<String>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    user_id: Option<Value>,
    #[serde(default)]
    pub(crate) exp: Option<NumericDate>,
    #[serde(default)]
    pub(crate) iat: Option<NumericDate>,
    /// The same in milliseconds, in tokens of Tidings.
    #[serde(default, rename = "iatMs")]
    iat_ms: Option<u64>,
    #[serde(default)]
    pub(crate) jti: Option<String>,
    #[serde(default)]
    pub(crate) nbf: Option<NumericDate>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

/// A text or a list of texts.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(crate) fn any(&self, check: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::One(text) => check(text),
            Self::Many(texts) => texts.iter().any(|text| check(text)),
        }
    }
}

/// Seconds since the epoch. They may have a fraction (RFC 7519, section 2), which is cut off.
#[derive(Clone, Copy)]
pub(crate) struct NumericDate(u64);

impl NumericDate {
    pub(crate) fn timestamp(self) -> Timestamp {
        Timestamp::from_millis(self.0.saturating_mul(1000))
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = Number::deserialize(deserializer)?;
        let cut = |number: f64| {
            #[expect(clippy::cast_possible_truncation, reason = "the fraction is to be cut off")]
            #[expect(clippy::cast_sign_loss, reason = "it is not negative")]
            (number >= 0.0).then_some(number as u64)
        };
        let seconds = number.as_u64().or_else(|| number.as_f64().and_then(cut));
        seconds.map(Self).ok_or_else(|| de::Error::custom("not a time after 1970"))
    }
}

impl Claims {
    /// Returns the user: `sub`, or `user_id` if there is no `sub`, with `prefix` in front.
    pub(crate) fn user(&self, prefix: &str) -> Result<UserId, InvalidJwt> {
        let text = match (&self.sub, &self.user_id) {
            (Some(sub), _) => sub.clone(),
            (None, Some(Value::String(text))) => text.clone(),
            (None, Some(Value::Number(number))) => number.to_string(),
            _ => return Err(InvalidJwt::NoSubject),
        };
        with_prefix(prefix, text).map_err(InvalidJwt::Subject)
    }

    /// Returns the time at which the token was issued, to the millisecond if it says so.
    pub(crate) fn issued_at(&self) -> Option<Timestamp> {
        let issued_at = self.iat?.timestamp();
        let exact = self.iat_ms.filter(|millis| millis / 1000 == issued_at.millis() / 1000);
        Some(exact.map_or(issued_at, Timestamp::from_millis))
    }

    /// Returns the user's display name.
    pub(crate) fn username(&self) -> Option<String> {
        let texts = NAMES.into_iter().filter_map(|name| self.others.get(name)?.as_str());
        texts.into_iter().find(|name| !name.is_empty()).map(str::to_owned)
    }

    /// Returns the hubs in the claims with these names; see [`hubs_from_claims`].
    pub(crate) fn hubs(&self, names: &[String]) -> Vec<String> {
        hubs_from_claims(names, |name| self.others.get(name))
    }
}

/// Returns the user id of an issuer's subject.
///
/// # Errors
/// [`InvalidIdentifier`] if the subject is not a user id, without or with the prefix.
pub fn with_prefix(prefix: &str, subject: String) -> Result<UserId, InvalidIdentifier> {
    let user_id = UserId::new(subject)?;
    if prefix.is_empty() { Ok(user_id) } else { UserId::new(format!("{prefix}{}", user_id.as_written())) }
}

/// Returns the hubs in the claims with these names, without duplicates. A claim is a list of texts, or one
/// text with commas or white space between the names; API Gateway passes a list on as such a text in
/// brackets. The gateway's own hubs are left out, because an issuer of identities must not grant access to
/// them.
pub fn hubs_from_claims<'a>(names: &[String], claim: impl Fn(&str) -> Option<&'a Value>) -> Vec<String> {
    let mut hubs: Vec<String> = Vec::new();
    let mut add = |hub: &str| {
        if !hub.is_empty() && !hub.starts_with(HubName::RESERVED) && !hubs.iter().any(|known| known == hub) {
            hubs.push(hub.to_owned());
        }
    };
    for value in names.iter().filter_map(|name| claim(name)) {
        match value {
            Value::Array(list) => list.iter().filter_map(Value::as_str).for_each(&mut add),
            Value::String(text) => {
                let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
                text.split(|character: char| character == ',' || character.is_whitespace())
                    .for_each(&mut add);
            }
            _ => {}
        }
    }
    hubs
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn user_is_sub_or_else_user_id() {
        let user = |value| claims(value).user("").ok().map(|user| user.to_string());
        assert_eq!(user(json!({"sub": "zoe", "user_id": "other"})).as_deref(), Some("zoe"));
        assert_eq!(user(json!({"user_id": "zoe"})).as_deref(), Some("zoe"));
        assert_eq!(user(json!({"user_id": 42})).as_deref(), Some("42"));
        // Another claim does not replace an illegal subject.
        for none in [json!({}), json!({"sub": "", "user_id": "zoe"}), json!({"user_id": true})] {
            assert_eq!(user(none), None);
        }
    }

    #[test]
    fn prefix_stands_in_front_of_the_subject() {
        let user = |sub: &str| {
            claims(json!({"sub": sub})).user("corp:").ok().map(|user| user.as_written().into_owned())
        };
        assert_eq!(user("zoe").as_deref(), Some("corp:zoe"));
        assert_eq!(user("two words").as_deref(), Some("corp:two words"));
        // "two words", as it is carried.
        assert_eq!(user("u8:dHdvIHdvcmRz").as_deref(), Some("corp:two words"));
        for bad in ["", " zoe", "u8:x", &"x".repeat(128)] {
            assert_eq!(user(bad), None);
        }
    }

    #[test]
    fn first_display_name_present_is_used() {
        let name = |value| claims(value).username();
        let all = json!({"name": "d", "username": "c", "cognito:username": "b", "preferred_username": "a"});
        assert_eq!(name(all).as_deref(), Some("a"));
        assert_eq!(name(json!({"preferred_username": "", "name": "d"})).as_deref(), Some("d"));
        assert_eq!(name(json!({"name": 7})), None);
    }

    #[test]
    fn hubs_are_a_list_or_a_text() {
        let names = ["hubs".to_owned(), "cognito:groups".to_owned()];
        let hubs = |value| claims(value).hubs(&names);
        assert_eq!(hubs(json!({"hubs": ["a", "b", "a", ""], "cognito:groups": ["c"]})), ["a", "b", "c"]);
        assert_eq!(hubs(json!({"hubs": " a, b  c "})), ["a", "b", "c"]);
        assert_eq!(hubs(json!({"hubs": "[a b]"})), ["a", "b"]);
        assert_eq!(hubs(json!({"hubs": 3, "others": ["x"]})), Vec::<String>::new());
    }

    #[test]
    fn claims_cannot_grant_the_gateways_own_hubs() {
        let names = ["hubs".to_owned()];
        let hubs = |value| claims(value).hubs(&names);
        assert_eq!(hubs(json!({"hubs": ["tidings:operations", "team", "tidings:"]})), ["team"]);
        assert_eq!(hubs(json!({"hubs": "[tidings:operations tidings team]"})), ["tidings", "team"]);
    }

    #[test]
    fn time_may_have_a_fraction_but_no_sign() {
        let exp = |text: &str| serde_json::from_str::<Claims>(&format!(r#"{{"exp":{text}}}"#));
        let millis = |text| exp(text).ok().and_then(|claims| claims.exp).map(|exp| exp.timestamp().millis());
        assert_eq!(millis("10"), Some(10_000));
        assert_eq!(millis("10.9"), Some(10_000));
        assert_eq!(millis("1e3"), Some(1_000_000));
        assert_eq!(millis("18446744073709551615"), Some(u64::MAX));
        for text in ["-1", "-0.5", "\"10\"", "true", "[]"] {
            assert!(exp(text).is_err(), "{text}");
        }
    }

    #[test]
    fn duplicate_claim_is_refused() {
        assert!(serde_json::from_str::<Claims>(r#"{"iss":"a","iss":"b"}"#).is_err());
    }
}
