//! Line charts of metrics along a sweep, with a logarithmic scale of inputs, as SVG.

use anyhow::Context as _;
use bench_kit::plot::{FONT, HIGHLIGHT, INK, MUTED, drawing_error};
use bench_kit::{Plot, Spread, number};
use plotters::prelude::*;

use super::rows::{Row, SweepTable, sweep_table};
use crate::results::{Results, along, sweeps};
use crate::sweep::Sweep;

/// Width and height in pixels.
const SIZE: (u32, u32) = (760, 320);
const LABELS: u32 = 56;
const MARGIN: u32 = 10;
/// Right margin, wide enough for half of the last label.
const RIGHT: u32 = 40;
/// Height of the chart, as a multiple of the largest value. The legend is above the lines.
const HEADROOM: f64 = 1.5;
/// Colours of the lines, in turn.
const COLOURS: [RGBColor; 5] =
    [HIGHLIGHT, RGBColor(0xd0, 0x6a, 0x1e), RGBColor(0x3a, 0x8f, 0x4d), RGBColor(0x8a, 0x4f, 0xa8), MUTED];

/// The plots of each sweep: the ending of the metrics in it, and its title.
const KINDS: [(&str, &str); 6] = [
    (".cpuMicros", "server CPU for a notification, µs"),
    (".cpuMicrosPerKib", "server CPU for a KiB, µs"),
    (".cpuMicrosPerPush", "server CPU for a push, µs"),
    (".rssBytes", "server memory, MiB"),
    (".diskBytes", "on disk, MB"),
    (".readySeconds", "time from start to ready, s"),
];

/// A line of a plot, in the plot's unit.
struct Line {
    name: String,
    points: Vec<(f64, Spread)>,
}

impl Line {
    /// Takes the line of a row, which is named after the activity.
    fn of(results: &Results, sweep: Sweep, row: &Row) -> Self {
        let name = row.metric.split('.').next().unwrap_or(row.metric).to_owned();
        let points = along(results, sweep, row.metric).into_iter();
        let points = points.map(|(input, spread)| (f64::from(input), spread.scaled(row.factor))).collect();
        Self { name, points }
    }
}

/// Returns the beginning of the file names of a sweep's plots.
pub(super) fn file_prefix(sweep: Sweep) -> String {
    format!("scaling-{}-", sweep.name())
}

/// Draws the plots of all sweeps with more than one point.
pub(super) fn plots(results: &Results) -> anyhow::Result<Vec<Plot>> {
    let mut plots = Vec::new();
    for sweep in sweeps(results) {
        let SweepTable { title, input, rows } = sweep_table(sweep);
        for (ending, kind) in KINDS {
            let of_kind = rows.iter().filter(|row| row.metric.ends_with(ending));
            let lines = of_kind.map(|row| Line::of(results, sweep, row));
            let lines: Vec<_> = lines.filter(|line| line.points.len() > 1).collect();
            if lines.is_empty() {
                continue;
            }
            let title = format!("{title}: {kind}");
            let ending = ending.trim_start_matches('.').to_lowercase();
            let file = format!("{}{ending}.svg", file_prefix(sweep));
            let svg = draw(&title, input, &lines).with_context(|| format!("can't draw {file}"))?;
            plots.push(Plot { title, file, svg });
        }
    }
    Ok(plots)
}

fn draw(title: &str, input: &str, lines: &[Line]) -> anyhow::Result<String> {
    let points = || lines.iter().flat_map(|line| &line.points);
    let inputs = || points().map(|(input, _)| *input);
    let (first, last) = (inputs().fold(f64::INFINITY, f64::min), inputs().fold(1.0, f64::max));
    let most = points().map(|(_, spread)| spread.max).fold(f64::MIN_POSITIVE, f64::max);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(drawing_error)?;
        let text = |size: i32| (FONT, size).into_font().color(&INK);
        let mut chart = ChartBuilder::on(&area)
            .margin(MARGIN)
            .margin_right(RIGHT)
            .caption(title, text(16))
            .x_label_area_size(LABELS * 2 / 3)
            .y_label_area_size(LABELS)
            .build_cartesian_2d((first..last).log_scale(), 0.0..most * HEADROOM)
            .map_err(drawing_error)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc(input)
            .x_label_formatter(&|at| number(*at))
            .y_label_formatter(&|at| number(*at))
            .label_style(text(12))
            .draw()
            .map_err(drawing_error)?;
        for (Line { name, points }, colour) in lines.iter().zip(COLOURS.iter().cycle()) {
            let median = |(input, spread): &(f64, Spread)| (*input, spread.median);
            let series = LineSeries::new(points.iter().map(median), colour.stroke_width(2)).point_size(3);
            chart
                .draw_series(series)
                .map_err(drawing_error)?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
            let whisker = |(input, spread): &(f64, Spread)| {
                let ends = [spread.min, spread.max].map(|end| (*input, end));
                PathElement::new(ends, INK.stroke_width(1))
            };
            chart.draw_series(points.iter().map(whisker)).map_err(drawing_error)?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .label_font(text(12))
            .draw()
            .map_err(drawing_error)?;
        area.present().map_err(drawing_error)?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::example;

    #[test]
    fn every_sweep_has_its_lines() {
        let plots = plots(&example()).unwrap();
        let [plot] = plots.as_slice() else { panic!("{plots:?}") };
        assert_eq!(plot.file, "scaling-users-cpumicros.svg");
        for text in ["server CPU for a notification", "online", "<polyline"] {
            assert!(plot.svg.contains(text), "{text}\n{}", plot.svg);
        }
    }
}
