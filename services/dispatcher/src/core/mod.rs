//! The dispatcher's decisions, without IO and without a clock.
//!
//! [`batch`] turns what a queue delivered into runs, [`run`] decides what becomes of one run, [`frames`]
//! what goes into one WebSocket frame, and [`visibility`] when a failed entry is tried again. Nothing about
//! order or loss is decided anywhere else.

pub mod batch;
pub mod frames;
pub mod run;
pub mod visibility;
