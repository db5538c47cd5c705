//! The tables of medians.

use std::fmt::Write as _;
use std::time::Duration;

use crate::counts::Counts;
use crate::median::median;
use crate::start::StartTimes;
use crate::warm::EventTimes;

/// The measurements of one peer's implementation of a function.
#[derive(Debug, Clone)]
pub(crate) struct PeerRow<T> {
    /// Name of the peer.
    pub peer: &'static str,
    /// Size of the program, if it is one file.
    pub bytes: Option<u64>,
    /// The measurement of each process.
    pub processes: Vec<T>,
}

impl<T> PeerRow<T> {
    /// Returns the median over all processes, in milliseconds.
    fn median(&self, of: fn(&T) -> Duration) -> f64 {
        median(self.processes.iter().map(of).collect()).as_secs_f64() * 1_000.0
    }
}

/// Formats the table of one function's start in Markdown, with times in milliseconds.
///
/// The first row is that of Tidings. Ratios are relative to it.
pub(crate) fn start_table(function: &str, archive: u64, rows: &[PeerRow<StartTimes>]) -> String {
    let columns: [fn(&StartTimes) -> Duration; 4] =
        [|m| m.init, |m| m.first, |m| m.init + m.first, |m| m.second];
    let mut text = format!("\n{function} (archive {archive} bytes)\n\n");
    text += "| | bytes | init ms | first ms | both ms | second ms | init × | both × |\n|---|---|---|---|---|---|---|---|\n";
    let Some(first_row) = rows.first() else { return text };
    for row in rows {
        let bytes = row.bytes.map_or_else(String::new, |bytes| bytes.to_string());
        let [init, first, both, second] = columns.map(|of| row.median(of));
        let ratio = |of: usize| row.median(columns[of]) / first_row.median(columns[of]);
        let (init_ratio, both_ratio) = (ratio(0), ratio(2));
        let peer = row.peer;
        // Writing to a string does not fail.
        let _written = writeln!(
            text,
            "| {peer} | {bytes} | {init:.2} | {first:.2} | {both:.2} | {second:.2} | {init_ratio:.1} | \
             {both_ratio:.1} |"
        );
    }
    text
}

/// The measurements of one warm function with one event.
#[derive(Debug)]
pub(crate) struct HandlerRow {
    /// Function and event.
    pub title: String,
    /// Number of items in an event, such as notifications.
    pub units: u32,
    /// The rows of Tidings and, if it is measured, of Node.
    pub rows: Vec<PeerRow<EventTimes>>,
    /// Counts of an event in Tidings, if they were counted.
    pub counts: Option<Counts>,
}

/// The headings of the table whose rows [`HandlerRow::line`] formats.
pub(crate) const HANDLER_HEADINGS: &str = "\
| | CPU each, µs | Node | × | event, ms | Node | × | allocations each | bytes each | instructions each |
|---|---|---|---|---|---|---|---|---|---|";

impl HandlerRow {
    /// Formats the row in Markdown. "Each" means one item of the event.
    pub(crate) fn line(&self) -> String {
        let Self { title, units, rows, counts } = self;
        let mut cells = vec![title.clone()];
        let mut add_times = |of: fn(&EventTimes) -> Duration, scale: f64, digits: usize| {
            let medians: Vec<_> = rows.iter().map(|row| row.median(of)).collect();
            let show =
                |ms: Option<&f64>| ms.map_or_else(String::new, |ms| format!("{:.digits$}", ms * scale));
            let ratio = match medians[..] {
                [tidings, node, ..] => format!("{:.1}", node / tidings),
                _ => String::new(),
            };
            cells.extend([show(medians.first()), show(medians.get(1)), ratio]);
        };
        add_times(|times| times.cpu, 1_000.0 / f64::from(*units), 0);
        add_times(|times| times.wall, 1.0, 2);
        let each = |counted: u64| (counted / u64::from(*units)).to_string();
        let counted = |of: fn(&Counts) -> u64| counts.as_ref().map(of).map_or_else(String::new, each);
        cells.extend([counted(|c| c.allocations), counted(|c| c.bytes), counted(|c| c.instructions)]);
        format!("| {} |", cells.join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_times(init: u64) -> StartTimes {
        let ms = Duration::from_millis;
        StartTimes { init: ms(init), first: ms(2 * init), second: ms(1) }
    }

    #[test]
    fn ratios_are_relative_to_the_first_row() {
        let row = |peer, init| PeerRow { peer, bytes: None, processes: vec![start_times(init); 3] };
        let text = start_table("replayer", 7, &[row("ours", 4), row("theirs", 40)]);
        assert!(text.contains("| ours |  | 4.00 | 8.00 | 12.00 | 1.00 | 1.0 | 1.0 |"), "{text}");
        assert!(text.contains("| theirs |  | 40.00 | 80.00 | 120.00 | 1.00 | 10.0 | 10.0 |"), "{text}");
    }

    #[test]
    fn costs_are_divided_by_the_items_of_an_event() {
        let row = |peer, cpu| {
            let (cpu, wall) = (Duration::from_micros(cpu), Duration::from_micros(2 * cpu));
            PeerRow { peer, bytes: None, processes: vec![EventTimes { cpu, wall }; 3] }
        };
        let counts = Some(Counts { allocations: 120, bytes: 3_000, instructions: 70_000 });
        let both = HandlerRow {
            title: "ten".to_owned(),
            units: 10,
            rows: vec![row("ours", 500), row("theirs", 4_000)],
            counts,
        };
        assert_eq!(both.line(), "| ten | 50 | 400 | 8.0 | 1.00 | 8.00 | 8.0 | 12 | 300 | 7000 |");
        let alone = HandlerRow { rows: vec![row("ours", 500)], counts: None, ..both };
        assert_eq!(alone.line(), "| ten | 50 |  |  | 1.00 |  |  |  |  |  |");
        assert_eq!(
            alone.line().matches('|').count(),
            HANDLER_HEADINGS.lines().next().unwrap().matches('|').count()
        );
    }
}
