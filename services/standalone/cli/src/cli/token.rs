//! `tidings token`

use clap::Args;
use contract_notifications_v1::UserId;

use super::{Exit, Globals, Output};

/// Get a connect token, which opens one connection within 30 seconds
#[derive(Debug, Args)]
pub(super) struct Token {
    /// User of the connection; with --jwt, the token's subject
    #[arg(required_unless_present = "jwt", conflicts_with = "jwt")]
    user: Option<UserId>,
    /// JSON Web Token of the user, instead of the API key
    #[arg(long, env = "TIDINGS_JWT", hide_env_values = true)]
    jwt: Option<String>,
}

impl Token {
    pub(super) async fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let token = match (self.user, self.jwt) {
            (_, Some(jwt)) => globals.gateway_by_jwt()?.token_by_jwt(&jwt).await?,
            (Some(user), None) => globals.gateway()?.token(&user).await?,
            (None, None) => anyhow::bail!("no user; pass a user or --jwt"),
        };
        output.result(&token, |_| token.token.clone())?;
        Ok(Exit::Ok)
    }
}
