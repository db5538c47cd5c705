//! Markdown tables.

/// Formats a table with a row of headings. Each row has as many cells as there are headings.
pub fn table<R, C>(headings: R, rows: impl IntoIterator<Item = R>) -> String
where
    R: IntoIterator<Item = C>,
    C: AsRef<str>,
{
    let head = row(headings);
    let columns = head.matches('|').count() - 1;
    let rule = format!("|{}\n", "---|".repeat(columns));
    [head, rule].into_iter().chain(rows.into_iter().map(row)).collect()
}

fn row<C: AsRef<str>>(cells: impl IntoIterator<Item = C>) -> String {
    let mut text = "|".to_owned();
    for cell in cells {
        if !cell.as_ref().is_empty() {
            text.push(' ');
            text.push_str(cell.as_ref());
        }
        text.push_str(" |");
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_headings_rule_and_rows() {
        let table = table(["", "a"], [["x", "1"], ["y", ""]]);
        assert_eq!(table, "| | a |\n|---|---|\n| x | 1 |\n| y | |\n");
    }
}
