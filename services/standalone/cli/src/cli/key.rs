//! `tidings key`

use clap::{Args, Subcommand};
use shared_ports::{Clock as _, SystemClock};
use tidings_client::{AccessKeySecrets, Allowance, KeyInfo, KeySecrets, NewKey};
use tidings_gateway::config::{DurationSetting, OptionalAllowance};
use tidings_identity::keys::Scope;

use super::output::{columns, date_and_time};
use super::{Exit, Globals, Output, Tone};

/// Add, list, rotate and revoke keys of producers and operators
///
/// The server's first key, in the file `api-key` of its data directory, may do everything. Give each producer a key of its
/// own that may do what it needs.
#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// Add a key and print its secret, which is shown this once
    Add(Add),
    /// List all keys, without secrets
    List,
    /// Give a key a new secret and print it; the older one counts for a while
    Rotate(Rotate),
    /// Remove a key, which is refused from now on
    Revoke {
        /// Name of the key
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Name of the key: letters, digits, `-`, `_` and `.`
    name: String,
    /// What the key may do: send, send:PREFIX (to users whose ids begin so), token, read, operate or admin; may be
    /// repeated
    #[arg(long = "scope", required = true, value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// Time after which the key is refused, such as 90d [default: never]
    #[arg(long, value_name = "TIME")]
    expires: Option<DurationSetting>,
    /// Most notifications in a time, such as 1000/1s [default: the server's `keys.rate`]
    #[arg(long, value_name = "N/TIME")]
    rate: Option<OptionalAllowance>,
    /// Most bytes of payload in a time, such as 1000000000/24h [default: the server's `keys.bytes`]
    #[arg(long, value_name = "N/TIME")]
    bytes: Option<OptionalAllowance>,
    /// Add a key pair for AWS Signature Version 4 too
    #[arg(long)]
    signs: bool,
}

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// Name of the key
    name: String,
    /// Time for which the older secret counts, at most 90d [default: 24h]
    #[arg(long, value_name = "TIME")]
    overlap: Option<DurationSetting>,
}

impl Key {
    pub(super) async fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let gateway = globals.gateway()?;
        match self {
            Self::Add(add) => show(&gateway.add_key(&add.request()).await?, output)?,
            Self::Rotate(Rotate { name, overlap }) => {
                show(&gateway.rotate_key(&name, overlap.map(|DurationSetting(time)| time)).await?, output)?;
            }
            Self::Revoke { name } => {
                gateway.revoke_key(&name).await?;
                let result = serde_json::json!({ "name": name, "result": "revoked" });
                output
                    .result(&result, |output| format!("{}  {name}", output.paint(Tone::Good, "revoked")))?;
            }
            Self::List => {
                let keys = gateway.keys().await?;
                if output.is_json() {
                    keys.iter().try_for_each(|key| output.value(key))?;
                } else {
                    output.line(columns(&table(keys)))?;
                }
            }
        }
        Ok(Exit::Ok)
    }
}

impl Add {
    fn request(self) -> NewKey {
        let Self { name, scopes, expires, rate, bytes, signs } = self;
        let allowance = |allowance: Option<OptionalAllowance>| {
            let allowance = allowance?.0?;
            let per_ms = u64::try_from(allowance.per().as_millis()).unwrap_or(u64::MAX);
            Some(Allowance { most: allowance.most(), per_ms })
        };
        NewKey {
            name,
            scopes: scopes.iter().map(ToString::to_string).collect(),
            expires_at: expires.map(|DurationSetting(time)| SystemClock.now().plus(time)),
            rate: allowance(rate),
            bytes: allowance(bytes),
            signs,
        }
    }
}

/// Prints new secrets: the API key on the first line, then the key pair as environment variables.
fn show(secrets: &KeySecrets, output: &mut Output) -> anyhow::Result<()> {
    output.result(secrets, |_| match &secrets.access_key {
        Some(AccessKeySecrets { access_key_id, secret_access_key }) => format!(
            "{}\nAWS_ACCESS_KEY_ID={access_key_id}\nAWS_SECRET_ACCESS_KEY={secret_access_key}",
            secrets.api_key
        ),
        None => secrets.api_key.clone(),
    })?;
    output.note("Keep it in a safe place. It is not shown again.");
    Ok(())
}

fn table(keys: Vec<KeyInfo>) -> Vec<Vec<String>> {
    let heads = ["NAME", "SCOPES", "EXPIRES (UTC)", "LAST USED (UTC)", "LIMITS"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(keys.into_iter().map(|key| {
        let time = |at: Option<contract_notifications_v1::Timestamp>, none: &str| {
            at.map_or_else(|| none.to_owned(), |at| date_and_time(at.millis()))
        };
        let limit = |limit: Option<Allowance>, unit: &str| {
            #[expect(clippy::cast_precision_loss, reason = "a time for people")]
            limit.map(|Allowance { most, per_ms }| format!("{most} {unit} in {} s", per_ms as f64 / 1_000.0))
        };
        let limits: Vec<_> =
            limit(key.rate, "notifications").into_iter().chain(limit(key.bytes, "bytes")).collect();
        vec![
            key.name,
            key.scopes.join(", "),
            time(key.expires_at, "never"),
            time(key.last_used_at, "never"),
            limits.join(", "),
        ]
    }));
    rows
}
