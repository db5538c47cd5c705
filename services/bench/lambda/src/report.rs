//! Medians, and the tables they are shown in.

use std::fmt::Write as _;
use std::time::Duration;

use crate::counts::Counts;
use crate::start::Started;
use crate::warm::Warm;

/// What was measured of one function as one peer has it.
#[derive(Debug, Clone)]
pub(crate) struct Row<T> {
    /// Which peer.
    pub peer: &'static str,
    /// Bytes that start, where that is one file.
    pub bytes: Option<u64>,
    /// Each process.
    pub processes: Vec<T>,
}

/// The middle one; of an even number the mean of the two in the middle.
pub(crate) fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    let middle = durations.len() / 2;
    match durations.get(middle) {
        None => Duration::ZERO,
        Some(upper) if durations.len() % 2 == 1 => *upper,
        Some(upper) => (durations[middle - 1] + *upper) / 2,
    }
}

impl<T> Row<T> {
    fn median(&self, of: fn(&T) -> Duration) -> f64 {
        median(self.processes.iter().map(of).collect()).as_secs_f64() * 1_000.0
    }
}

/// The table of one function in Markdown, times in milliseconds. The first row is ours; ratios are of the
/// others to it.
pub(crate) fn starts(function: &str, archive: u64, rows: &[Row<Started>]) -> String {
    let columns: [fn(&Started) -> Duration; 4] =
        [|m| m.init, |m| m.first, |m| m.init + m.first, |m| m.second];
    let mut text = format!("\n{function} (archive {archive} bytes)\n\n");
    text += "| | bytes | init ms | first ms | both ms | second ms | init × | both × |\n|---|---|---|---|---|---|---|---|\n";
    let Some(ours) = rows.first() else { return text };
    for row in rows {
        let bytes = row.bytes.map_or_else(String::new, |bytes| bytes.to_string());
        let [init, first, both, second] = columns.map(|of| row.median(of));
        let ratio = |of: usize| row.median(columns[of]) / ours.median(columns[of]);
        let (init_ratio, both_ratio) = (ratio(0), ratio(2));
        let peer = row.peer;
        // To a String this can't fail.
        let _written = writeln!(
            text,
            "| {peer} | {bytes} | {init:.2} | {first:.2} | {both:.2} | {second:.2} | {init_ratio:.1} | \
             {both_ratio:.1} |"
        );
    }
    text
}

/// What was measured of one function with one event.
#[derive(Debug)]
pub(crate) struct Handled {
    /// Which.
    pub title: String,
    /// How many of what the function is about are in an event.
    pub units: u32,
    /// Ours, and the other's if there is one.
    pub rows: Vec<Row<Warm>>,
    /// What was counted of ours, an event.
    pub counts: Option<Counts>,
}

/// The head of the table whose lines [`Handled::line`] gives.
pub(crate) const HANDLERS: &str = "\
| | CPU each, µs | Node | × | event, ms | Node | × | allocations each | bytes each | instructions each |
|---|---|---|---|---|---|---|---|---|---|";

impl Handled {
    /// A line of the table, in Markdown; «each» is of what is in an event.
    pub(crate) fn line(&self) -> String {
        let Self { title, units, rows, counts } = self;
        let mut cells = vec![title.clone()];
        let mut times = |of: fn(&Warm) -> Duration, scale: f64, digits: usize| {
            let medians: Vec<_> = rows.iter().map(|row| row.median(of)).collect();
            let show =
                |ms: Option<&f64>| ms.map_or_else(String::new, |ms| format!("{:.digits$}", ms * scale));
            let ratio = match medians[..] {
                [ours, other, ..] => format!("{:.1}", other / ours),
                _ => String::new(),
            };
            cells.extend([show(medians.first()), show(medians.get(1)), ratio]);
        };
        times(|warm| warm.cpu, 1_000.0 / f64::from(*units), 0);
        times(|warm| warm.wall, 1.0, 2);
        let each = |counted: u64| (counted / u64::from(*units)).to_string();
        let counted = |of: fn(&Counts) -> u64| counts.as_ref().map(of).map_or_else(String::new, each);
        cells.extend([counted(|c| c.allocations), counted(|c| c.bytes), counted(|c| c.instructions)]);
        format!("| {} |", cells.join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(init: u64) -> Started {
        let ms = Duration::from_millis;
        Started { init: ms(init), first: ms(2 * init), second: ms(1) }
    }

    #[test]
    fn the_median_is_in_the_middle() {
        let ms = |all: &[u64]| median(all.iter().copied().map(Duration::from_millis).collect());
        assert_eq!(ms(&[9, 1, 5]), Duration::from_millis(5));
        assert_eq!(ms(&[9, 1, 5, 6]), Duration::from_micros(5_500));
        assert_eq!(ms(&[]), Duration::ZERO);
    }

    #[test]
    fn ratios_are_to_the_first_row() {
        let row = |peer, init| Row { peer, bytes: None, processes: vec![started(init); 3] };
        let text = starts("replayer", 7, &[row("ours", 4), row("theirs", 40)]);
        assert!(text.contains("| ours |  | 4.00 | 8.00 | 12.00 | 1.00 | 1.0 | 1.0 |"), "{text}");
        assert!(text.contains("| theirs |  | 40.00 | 80.00 | 120.00 | 1.00 | 10.0 | 10.0 |"), "{text}");
    }

    #[test]
    fn a_line_is_for_each_of_what_is_in_an_event() {
        let row = |peer, cpu| {
            let warm = Warm { cpu: Duration::from_micros(cpu), wall: Duration::from_micros(2 * cpu) };
            Row { peer, bytes: None, processes: vec![warm; 3] }
        };
        let counts = Some(Counts { allocations: 120, bytes: 3_000, instructions: 70_000 });
        let both = Handled {
            title: "ten".to_owned(),
            units: 10,
            rows: vec![row("ours", 500), row("theirs", 4_000)],
            counts,
        };
        assert_eq!(both.line(), "| ten | 50 | 400 | 8.0 | 1.00 | 8.00 | 8.0 | 12 | 300 | 7000 |");
        let alone = Handled { rows: vec![row("ours", 500)], counts: None, ..both };
        assert_eq!(alone.line(), "| ten | 50 |  |  | 1.00 |  |  |  |  |  |");
        assert_eq!(alone.line().matches('|').count(), HANDLERS.lines().next().unwrap().matches('|').count());
    }
}
