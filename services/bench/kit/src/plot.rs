//! What plots have in common.

use std::fmt::Display;

use plotters::style::RGBColor;

/// The fonts' family.
pub const FONT: &str = "sans-serif";
/// Text and thin lines.
pub const INK: RGBColor = RGBColor(0x33, 0x33, 0x33);
/// What is Tidings'.
pub const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
/// What is not.
pub const THEIRS: RGBColor = RGBColor(0xa8, 0xb4, 0xc0);

/// A file.
#[derive(Debug, Clone)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// Its name.
    pub file: String,
    /// What is in it.
    pub svg: String,
}

/// A plotter's error, which is none of ours.
pub fn fail(error: &dyn Display) -> anyhow::Error {
    anyhow::anyhow!("{error}")
}
