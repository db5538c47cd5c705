//! `tidings listen`

use std::time::Duration;

use clap::{Args, ValueEnum};
use contract_connections_v1::FrameFormat;
use contract_frames_v1::{Delivery, ServerFrame};
use contract_notifications_v1::UserId;
use serde_json::json;
use tidings_client::{
    ApiKeyCredentials, ClientError, Disconnect, Event, Gateway, JwtCredentials, Listener, ListenerConfig,
    LoginCredentials,
};
use tokio::time::{Instant, sleep_until};

use super::output::{OutputError, escape_controls, time_of_day};
use super::token::check_jwt;
use super::{Exit, Globals, Output, Tone, prompt};

/// A wait that never ends in practice.
const FOREVER: Duration = Duration::from_hours(24 * 365 * 30);

/// Shortest time for a connection to come about, whatever `--until-idle` says.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Receive a user's notifications
///
/// Prints each notification once and in order, and acknowledges it when it is written. Reconnects after a lost
/// connection. Runs until interrupted, unless an option ends it.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("who").args(["user", "jwt", "username"]).required(true).multiple(true))]
pub(super) struct Listen {
    /// User whose notifications to receive; with --jwt or --username, the user of that credential
    #[arg(conflicts_with_all = ["jwt", "username"])]
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
    /// End when no notification has arrived for this number of seconds; exit with 69 if there is no connection then
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    until_idle: Option<Duration>,
    /// Do not acknowledge: the server deletes a notification that has arrived here, printed or not
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
        let (mut listener, url) = self.start(globals)?;
        let result = self.print_events(&mut listener, &url, output).await;
        match result {
            Ok(_) => listener.close().await,
            // The last notification may not have been printed.
            Err(_) => listener.abandon().await,
        }
        result
    }

    /// Starts to listen. Returns the listener and the address it connects to.
    fn start(&self, globals: &Globals) -> anyhow::Result<(Listener, String)> {
        let config = ListenerConfig {
            certificate_authorities: globals.certificate_authorities()?,
            acknowledge: !self.no_ack,
            format: Some(match self.format {
                Format::Raw => FrameFormat::Raw,
                Format::Single => FrameFormat::Single,
                Format::Batch => FrameFormat::Batch,
            }),
            ..ListenerConfig::default()
        };
        let url = Gateway::web_socket_url;
        Ok(match (&self.user, &self.jwt, &self.username) {
            (_, Some(jwt), _) => {
                check_jwt(jwt)?;
                let gateway = globals.gateway_by_jwt()?;
                let url = url(&gateway);
                (Listener::start(&*url, JwtCredentials::new(gateway, jwt), config), url)
            }
            (_, _, Some(name)) => {
                let gateway = globals.anonymous_gateway()?;
                let password = prompt::read_password(self.password_stdin, false)?;
                let url = url(&gateway);
                (Listener::start(&*url, LoginCredentials::new(gateway, name, password), config), url)
            }
            (Some(user), ..) => {
                let gateway = globals.gateway()?;
                let url = url(&gateway);
                (Listener::start(&*url, ApiKeyCredentials::new(gateway, user.clone()), config), url)
            }
            (None, None, None) => anyhow::bail!("no user; pass a user, --jwt or --username"),
        })
    }

    async fn print_events(
        &self,
        listener: &mut Listener,
        url: &str,
        output: &mut Output,
    ) -> anyhow::Result<Exit> {
        let interrupted = tokio::signal::ctrl_c();
        tokio::pin!(interrupted);
        let mut left = self.count.unwrap_or(u64::MAX);
        let mut last = Instant::now();
        let mut unconnected = Some(no_connection(url, CONNECT_TIMEOUT));
        while left > 0 {
            let patience = match (self.until_idle, &unconnected) {
                (None, _) => FOREVER,
                (Some(idle), None) => idle,
                (Some(idle), Some(_)) => idle.max(CONNECT_TIMEOUT),
            };
            let event = tokio::select! {
                _ = &mut interrupted => break,
                () = sleep_until(last + patience) => match unconnected {
                    None => break,
                    Some(error) => return Err(error.into()),
                },
                event = listener.next() => event,
            };
            let Some(event) = event else { break };
            match event? {
                Event::Notification(received) => {
                    if received.out_of_order {
                        output.warn("the next notification is out of order");
                    }
                    print(received.delivery, output).map_err(|error| self.explain_unprinted(error))?;
                    (left, last) = (left - 1, Instant::now());
                }
                Event::Raw(payload) => {
                    let printed = if output.is_json() {
                        output.json_line(&payload)
                    } else {
                        output.line(escape_controls(&payload))
                    };
                    printed.map_err(|error| self.explain_unprinted(error))?;
                    (left, last) = (left - 1, Instant::now());
                }
                other => {
                    print_connection_event(&other, output);
                    match other {
                        Event::Connected => (unconnected, last) = (None, Instant::now()),
                        Event::Disconnected { why, .. } => {
                            if unconnected.is_none() {
                                last = Instant::now();
                            }
                            unconnected = Some(lost_connection(url, why));
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(Exit::Ok)
    }

    /// Returns the error of a notification that could not be printed.
    fn explain_unprinted(&self, error: OutputError) -> anyhow::Error {
        let explanation = if self.no_ack || self.format == Format::Raw {
            "a notification could not be printed and is lost, because this connection does not acknowledge"
        } else {
            "a notification could not be printed; it is not acknowledged, so it comes again"
        };
        anyhow::Error::from(error).context(explanation)
    }
}

/// Returns the error of a server that did not answer in time.
fn no_connection(url: &str, timeout: Duration) -> ClientError {
    let source = format!("there was no answer within {} s", timeout.as_secs()).into();
    ClientError::Unreachable { url: url.to_owned(), source }
}

/// Returns the error of a connection that was lost, or could not be opened.
fn lost_connection(url: &str, why: Disconnect) -> ClientError {
    match why {
        Disconnect::Handshake(error) => error,
        why => ClientError::Unreachable { url: url.to_owned(), source: why.into() },
    }
}

/// Prints a notification: the server's frame for programs, a line for people.
fn print(delivery: Delivery, output: &mut Output) -> Result<(), OutputError> {
    if output.is_json() {
        return output.json_line(&ServerFrame::Notification(delivery).to_json());
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
        Event::Unreadable { sequence, error } => {
            let painted = output.paint(Tone::Bad, "unreadable");
            let value = json!({ "type": "unreadable", "sequence": sequence, "message": error });
            output.note_either(&value, format!("{painted}  a notification can't be read: {error}"));
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
