//! Bars, as SVG.

use anyhow::Context as _;
use bench_kit::plot::{FONT, INK, OURS, THEIRS, fail};
use bench_kit::{Plot, Spread, number};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::figures::FIGURES;
use crate::results::Results;
use crate::systems::System;

const WIDTH: i32 = 760;
const ROW: i32 = 26;
const HEAD: i32 = 40;
/// Room for names, and for numbers behind the longest bar.
const NAMES: i32 = 160;
const NUMBERS: i32 = 90;

/// One for each figure that is to be shown and was measured on more than one system.
pub(crate) fn plots(results: &Results) -> anyhow::Result<Vec<Plot>> {
    let mut plots = Vec::new();
    let mut group = "";
    for figure in FIGURES {
        let label = figure.label.trim_start_matches("… ");
        if !figure.label.starts_with('…') {
            group = label.split(", ").next().unwrap_or(label);
        }
        let Some(name) = figure.plot else { continue };
        let bar = |system: System| {
            let Spread { median, min, max } = results.spread(system, figure.key)?;
            let scaled = [median, min, max].map(|value| value * figure.factor);
            Some((system, Spread { median: scaled[0], min: scaled[1], max: scaled[2] }))
        };
        let bars: Vec<_> = results.systems().into_iter().filter_map(bar).collect();
        if bars.len() > 1 {
            let title =
                if figure.label.starts_with('…') { format!("{group}: {label}") } else { label.to_owned() };
            let svg = draw(&title, &bars).with_context(|| format!("the plot {name} could not be drawn"))?;
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
        area.fill(&WHITE).map_err(|error| fail(&error))?;
        let text = |size: i32| (FONT, size).into_font().color(&INK);
        area.draw(&Text::new(title.to_owned(), (10, 12), text(16))).map_err(|error| fail(&error))?;
        #[allow(clippy::cast_possible_truncation, reason = "a place within the picture")]
        let x = |value: f64| NAMES + (f64::from(WIDTH - NAMES - NUMBERS) * value / most) as i32;
        for ((system, spread), row) in bars.iter().zip(0_i32..) {
            let middle = HEAD + ROW * row + ROW / 2;
            let colour = match system {
                System::Tidings | System::TidingsAcked => OURS,
                _ => THEIRS,
            };
            let right = text(13).pos(Pos::new(HPos::Right, VPos::Center));
            area.draw(&Text::new(system.name(), (NAMES - 8, middle), right)).map_err(|error| fail(&error))?;
            let bar = [(NAMES, middle - 8), (x(spread.median).max(NAMES + 1), middle + 8)];
            area.draw(&Rectangle::new(bar, colour.filled())).map_err(|error| fail(&error))?;
            let whisker = [(x(spread.min), middle), (x(spread.max), middle)];
            area.draw(&PathElement::new(whisker, INK.stroke_width(1))).map_err(|error| fail(&error))?;
            for end in [spread.min, spread.max] {
                let end = [(x(end), middle - 4), (x(end), middle + 4)];
                area.draw(&PathElement::new(end, INK.stroke_width(1))).map_err(|error| fail(&error))?;
            }
            let left = text(13).pos(Pos::new(HPos::Left, VPos::Center));
            let number = Text::new(number(spread.median), (x(spread.max) + 6, middle), left);
            area.draw(&number).map_err(|error| fail(&error))?;
        }
        area.present().map_err(|error| fail(&error))?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::example;

    #[test]
    fn every_system_has_its_bar() {
        let plots = plots(&example()).unwrap();
        let [plot] = plots.as_slice() else { panic!("{plots:?}") };
        assert_eq!(plot.file, "peers-online.svg");
        for text in ["online, as many as possible", "tidings", "line", "200", "500"] {
            assert!(plot.svg.contains(text), "{text}");
        }
        assert_eq!(plot.svg.matches("<rect").count(), 3);
    }
}
