//! `tidings cost`: what a deployment on AWS costs in a month.

use clap::{Args, ValueEnum};
use tidings_cost::{BadLoad, Bill, Load, bill};

use super::{Exit, Globals, Output, Tone};

/// Estimate what a deployment on AWS costs in a month
///
/// The estimate multiplies the calls that a notification, a connection and a heartbeat take with list prices of us-east-1,
/// without free tiers. The page docs/explanation/cost.md has the prices with their dates.
#[derive(Debug, Args)]
pub(super) struct Cost {
    /// Users who are active in the month
    #[arg(long, value_name = "NUMBER", default_value_t = Load::default().users)]
    users: f64,
    /// Notifications in a day, for all users
    #[arg(long, value_name = "NUMBER", default_value_t = Load::default().per_day)]
    per_day: f64,
    /// Share of the notifications whose user is connected
    #[arg(long, value_name = "SHARE", default_value_t = Load::default().online)]
    online: f64,
    /// Share of the connected clients that acknowledge, as ours do
    #[arg(long, value_name = "SHARE", default_value_t = Load::default().acknowledged)]
    acknowledged: f64,
    /// Way in which producers send
    #[arg(long, value_enum, default_value_t = Door::Rest)]
    door: Door,
    /// Notifications in a batch of the queue, from 1 to 10
    #[arg(long, value_name = "NUMBER", default_value_t = Load::default().batch)]
    batch: f64,
    /// Size of a notification as a client gets it, in bytes
    #[arg(long, value_name = "NUMBER", default_value_t = Load::default().bytes)]
    bytes: f64,
    /// Hours in a day for which a user is connected
    #[arg(long, value_name = "HOURS", default_value_t = Load::default().hours)]
    hours: f64,
    /// Connections that a user opens in a day; API Gateway ends one after 2 hours
    #[arg(long, value_name = "NUMBER", default_value_t = Load::default().connects)]
    connects: f64,
    /// Seconds between heartbeats of a client; 0 for none
    #[arg(long, value_name = "SECONDS", default_value_t = Load::default().heartbeat)]
    heartbeat: f64,
    /// Bytes that an invocation of a function logs
    #[arg(long, value_name = "NUMBER", default_value_t = Load::default().log_bytes)]
    log_bytes: f64,
    /// Without traces by X-Ray
    #[arg(long)]
    no_tracing: bool,
    /// Without a Cognito user pool: an issuer of yours
    #[arg(long)]
    no_cognito: bool,
}

/// The way in which producers send.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Door {
    /// One request for each notification, to an API of API Gateway
    Rest,
    /// Batches of ten to the queue
    Queue,
}

impl Cost {
    fn load(&self) -> Result<Load, BadLoad> {
        let load = Load {
            users: self.users,
            per_day: self.per_day,
            online: self.online,
            acknowledged: self.acknowledged,
            door: match self.door {
                Door::Rest => tidings_cost::Door::Rest,
                Door::Queue => tidings_cost::Door::Queue,
            },
            batch: self.batch,
            bytes: self.bytes,
            hours: self.hours,
            connects: self.connects,
            heartbeat: self.heartbeat,
            log_bytes: self.log_bytes,
            tracing: !self.no_tracing,
            cognito: !self.no_cognito,
        };
        load.check()?;
        Ok(load)
    }

    pub(super) fn run(self, _: &Globals, output: &mut Output) -> anyhow::Result<Exit> {
        let load = self.load().map_err(|error| {
            let problem = format!("--{error}");
            clap::Error::raw(clap::error::ErrorKind::ValueValidation, problem)
        })?;
        let bill = bill(&load);
        output.result(&serde_json::json!({ "load": load, "bill": bill }), |output| table(&bill, output))?;
        Ok(Exit::Ok)
    }
}

/// Returns the bill as a table.
fn table(bill: &Bill, output: &Output) -> String {
    let width = bill.lines.iter().map(|line| line.service.len()).max().unwrap_or_default();
    let row = |name: &str, quantity: &str, dollars: f64| {
        format!("{name:width$}  {quantity:>17}  {:>14}", grouped(dollars, 2))
    };
    let head = format!("{:width$}  {:>17}  {:>14}", "service", "a month", "$ a month");
    let mut lines = vec![output.paint(Tone::Dim, &head)];
    lines.extend(bill.lines.iter().map(|line| row(line.service, &grouped(line.quantity, 0), line.dollars)));
    lines.push(output.paint(Tone::Strong, &row("all", "", bill.dollars)));
    if let Some(dollars) = bill.dollars_per_million {
        lines.push(row("for a million notifications", "", dollars));
    }
    lines.push("list prices of us-east-1 without free tiers; see docs/explanation/cost.md".to_owned());
    lines.join("\n")
}

/// Formats a number that is not negative, with commas between groups of three digits.
fn grouped(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    let (whole, fraction) = text.split_once('.').map_or((&*text, ""), |(whole, rest)| (whole, rest));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if decimals > 0 {
        grouped.extend([".", fraction]);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_groups_of_three_digits() {
        assert_eq!(grouped(0.0, 2), "0.00");
        assert_eq!(grouped(999.0, 0), "999");
        assert_eq!(grouped(1_234_567.891, 2), "1,234,567.89");
        assert_eq!(grouped(100_000.0, 0), "100,000");
    }
}
