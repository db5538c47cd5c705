//! `tidings token`

use clap::Args;
use contract_notifications_v1::UserId;

use super::{Exit, Globals, Output};

/// Get a connect token, which opens one connection within 30 seconds
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("who").args(["user", "jwt"]).required(true).multiple(true))]
pub(super) struct Token {
    /// User of the connection; with --jwt, the token's subject
    #[arg(conflicts_with = "jwt")]
    user: Option<UserId>,
    /// JSON Web Token of the user, instead of the API key
    #[arg(long, env = "TIDINGS_JWT", hide_env_values = true)]
    jwt: Option<String>,
}

impl Token {
    pub(super) async fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let token = match (self.user, self.jwt) {
            (_, Some(jwt)) => {
                check_jwt(&jwt)?;
                globals.gateway_by_jwt()?.token_by_jwt(&jwt).await?
            }
            (Some(user), None) => globals.gateway()?.token(&user).await?,
            (None, None) => anyhow::bail!("no user; pass a user or --jwt"),
        };
        output.result(&token, |_| token.token.clone())?;
        Ok(Exit::Ok)
    }
}

/// Checks that a text has the form of a JSON Web Token: three parts of base64url with dots between them.
pub(super) fn check_jwt(text: &str) -> Result<(), clap::Error> {
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if text.split('.').count() == 3 && text.split('.').all(is_part) {
        return Ok(());
    }
    // The text is not repeated, because it may be another secret.
    let problem = "--jwt is not a JSON Web Token, which has three parts of letters, digits, - and _, with dots between \
                   them; `tidings user login` prints one";
    Err(clap::Error::raw(clap::error::ErrorKind::ValueValidation, problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_of_a_json_web_token_is_checked() {
        assert!(check_jwt("e30.e30.a-_9").is_ok());
        for wrong in ["", "garbage", "a.b", "a..c", "a.b.c.d", "Bearer a.b.c", "tidings_key"] {
            let error = check_jwt(wrong).unwrap_err().to_string();
            assert!(
                error.contains("--jwt") && (wrong.is_empty() || !error.contains(&format!(" {wrong} "))),
                "{error}"
            );
        }
    }
}
