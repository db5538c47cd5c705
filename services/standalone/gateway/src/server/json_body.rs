//! Parses JSON bodies, and says what is wrong with those that are not as expected.

use serde::de::{DeserializeOwned, IgnoredAny};

use super::problem::Problem;

/// Parses a JSON object; `expected` shows the caller its form.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8], expected: &str) -> Result<T, Problem> {
    // Some editors begin a file with a byte order mark.
    let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
    let parsed = if is_object(body) { serde_json::from_slice(body).ok() } else { None };
    parsed.ok_or_else(|| Problem::bad_request(format!("{}; send {expected}", mistake::<T>(body))))
}

/// Describes the mistake in a body that was refused, without its values: they may be secrets.
fn mistake<T: DeserializeOwned>(body: &[u8]) -> String {
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(body) {
        return format!("the body is not valid JSON: {error}");
    }
    if !is_object(body) {
        return "the body is not a JSON object".to_owned();
    }
    let parsed = serde_path_to_error::deserialize::<_, T>(&mut serde_json::Deserializer::from_slice(body));
    let Err(error) = parsed else { return "the body is not as expected".to_owned() };
    let (field, reason) = (error.path().to_string(), error.inner().to_string());
    let reason = reason.rsplit_once(" at line ").map_or(&*reason, |(reason, _)| reason);
    match reason.split_once(", expected ") {
        _ if field == "." => format!("the body is not as expected: {reason}"),
        Some((_, "a sequence")) => format!("{field:?} must be a list"),
        Some((_, expected)) => format!("{field:?} must be {expected}"),
        None => format!("{field:?} is not valid: {reason}"),
    }
}

/// Returns true if a body is no other JSON than an object. A parser of structs takes an array, too, with the members in
/// the order of the struct's.
fn is_object(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
}

#[cfg(test)]
mod tests {
    use contract_notifications_v1::{HubName, UserId};
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    #[expect(dead_code, reason = "only errors are looked at")]
    struct Body {
        user_id: UserId,
        #[serde(default)]
        username: String,
        #[serde(default)]
        hubs: Vec<HubName>,
    }

    #[test]
    fn refused_body_names_the_field() {
        let refused = |body: &str| parse::<Body>(body.as_bytes(), "X").err().unwrap().detail.into_owned();
        for (body, expected) in [
            (r#"{"userId":5}"#, r#""userId" must be a string; send X"#),
            (
                r#"{"userId":""}"#,
                r#""userId" is not valid: user id is empty; allowed are 1 to 128 characters; send X"#,
            ),
            (r#"{"userId":"a","username":["x"]}"#, r#""username" must be a string; send X"#),
            (r#"{"userId":"a","hubs":"team"}"#, r#""hubs" must be a list; send X"#),
            (r#"{"userId":"a","hubs":["team",7]}"#, r#""hubs[1]" must be a string; send X"#),
            (
                r#"{"userId":"a","hubs":["team",""]}"#,
                r#""hubs[1]" is not valid: hub name is empty; allowed are 1 to 124 characters; send X"#,
            ),
            ("{}", "the body is not as expected: missing field `userId`; send X"),
            (r#"["a","b",[]]"#, "the body is not a JSON object; send X"),
            ("7", "the body is not a JSON object; send X"),
            ("{", "the body is not valid JSON: EOF while parsing an object at line 1 column 1; send X"),
        ] {
            assert_eq!(refused(body), expected, "{body}");
        }
        let secret = parse::<Body>(br#"{"userId":"a","username":{"a":"secret"}}"#, "X").err().unwrap();
        assert_eq!(secret.detail, r#""username" must be a string; send X"#);
    }
}
