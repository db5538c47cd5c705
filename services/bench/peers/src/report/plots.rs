//! Bar charts of metrics by system, as SVG.

use anyhow::Context as _;
use bench_kit::plot::{FONT, HIGHLIGHT, INK, MUTED, drawing_error};
use bench_kit::{Plot, Spread, number};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::rows::ROWS;
use crate::results::{Results, spread, systems};
use crate::systems::System;

// Sizes in pixels.
const WIDTH: i32 = 760;
const ROW: i32 = 26;
const HEAD: i32 = 40;
/// Width of the names before the bars.
const NAMES: i32 = 160;
/// Width of the number behind the longest bar.
const NUMBERS: i32 = 90;

/// Draws a plot for each row that has one and was measured on more than one system.
pub(super) fn plots(results: &Results) -> anyhow::Result<Vec<Plot>> {
    let mut plots = Vec::new();
    let mut group = "";
    for row in ROWS {
        let label = row.label.trim_start_matches("… ");
        if !row.label.starts_with('…') {
            group = label.split(", ").next().unwrap_or(label);
        }
        let Some(name) = row.plot else { continue };
        let bar = |system: System| Some((system, spread(results, (system, row.metric))?.scaled(row.factor)));
        let bars: Vec<_> = systems(results).into_iter().filter_map(bar).collect();
        if bars.len() > 1 {
            let title =
                if row.label.starts_with('…') { format!("{group}: {label}") } else { label.to_owned() };
            let svg = draw(&title, &bars).with_context(|| format!("can't draw the plot {name}"))?;
            plots.push(Plot { title, file: format!("peers-{name}.svg"), svg });
        }
    }
    Ok(plots)
}

fn draw(title: &str, bars: &[(System, Spread)]) -> anyhow::Result<String> {
    let mut svg = String::new();
    let height = HEAD + ROW * i32::try_from(bars.len()).context("too many bars")? + 10;
    let most = bars.iter().map(|(_, spread)| spread.max).fold(f64::MIN_POSITIVE, f64::max);
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH.unsigned_abs(), height.unsigned_abs()))
            .into_drawing_area();
        area.fill(&WHITE).map_err(drawing_error)?;
        let text = |size: i32| (FONT, size).into_font().color(&INK);
        area.draw(&Text::new(title.to_owned(), (10, 12), text(16))).map_err(drawing_error)?;
        #[allow(clippy::cast_possible_truncation, reason = "a position within the picture")]
        let x = |value: f64| NAMES + (f64::from(WIDTH - NAMES - NUMBERS) * value / most) as i32;
        for ((system, spread), row) in bars.iter().zip(0_i32..) {
            let middle = HEAD + ROW * row + ROW / 2;
            let colour = match system {
                System::Tidings | System::TidingsAcked => HIGHLIGHT,
                _ => MUTED,
            };
            let right = text(13).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(system.name(), (NAMES - 8, middle), right)).map_err(drawing_error)?;
            let bar = [(NAMES, middle - 8), (x(spread.median).max(NAMES + 1), middle + 8)];
            area.draw(&Rectangle::new(bar, colour.filled())).map_err(drawing_error)?;
            let whisker = [(x(spread.min), middle), (x(spread.max), middle)];
            area.draw(&PathElement::new(whisker, INK.stroke_width(1))).map_err(drawing_error)?;
            for end in [spread.min, spread.max] {
                let end = [(x(end), middle - 4), (x(end), middle + 4)];
                area.draw(&PathElement::new(end, INK.stroke_width(1))).map_err(drawing_error)?;
            }
            let left = text(13).pos(Pos::new(HPos::Left, VPos::Center));
            let number = Text::new(number(spread.median), (x(spread.max) + 6, middle), left);
            area.draw(&number).map_err(drawing_error)?;
        }
        area.present().map_err(drawing_error)?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::example;

    #[test]
    fn every_system_has_a_bar() {
        let plots = plots(&example()).unwrap();
        let [plot] = plots.as_slice() else { panic!("{plots:?}") };
        assert_eq!(plot.file, "peers-online.svg");
        for text in ["online, unthrottled", "tidings", "baseline", "200", "500"] {
            assert!(plot.svg.contains(text), "{text}");
        }
        assert_eq!(plot.svg.matches("<rect").count(), 3);
    }
}
