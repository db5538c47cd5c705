//! `tidings user`

use clap::{Args, Subcommand};

use super::output::{columns, date_and_time};
use super::{Exit, Globals, Output, Tone, prompt};

/// Add users and log them in
///
/// For development. In production, users have a JSON Web Token of another issuer.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a user
    Add(Named),
    /// Log a user in and print a JSON Web Token
    Login(Named),
    /// List all users
    List,
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// Name of the user
    username: String,
    /// Read the password from the first line of standard input instead of the terminal
    #[arg(long)]
    password_stdin: bool,
}

impl User {
    pub(super) async fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        match self {
            Self::Add(Named { username, password_stdin }) => {
                let gateway = globals.gateway()?;
                let password = prompt::read_password(password_stdin, true)?;
                let user = gateway.add_user(&username, &password).await?;
                output.result(&user, |output| {
                    format!("{}  {}", output.paint(Tone::Good, "added"), user.username)
                })?;
            }
            Self::Login(Named { username, password_stdin }) => {
                let gateway = globals.anonymous_gateway()?;
                let password = prompt::read_password(password_stdin, false)?;
                let login = gateway.login(&username, &password).await?;
                output.result(&login, |_| login.id_token.clone())?;
            }
            Self::List => {
                let users = globals.gateway()?.users().await?;
                if output.is_json() {
                    users.iter().try_for_each(|user| output.value(user))?;
                } else if users.is_empty() {
                    output.note("There are no users. Add one with: tidings user add NAME");
                } else {
                    let mut rows = vec![["NAME", "ADDED (UTC)"].map(str::to_owned).to_vec()];
                    rows.extend(users.into_iter().map(|user| {
                        let added = user.created_at.map(|at| date_and_time(at.millis()));
                        vec![user.username, added.unwrap_or_default()]
                    }));
                    output.line(columns(&rows))?;
                }
            }
        }
        Ok(Exit::Ok)
    }
}
