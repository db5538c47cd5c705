//! `tidings token`

use clap::Args;
use contract_notifications_v1::UserId;

use super::{Exit, Globals, Output};

/// Get a token that opens one connection, once, within half a minute.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// Whose connection; with --jwt the JSON Web Token says it
    #[arg(required_unless_present = "jwt", conflicts_with = "jwt")]
    user: Option<UserId>,
    /// A JSON Web Token that proves who the user is, instead of the API key
    #[arg(long, env = "TIDINGS_JWT", hide_env_values = true)]
    jwt: Option<String>,
}

impl Token {
    pub(super) async fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let token = match (self.user, self.jwt) {
            (_, Some(jwt)) => globals.gateway_by_jwt()?.token_by_jwt(&jwt).await?,
            (Some(user), None) => globals.gateway()?.token(&user).await?,
            (None, None) => anyhow::bail!("neither a user nor a JSON Web Token is given"),
        };
        output.result(&token, |_| token.token.clone())?;
        Ok(Exit::Ok)
    }
}
