//! Medians, and the tables they are shown in.

use std::fmt::Write as _;
use std::time::Duration;

use crate::process::Measured;

/// What was measured of one function as one peer has it.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Which peer.
    pub peer: &'static str,
    /// Bytes that start, where that is one file.
    pub bytes: Option<u64>,
    /// Each process.
    pub processes: Vec<Measured>,
}

/// The middle one; of an even number the mean of the two in the middle.
fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort();
    let middle = durations.len() / 2;
    match durations.get(middle) {
        None => Duration::ZERO,
        Some(upper) if durations.len() % 2 == 1 => *upper,
        Some(upper) => (durations[middle - 1] + *upper) / 2,
    }
}

impl Row {
    fn median(&self, of: fn(&Measured) -> Duration) -> f64 {
        median(self.processes.iter().map(of).collect()).as_secs_f64() * 1_000.0
    }
}

/// The table of one function in Markdown, times in milliseconds. The first row is ours; ratios are of the
/// others to it.
pub(crate) fn table(function: &str, archive: u64, rows: &[Row]) -> String {
    let columns: [fn(&Measured) -> Duration; 4] =
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

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(init: u64) -> Measured {
        let ms = Duration::from_millis;
        Measured { init: ms(init), first: ms(2 * init), second: ms(1) }
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
        let row = |peer, init| Row { peer, bytes: None, processes: vec![measured(init); 3] };
        let text = table("replayer", 7, &[row("ours", 4), row("theirs", 40)]);
        assert!(text.contains("| ours |  | 4.00 | 8.00 | 12.00 | 1.00 | 1.0 | 1.0 |"), "{text}");
        assert!(text.contains("| theirs |  | 40.00 | 80.00 | 120.00 | 1.00 | 10.0 | 10.0 |"), "{text}");
    }
}
