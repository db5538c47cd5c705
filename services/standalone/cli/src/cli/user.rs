//! `tidings user`

use clap::{Args, Subcommand};
use contract_notifications_v1::{Timestamp, UserId};
use serde_json::json;
use shared_ports::{Clock as _, SystemClock};
use tidings_client::Revocation;
use tidings_gateway::config::DurationSetting;

use super::output::{columns, date_and_time, escape_controls};
use super::{Exit, Globals, Output, Tone, prompt};

/// Add users and log them in, and block or sign out any user
///
/// Accounts are for development and small servers. Elsewhere users have a JSON Web Token of another issuer; they can be
/// blocked and signed out too.
#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a user
    Add(Named),
    /// Log a user in and print a JSON Web Token
    Login(Named),
    /// List all users
    List,
    /// Change the password of a user, sign the user out and close the user's connections
    Passwd(Named),
    /// Remove a user's account, sign the user out and close the user's connections
    Remove {
        /// Name of the user
        username: UserId,
    },
    /// Refuse a user, with or without an account, and close the user's connections
    Block(Block),
    /// Lift the block of a user
    Unblock {
        /// Id of the user
        user: UserId,
    },
    /// Refuse all credentials that a user has now, and close the user's connections
    SignOut {
        /// Id of the user
        user: UserId,
    },
    /// Close the connections of a user, who may connect again
    Disconnect {
        /// Id of the user
        user: UserId,
    },
    /// Refuse a JSON Web Token by its id, the claim `jti`
    RevokeToken {
        /// Id of the token
        id: String,
    },
    /// List all blocks, sign-outs and refused tokens
    Blocks,
}

#[derive(Debug, Args)]
pub(super) struct Block {
    /// Id of the user
    user: UserId,
    /// Time for which the user is blocked, such as 1h or 30d [default: until `tidings user unblock`]
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<DurationSetting>,
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
            Self::Passwd(Named { username, password_stdin }) => {
                let gateway = globals.gateway()?;
                let user = UserId::new(username)?;
                let password = prompt::read_password(password_stdin, true)?;
                report(&user, "changed", gateway.set_password(&user, &password).await?, output)?;
            }
            Self::Remove { username } => {
                report(&username, "removed", globals.gateway()?.remove_user(&username).await?, output)?;
            }
            Self::Block(Block { user, duration }) => {
                let until = duration.map(|DurationSetting(time)| SystemClock.now().plus(time));
                report(&user, "blocked", globals.gateway()?.block_user(&user, until).await?, output)?;
            }
            Self::Unblock { user } => {
                globals.gateway()?.unblock_user(&user).await?;
                report(&user, "unblocked", 0, output)?;
            }
            Self::SignOut { user } => {
                report(&user, "signed out", globals.gateway()?.sign_out_user(&user).await?, output)?;
            }
            Self::Disconnect { user } => {
                report(&user, "disconnected", globals.gateway()?.disconnect_user(&user).await?, output)?;
            }
            Self::RevokeToken { id } => {
                globals.gateway()?.revoke_token(&id, None).await?;
                let result = json!({ "tokenId": id, "result": "revoked" });
                output.result(&result, |output| format!("{}  {id}", output.paint(Tone::Good, "revoked")))?;
            }
            Self::Blocks => {
                let revocations = globals.gateway()?.revocations().await?;
                if output.is_json() {
                    revocations.iter().try_for_each(|revocation| output.value(revocation))?;
                } else if revocations.is_empty() {
                    output.note("Nobody is blocked or signed out, and no token is refused.");
                } else {
                    output.line(columns(&table(revocations)))?;
                }
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

/// Prints what was done to a user, and the number of connections that were closed.
fn report(user: &UserId, done: &str, closed: u64, output: &mut Output) -> anyhow::Result<()> {
    let name = user.as_written();
    let result = json!({ "userId": name, "result": done, "closed": closed });
    output.result(&result, |output| {
        let closed = match closed {
            0 => String::new(),
            1 => "  1 connection closed".to_owned(),
            closed => format!("  {closed} connections closed"),
        };
        format!("{}  {name}{closed}", output.paint(Tone::Good, done))
    })?;
    Ok(())
}

fn table(revocations: Vec<Revocation>) -> Vec<Vec<String>> {
    let heads = ["USER OR TOKEN", "REFUSED UNTIL (UTC)", "SIGNED OUT (UTC)"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(revocations.into_iter().map(|revocation| {
        let time = |at: Timestamp| date_and_time(at.millis());
        let until = match (revocation.refused, revocation.until) {
            (false, _) => String::new(),
            (true, None) => "for ever".to_owned(),
            (true, Some(until)) => time(until),
        };
        let subject = match (revocation.user_id, revocation.token_id) {
            (Some(user), _) => user,
            (None, token) => format!("token {}", token.unwrap_or_default()),
        };
        vec![
            escape_controls(&subject).into_owned(),
            until,
            revocation.issued_before.map(time).unwrap_or_default(),
        ]
    }));
    rows
}
