//! Style and errors of plots.

use std::fmt::Display;

use plotters::style::RGBColor;

/// Font family of all text.
pub const FONT: &str = "sans-serif";
/// Colour of text and thin lines.
pub const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
/// Colour of Tidings.
pub const HIGHLIGHT: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
/// Colour of everything else.
pub const MUTED: RGBColor = RGBColor(0xa8, 0xb4, 0xc0);

/// A finished plot.
#[derive(Debug, Clone)]
pub struct Plot {
    /// Title, also used as the image's alternative text.
    pub title: String,
    /// Name of its file.
    pub file: String,
    /// Content of its file.
    pub svg: String,
}

/// Converts an error of `plotters`, whose type depends on the backend.
pub fn drawing_error(error: impl Display) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}
