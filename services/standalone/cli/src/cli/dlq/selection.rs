//! The dead letters that a command acts on.

use clap::Args;
use contract_notifications_v1::UserId;
use tidings_client::DeadLetter;

/// Ids of dead letters, or a description of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(super) struct DeadLetterSelector {
    /// Ids of dead letters
    #[arg(conflicts_with_all = ["all", "user", "reason"])]
    pub(super) ids: Vec<String>,
    /// All dead letters
    #[arg(long, conflicts_with_all = ["user", "reason"])]
    pub(super) all: bool,
    /// All dead letters of this user
    #[arg(long, value_name = "USER")]
    pub(super) user: Option<UserId>,
    /// All dead letters whose reason contains this text
    #[arg(long, value_name = "TEXT")]
    pub(super) reason: Option<String>,
}

/// Bounds of what a command does with the selected dead letters.
#[derive(Debug, Args)]
pub(super) struct Bounds {
    /// Largest number of dead letters to act on, oldest first
    #[arg(long, value_name = "N")]
    pub(super) limit: Option<usize>,
    /// List the selected dead letters and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
}

impl Bounds {
    pub(super) fn limit(&self) -> usize {
        self.limit.unwrap_or(usize::MAX)
    }
}

impl DeadLetterSelector {
    /// Returns true if the selection is by ids, all of which must exist.
    pub(super) const fn is_by_id(&self) -> bool {
        !self.ids.is_empty()
    }

    /// Returns true if a dead letter is selected.
    pub(super) fn contains(&self, letter: &DeadLetter) -> bool {
        if self.is_by_id() {
            return self.ids.contains(&letter.id);
        }
        let is_users =
            |user: &UserId| letter.user_id.as_ref().is_some_and(|found| *found == user.as_written());
        self.user.as_ref().is_none_or(is_users)
            && self.reason.as_ref().is_none_or(|text| letter.reason.contains(text.as_str()))
    }

    /// Describes the selection in a question.
    pub(super) fn describe(&self, bounds: &Bounds) -> String {
        let letters = match self.ids.len() {
            1 => "1 dead letter".to_owned(),
            0 => "all dead letters".to_owned(),
            count => format!("{count} dead letters"),
        };
        let of = self.user.as_ref().map(|user| format!(" of {}", user.as_written())).unwrap_or_default();
        let with =
            self.reason.as_ref().map(|text| format!(" whose reason contains {text:?}")).unwrap_or_default();
        let most = bounds.limit.map(|limit| format!(", at most {limit}")).unwrap_or_default();
        format!("{letters}{of}{with}{most}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector() -> DeadLetterSelector {
        DeadLetterSelector { ids: Vec::new(), all: false, user: None, reason: None }
    }

    fn letter(id: &str, user: &str, reason: &str) -> DeadLetter {
        let (id, user_id) = (id.to_owned(), Some(user.to_owned()));
        DeadLetter { id, reason: reason.to_owned(), user_id, since: None, more: serde_json::Map::new() }
    }

    #[test]
    fn letters_are_selected_by_id_user_and_reason() {
        let letters = [letter("1", "jo", "no payload"), letter("2", "李雷", "received 300 times")];
        let selected =
            |selector: DeadLetterSelector| letters.each_ref().map(|letter| selector.contains(letter));
        assert_eq!(selected(DeadLetterSelector { all: true, ..selector() }), [true, true]);
        assert_eq!(selected(DeadLetterSelector { ids: vec!["2".to_owned()], ..selector() }), [false, true]);
        let user = |name: &str| Some(UserId::new(name).unwrap());
        assert_eq!(selected(DeadLetterSelector { user: user("李雷"), ..selector() }), [false, true]);
        let reason = Some("times".to_owned());
        assert_eq!(selected(DeadLetterSelector { reason: reason.clone(), ..selector() }), [false, true]);
        assert_eq!(selected(DeadLetterSelector { reason, user: user("jo"), ..selector() }), [false, false]);
    }

    #[test]
    fn question_names_the_selection() {
        let none = Bounds { limit: None, dry_run: false };
        assert_eq!(DeadLetterSelector { all: true, ..selector() }.describe(&none), "all dead letters");
        let one = DeadLetterSelector { ids: vec!["2".to_owned()], ..selector() };
        assert_eq!(one.describe(&none), "1 dead letter");
        let both = DeadLetterSelector {
            user: Some(UserId::new("jo").unwrap()),
            reason: Some("no".to_owned()),
            ..selector()
        };
        let text = both.describe(&Bounds { limit: Some(5), dry_run: false });
        assert_eq!(text, "all dead letters of jo whose reason contains \"no\", at most 5");
    }
}
