//! Lines on logarithmic scales, as SVG.

use anyhow::Context as _;
use bench_kit::plot::{FONT, INK, OURS, THEIRS, fail};
use bench_kit::{Plot, Spread, number};
use plotters::prelude::*;

use super::figures::{About, Figure, about};
use crate::curves::Curve;
use crate::results::Results;

const SIZE: (u32, u32) = (760, 320);
const LABELS: u32 = 56;
const MARGIN: u32 = 10;
/// Room for the half of the last label.
const RIGHT: u32 = 40;
/// Room for the names of the lines above them, as a part of the highest.
const NAMES: f64 = 1.5;
/// Colours of the lines, in turn.
const LINES: [RGBColor; 5] =
    [OURS, RGBColor(0xd0, 0x6a, 0x1e), RGBColor(0x3a, 0x8f, 0x4d), RGBColor(0x8a, 0x4f, 0xa8), THEIRS];

/// What is shown in one plot: figures with the same end of their names.
const KINDS: [(&str, &str); 6] = [
    (".cpuMicros", "server CPU of a notification, µs"),
    (".cpuMicrosPerKib", "server CPU of a KiB, µs"),
    (".cpuMicrosPerPush", "server CPU of a push, µs"),
    (".rssBytes", "server memory, MiB"),
    (".diskBytes", "on disk, MB"),
    (".readySeconds", "ready after its start, s"),
];

/// A line: its name, its points, and by what they are multiplied.
type Line = (String, Vec<(u32, Spread)>, f64);

/// What the names of a curve's plots begin with.
pub(crate) fn prefix(curve: Curve) -> String {
    format!("scaling-{}-", curve.name())
}

/// Those of all curves with more than one point.
pub(crate) fn plots(results: &Results) -> anyhow::Result<Vec<Plot>> {
    let mut plots = Vec::new();
    for curve in results.curves() {
        let About { title, input, figures } = about(curve);
        for (end, kind) in KINDS {
            let line = |figure: &Figure| (name(figure.key), results.along(curve, figure.key), figure.factor);
            let of_kind = figures.iter().filter(|figure| figure.key.ends_with(end)).map(line);
            let lines: Vec<Line> = of_kind.filter(|(_, along, _)| along.len() > 1).collect();
            if lines.is_empty() {
                continue;
            }
            let title = format!("{title}: {kind}");
            let file = format!("{}{}.svg", prefix(curve), end.trim_start_matches('.').to_lowercase());
            let svg = draw(&title, input, &lines).with_context(|| format!("{file} could not be drawn"))?;
            plots.push(Plot { title, file, svg });
        }
    }
    Ok(plots)
}

fn name(key: &str) -> String {
    key.split('.').next().unwrap_or(key).to_owned()
}

fn draw(title: &str, input: &str, lines: &[Line]) -> anyhow::Result<String> {
    let points = || lines.iter().flat_map(|(_, along, factor)| along.iter().map(move |one| (one, factor)));
    let inputs = || points().map(|((input, _), _)| f64::from(*input));
    let (first, last) = (inputs().fold(f64::INFINITY, f64::min), inputs().fold(1.0, f64::max));
    let most = points().map(|((_, spread), factor)| spread.max * factor).fold(f64::MIN_POSITIVE, f64::max);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
        area.fill(&WHITE).map_err(|error| fail(&error))?;
        let text = |size: i32| (FONT, size).into_font().color(&INK);
        let mut chart = ChartBuilder::on(&area)
            .margin(MARGIN)
            .margin_right(RIGHT)
            .caption(title, text(16))
            .x_label_area_size(LABELS * 2 / 3)
            .y_label_area_size(LABELS)
            .build_cartesian_2d((first..last).log_scale(), 0.0..most * NAMES)
            .map_err(|error| fail(&error))?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .x_desc(input)
            .x_label_formatter(&|at| number(*at))
            .y_label_formatter(&|at| number(*at))
            .label_style(text(12))
            .draw()
            .map_err(|error| fail(&error))?;
        for ((name, along, factor), colour) in lines.iter().zip(LINES.iter().cycle()) {
            let place = |(input, spread): &(u32, Spread)| (f64::from(*input), spread.median * factor);
            let series = LineSeries::new(along.iter().map(place), colour.stroke_width(2)).point_size(3);
            chart
                .draw_series(series)
                .map_err(|error| fail(&error))?
                .label(name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], colour.stroke_width(2)));
            let whisker = |(input, spread): &(u32, Spread)| {
                let ends = [spread.min, spread.max].map(|end| (f64::from(*input), end * factor));
                PathElement::new(ends, INK.stroke_width(1))
            };
            chart.draw_series(along.iter().map(whisker)).map_err(|error| fail(&error))?;
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .background_style(WHITE.mix(0.8))
            .label_font(text(12))
            .draw()
            .map_err(|error| fail(&error))?;
        area.present().map_err(|error| fail(&error))?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::example;

    #[test]
    fn every_curve_has_its_lines() {
        let plots = plots(&example()).unwrap();
        let [plot] = plots.as_slice() else { panic!("{plots:?}") };
        assert_eq!(plot.file, "scaling-users-cpumicros.svg");
        for text in ["server CPU of a notification", "online", "<polyline"] {
            assert!(plot.svg.contains(text), "{text}\n{}", plot.svg);
        }
    }
}
