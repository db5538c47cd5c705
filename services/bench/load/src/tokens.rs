//! Connect tokens in bulk, over a few connections at once.

use std::thread;

use anyhow::{Context as _, bail};
use serde::Deserialize;

use crate::http::PostClient;
use crate::target::Target;

/// Connections that ask for tokens.
const THREADS: usize = 4;

#[derive(Deserialize)]
struct Token {
    token: String,
}

/// Fetches a token for each user, in the users' order.
///
/// # Errors
/// The server refuses a request or can't be reached.
pub async fn fetch(target: &Target, users: Vec<String>) -> anyhow::Result<Vec<String>> {
    let target = target.clone();
    tokio::task::spawn_blocking(move || fetch_blocking(&target, &users)).await?
}

fn fetch_blocking(target: &Target, users: &[String]) -> anyhow::Result<Vec<String>> {
    let share = users.len().div_ceil(THREADS).max(1);
    thread::scope(|scope| {
        let threads: Vec<_> =
            users.chunks(share).map(|users| scope.spawn(move || fetch_share(target, users))).collect();
        let mut tokens = Vec::with_capacity(users.len());
        for thread in threads {
            tokens.extend(
                thread.join().map_err(|_| anyhow::anyhow!("a thread that fetches tokens panicked"))??,
            );
        }
        Ok(tokens)
    })
}

fn fetch_share(target: &Target, users: &[String]) -> anyhow::Result<Vec<String>> {
    let mut client = PostClient::connect(target, "/v1/token", "application/json")?;
    let mut tokens = Vec::with_capacity(users.len());
    for user in users {
        let (status, body) = client.post(format!(r#"{{"userId":"{user}"}}"#).as_bytes())?;
        if !(200..300).contains(&status) {
            bail!("the server issued no token: status {status}: {}", String::from_utf8_lossy(body));
        }
        let token: Token = serde_json::from_slice(body).context("the token response is not valid")?;
        tokens.push(token.token);
    }
    Ok(tokens)
}
