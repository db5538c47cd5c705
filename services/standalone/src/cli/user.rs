//! `tidings user`

use clap::{Args, Subcommand};
use contract_notifications_v1::UserId;

use super::output::columns;
use super::{Exit, Globals, Output, Tone, secret};

/// Add users and log them in. For development; in production users come with a JSON Web Token of another
/// issuer.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a user
    Add {
        #[command(flatten)]
        named: Named,
        /// Whom notifications are addressed to [default: the name]
        #[arg(long)]
        user_id: Option<UserId>,
    },
    /// Log a user in and get a JSON Web Token
    Login(Named),
    /// List all users
    List,
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// The user's name
    username: String,
    /// Read the password from the first line of standard input instead of asking for it
    #[arg(long)]
    password_stdin: bool,
}

impl User {
    pub(super) async fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        match self {
            Self::Add { named: Named { username, password_stdin }, user_id } => {
                let gateway = globals.gateway()?;
                let password = secret::read_password(password_stdin, true)?;
                let user = gateway.add_user_as(&username, &password, user_id.as_ref()).await?;
                output.result(&user, |output| {
                    let id = user.user_id.as_deref().unwrap_or(&user.username);
                    format!("{}  {}  user id {id}", output.paint(Tone::Good, "added"), user.username)
                })?;
            }
            Self::Login(Named { username, password_stdin }) => {
                let gateway = globals.anonymous_gateway()?;
                let password = secret::read_password(password_stdin, false)?;
                let login = gateway.login(&username, &password).await?;
                output.result(&login, |_| login.id_token.clone())?;
            }
            Self::List => {
                let users = globals.gateway()?.users().await?;
                if output.is_json() {
                    users.iter().try_for_each(|user| output.value(user))?;
                } else if users.is_empty() {
                    output.note("no users");
                } else {
                    let rows: Vec<_> = users
                        .into_iter()
                        .map(|user| vec![user.username, user.user_id.unwrap_or_default()])
                        .collect();
                    output.line(columns(&rows))?;
                }
            }
        }
        Ok(Exit::Ok)
    }
}
