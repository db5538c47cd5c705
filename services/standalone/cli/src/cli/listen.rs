//! `tidings listen`

use std::time::Duration;

use clap::{Args, ValueEnum};
use contract_connections_v1::FrameFormat;
use contract_frames_v1::{Delivery, ServerFrame};
use contract_notifications_v1::UserId;
use serde_json::json;
use tidings_client::{ApiKeyCredentials, Event, JwtCredentials, Listener, ListenerConfig, LoginCredentials};
use tokio::time::{Instant, sleep_until};

use super::output::{escape_controls, time_of_day};
use super::{Exit, Globals, Output, Tone, prompt};

/// A wait that never ends in practice.
const FOREVER: Duration = Duration::from_hours(24 * 365 * 30);

/// Receive a user's notifications
///
/// Prints each notification once and in order, and acknowledges it. Reconnects after a lost connection. Runs
/// until interrupted, unless an option ends it.
#[derive(Debug, Args)]
pub(super) struct Listen {
    /// User whose notifications to receive; with --jwt or --username, the user of that credential
    #[arg(required_unless_present_any = ["jwt", "username"], conflicts_with_all = ["jwt", "username"])]
    user: Option<UserId>,
    /// JSON Web Token of the user, instead of the API key
    #[arg(long, env = "TIDINGS_JWT", hide_env_values = true, conflicts_with = "username")]
    jwt: Option<String>,
    /// Log in as this user instead of using the API key
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Read the password from the first line of standard input instead of the terminal
    #[arg(long, requires = "username", conflicts_with_all = ["user", "jwt"])]
    password_stdin: bool,
    /// End after this number of notifications
    #[arg(long, short = 'n', value_name = "N")]
    count: Option<u64>,
    /// End when no notification has arrived for this number of seconds
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    until_idle: Option<Duration>,
    /// Do not acknowledge: the server deletes a notification as soon as it has sent it
    #[arg(long)]
    no_ack: bool,
    /// Frame format to request; raw frames are bare payloads and can't be acknowledged
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    Raw,
    Single,
    #[default]
    Batch,
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "must be a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

impl Listen {
    pub(super) async fn run(self, globals: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let mut listener = self.start(globals)?;
        let result = self.print_events(&mut listener, output).await;
        listener.close().await;
        result
    }

    fn start(&self, globals: &Globals) -> anyhow::Result<Listener> {
        let config = ListenerConfig {
            acknowledge: !self.no_ack,
            format: Some(match self.format {
                Format::Raw => FrameFormat::Raw,
                Format::Single => FrameFormat::Single,
                Format::Batch => FrameFormat::Batch,
            }),
            ..ListenerConfig::default()
        };
        Ok(match (&self.user, &self.jwt, &self.username) {
            (_, Some(jwt), _) => {
                let gateway = globals.gateway_by_jwt()?;
                Listener::start(gateway.web_socket_url(), JwtCredentials::new(gateway, jwt), config)
            }
            (_, _, Some(name)) => {
                let gateway = globals.anonymous_gateway()?;
                let password = prompt::read_password(self.password_stdin, false)?;
                let url = gateway.web_socket_url();
                Listener::start(url, LoginCredentials::new(gateway, name, password), config)
            }
            (Some(user), ..) => {
                let gateway = globals.gateway()?;
                let url = gateway.web_socket_url();
                Listener::start(url, ApiKeyCredentials::new(gateway, user.clone()), config)
            }
            (None, None, None) => anyhow::bail!("no user; pass a user, --jwt or --username"),
        })
    }

    async fn print_events(&self, listener: &mut Listener, output: &mut Output) -> anyhow::Result<Exit> {
        let interrupted = tokio::signal::ctrl_c();
        tokio::pin!(interrupted);
        let mut left = self.count.unwrap_or(u64::MAX);
        let mut last = Instant::now();
        while left > 0 {
            let idle_at = last + self.until_idle.unwrap_or(FOREVER);
            let event = tokio::select! {
                _ = &mut interrupted => break,
                () = sleep_until(idle_at) => break,
                event = listener.next() => event,
            };
            let Some(event) = event else { break };
            match event? {
                Event::Notification(received) => {
                    if received.out_of_order {
                        warn("the next notification is out of order", output);
                    }
                    print(received.delivery, output)?;
                    (left, last) = (left - 1, Instant::now());
                }
                Event::Raw(payload) => {
                    output.line(if output.is_json() { payload.into() } else { escape_controls(&payload) })?;
                    (left, last) = (left - 1, Instant::now());
                }
                other => {
                    if matches!(other, Event::Connected) {
                        last = Instant::now();
                    }
                    print_connection_event(&other, output);
                }
            }
        }
        Ok(Exit::Ok)
    }
}

/// Prints a notification: the server's frame for programs, a line for people.
fn print(delivery: Delivery, output: &mut Output) -> std::io::Result<()> {
    if output.is_json() {
        return output.line(ServerFrame::Notification(delivery).to_json());
    }
    let time = output.paint(Tone::Dim, &time_of_day(delivery.sent_at.millis()));
    let mut line = format!("{time}  {:>6}", delivery.sequence.number());
    if let Some(kind) = &delivery.kind {
        line.push_str("  ");
        line.push_str(&output.paint(Tone::Strong, &escape_controls(kind)));
    }
    line.push_str("  ");
    line.push_str(&escape_controls(delivery.payload.get()));
    if delivery.replayed {
        line.push_str("  ");
        line.push_str(&output.paint(Tone::Dim, "(held)"));
    }
    output.line(line)
}

fn warn(text: &str, output: &mut Output) {
    let painted = output.paint(Tone::Warning, text);
    output.note_either(&json!({ "type": "warning", "message": text }), painted);
}

/// Prints an event of the connection.
fn print_connection_event(event: &Event, output: &mut Output) {
    match event {
        Event::Connected => {
            let painted = output.paint(Tone::Good, "connected");
            output.note_either(&json!({ "type": "connected" }), painted);
        }
        Event::Disconnected { why, retry_in } => {
            let why = shared_telemetry::chain(why);
            let painted = output.paint(Tone::Warning, "disconnected");
            let value = json!({
                "type": "disconnected", "why": why, "retryInMillis": u64::try_from(retry_in.as_millis()).unwrap_or(u64::MAX)
            });
            output.note_either(
                &value,
                format!("{painted}  {why}; next attempt in {:.1} s", retry_in.as_secs_f64()),
            );
        }
        Event::Refused { code, message, request_id } => {
            let painted = output.paint(Tone::Bad, "refused");
            let value = json!({
                "type": "error", "code": code, "message": message, "requestId": request_id
            });
            output.note_either(&value, format!("{painted}  {message} (request {request_id})"));
        }
        Event::Notification(_) | Event::Raw(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::super::Cli;

    #[test]
    fn exactly_one_credential_is_taken() {
        for good in [
            &["listen", "jo"][..],
            &["listen", "--jwt", "x.y.z"],
            &["listen", "--username", "jo", "--password-stdin", "--until-idle", "0.5"],
            &["listen", "jo", "--format", "raw", "--no-ack", "-n", "3"],
        ] {
            Cli::try_parse_from(["tidings"].iter().chain(good)).unwrap();
        }
        for bad in [
            &["listen"][..],
            &["listen", "jo", "--jwt", "x"],
            &["listen", "jo", "--password-stdin"],
            &["listen", "jo", "--until-idle", "-1"],
        ] {
            assert!(Cli::try_parse_from(["tidings"].iter().chain(bad)).is_err(), "{bad:?}");
        }
    }
}
