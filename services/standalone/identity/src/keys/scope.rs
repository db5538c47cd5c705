//! What a key may do.

use std::fmt;
use std::str::FromStr;

use contract_notifications_v1::UserId;
use serde::{Deserialize, Serialize};

/// Longest prefix of a scope `send:<prefix>`, in bytes: that of a user id.
const MAX_PREFIX: usize = 128;

/// The access that a request needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To send notifications.
    Send,
    /// To get connect tokens for any user.
    Token,
    /// To look at users, notifications, dead letters and metrics.
    Read,
    /// To redrive and purge dead letters, to close connections, and to block users.
    Operate,
    /// To change users and keys.
    Admin,
}

impl Access {
    /// Returns the name of the scope that grants it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Token => "token",
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

/// One permission of a key, written `send`, `send:<prefix>`, `token`, `read`, `operate` or `admin`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// To send notifications to every user.
    Send,
    /// To send notifications to users whose ids begin with this text.
    SendTo(Box<str>),
    /// To get connect tokens for any user.
    Token,
    /// To look at everything an operator sees.
    Read,
    /// To read, and to act on dead letters, connections and blocks.
    Operate,
    /// Everything, users and keys included.
    Admin,
}

/// A text that is not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{found:?} is not a scope; allowed are send, send:<prefix> with 1 to {MAX_PREFIX} bytes, token, read, operate and \
     admin"
)]
pub struct InvalidScope {
    /// The text, cut to 64 characters.
    pub found: String,
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "send" => Ok(Self::Send),
            "token" => Ok(Self::Token),
            "read" => Ok(Self::Read),
            "operate" => Ok(Self::Operate),
            "admin" => Ok(Self::Admin),
            _ => match text.strip_prefix("send:") {
                Some(prefix) if (1..=MAX_PREFIX).contains(&prefix.len()) => Ok(Self::SendTo(prefix.into())),
                _ => Err(InvalidScope { found: text.chars().take(64).collect() }),
            },
        }
    }
}

impl Scope {
    /// Returns true if there can be a user whom this scope is for: no user id begins with white space or with `u8:`, or has
    /// a control character.
    pub fn can_match(&self) -> bool {
        let Self::SendTo(prefix) = self else { return true };
        prefix.trim_start() == &**prefix && !prefix.starts_with("u8:") && !prefix.contains(char::is_control)
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send => f.write_str("send"),
            Self::SendTo(prefix) => write!(f, "send:{prefix}"),
            Self::Token => f.write_str("token"),
            Self::Read => f.write_str("read"),
            Self::Operate => f.write_str("operate"),
            Self::Admin => f.write_str("admin"),
        }
    }
}

/// The permissions of a key: at least one, in order, each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Scope>")]
pub struct Scopes(Vec<Scope>);

/// A list of scopes that is empty or too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key must have 1 to {} scopes", Scopes::MOST)]
pub struct InvalidScopes;

impl TryFrom<Vec<Scope>> for Scopes {
    type Error = InvalidScopes;

    fn try_from(mut scopes: Vec<Scope>) -> Result<Self, Self::Error> {
        scopes.sort_unstable();
        scopes.dedup();
        if (1..=Self::MOST).contains(&scopes.len()) { Ok(Self(scopes)) } else { Err(InvalidScopes) }
    }
}

impl Scopes {
    /// Largest number of scopes of a key.
    pub const MOST: usize = 32;

    /// Returns the scope of everything.
    pub fn admin() -> Self {
        Self(vec![Scope::Admin])
    }

    /// Returns the scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }

    /// Returns true if a request with this need may go on. For [`Access::Send`], each recipient needs
    /// [`Scopes::may_send_to`] too.
    pub fn allow(&self, access: Access) -> bool {
        self.0.iter().any(|scope| match (scope, access) {
            (Scope::Admin, _)
            | (Scope::Send | Scope::SendTo(_), Access::Send)
            | (Scope::Token, Access::Token)
            | (Scope::Read, Access::Read)
            | (Scope::Operate, Access::Operate | Access::Read) => true,
            (Scope::Send | Scope::SendTo(_) | Scope::Token | Scope::Read | Scope::Operate, _) => false,
        })
    }

    /// Returns true if every user may be sent to.
    pub fn may_send_to_all(&self) -> bool {
        self.0.iter().any(|scope| matches!(scope, Scope::Send | Scope::Admin))
    }

    /// Returns true if notifications may be sent to this user. A prefix is that of the user id as people write it.
    pub fn may_send_to(&self, user: &UserId) -> bool {
        self.0.iter().any(|scope| match scope {
            Scope::Send | Scope::Admin => true,
            Scope::SendTo(prefix) => user.as_written().starts_with(&**prefix),
            Scope::Token | Scope::Read | Scope::Operate => false,
        })
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{scope}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(texts: &[&str]) -> Scopes {
        Scopes::try_from(texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn scope_is_read_and_written_alike() {
        for text in ["send", "send:app-", "send:a:b", "token", "read", "operate", "admin"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
        for wrong in ["", "Send", "send:", "write", "admin ", &format!("send:{}", "x".repeat(129))] {
            let error = wrong.parse::<Scope>().unwrap_err();
            assert!(error.to_string().contains("send:<prefix>"), "{wrong}");
        }
        assert_eq!(scopes(&["token", "send", "token"]).to_string(), "send, token");
        assert!(Scopes::try_from(Vec::new()).is_err());
    }

    #[test]
    fn prefix_that_no_user_has_is_known() {
        for (prefix, expected) in
            [("shop-", true), ("u8", true), ("José ", true), (" ", false), ("u8:", false)]
        {
            assert_eq!(Scope::SendTo(prefix.into()).can_match(), expected, "{prefix:?}");
        }
        assert!(!Scope::SendTo("a\n".into()).can_match());
    }

    #[test]
    fn each_scope_allows_its_own_and_no_more() {
        const ALL: [Access; 5] = [Access::Send, Access::Token, Access::Read, Access::Operate, Access::Admin];
        let allowed = |text| {
            let scopes = scopes(&[text]);
            ALL.into_iter().filter(|access| scopes.allow(*access)).map(Access::name).collect::<Vec<_>>()
        };
        assert_eq!(allowed("send"), ["send"]);
        assert_eq!(allowed("send:x"), ["send"]);
        assert_eq!(allowed("token"), ["token"]);
        assert_eq!(allowed("read"), ["read"]);
        assert_eq!(allowed("operate"), ["read", "operate"]);
        assert_eq!(allowed("admin"), ["send", "token", "read", "operate", "admin"]);
    }

    #[test]
    fn prefix_is_of_the_user_id_as_written() {
        let user = |text: &str| UserId::new(text).unwrap();
        let limited = scopes(&["send:app 1/", "send:b-", "token"]);
        assert!(limited.may_send_to(&user("app 1/zoe")) && limited.may_send_to(&user("u8:YXBwIDEv")));
        assert!(limited.may_send_to(&user("b-1")));
        assert!(!limited.may_send_to(&user("app 2/zoe")) && !limited.may_send_to(&user("xb-1")));
        assert!(!limited.may_send_to_all() && scopes(&["send"]).may_send_to_all());
        assert!(!scopes(&["operate"]).may_send_to(&user("zoe")));
    }
}
