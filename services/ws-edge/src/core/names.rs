//! Names of senders in texts that people read.
//!
//! A display name is the user's or an issuer's choice, and proves nothing. Texts show it without characters that
//! change the line around it, and with the user id beside it, unless it is the user id.

use contract_notifications_v1::UserId;

/// Longest shown name, in characters.
const MAX_NAME: usize = 64;

/// Returns true for characters that change the direction of a text (Unicode Annex 9), or that nobody sees.
const fn is_deceptive(character: char) -> bool {
    matches!(
        character,
        '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}'
            | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// Returns true for characters that end a line in some client.
const fn ends_line(character: char) -> bool {
    matches!(character, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Returns a text as one line, so that it can't look like a line of another sender.
pub(crate) fn one_line(text: &str) -> String {
    let kept =
        text.chars().filter(|character| ends_line(*character) || *character == '\t' || is_shown(*character));
    kept.map(|character| if ends_line(character) { ' ' } else { character }).collect()
}

fn is_shown(character: char) -> bool {
    !character.is_control() && !is_deceptive(character)
}

/// Returns a display name without characters that deceive, cut to 64 characters; `None` if nothing is left.
pub(crate) fn display_name(name: &str) -> Option<String> {
    let line: String =
        name.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| is_shown(*c)).collect();
    let words: Vec<_> = line.split(' ').filter(|word| !word.is_empty()).collect();
    Some(words.join(" ").chars().take(MAX_NAME).collect()).filter(|name: &String| !name.is_empty())
}

/// Returns the name of a user for a line of text: the display name with the user id in brackets, or the user id alone.
pub(crate) fn shown_name(user: &UserId, username: Option<&str>) -> String {
    let id = one_line(&user.as_written());
    match username.and_then(display_name) {
        Some(name) if name != id => format!("{name} ({id})"),
        _ => id,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn user(id: &str) -> UserId {
        UserId::new(id).unwrap()
    }

    #[test]
    fn name_that_is_not_the_id_has_the_id_beside_it() {
        assert_eq!(shown_name(&user("mallory"), Some("alice")), "alice (mallory)");
        assert_eq!(shown_name(&user("alice"), Some("alice")), "alice");
        assert_eq!(shown_name(&user("two words"), Some("two words")), "two words");
        for none in [None, Some(""), Some(" \u{202e}\n ")] {
            assert_eq!(shown_name(&user("alice"), none), "alice");
        }
    }

    #[test]
    fn name_loses_what_deceives() {
        let name = |text: &str| display_name(text).unwrap_or_default();
        assert_eq!(name("a\u{202e}lice\u{200b}"), "alice");
        assert_eq!(name("alice\r\n bob \t x\u{2028}y"), "alice bob x y");
        assert_eq!(name("Zoë 李 👩‍👧"), "Zoë 李 👩‍👧");
        assert_eq!(name(&"x".repeat(200)).len(), 64);
    }

    #[test]
    fn text_stays_on_one_line() {
        let forged = "hi\n[2026-11-30T00:00:00Z - UTC]\n bob  send money\r\u{85}\u{2029}";
        assert_eq!(one_line(forged), "hi [2026-11-30T00:00:00Z - UTC]  bob  send money   ");
        assert_eq!(one_line("a\u{202e}b\u{7}c\td"), "abc\td");
    }

    proptest! {
        #[test]
        fn no_text_ends_its_line(text: String, name: String) {
            let shown = shown_name(&user("u"), Some(&name));
            for character in one_line(&text).chars().chain(shown.chars()) {
                prop_assert!(!ends_line(character) && !is_deceptive(character));
            }
        }
    }
}
