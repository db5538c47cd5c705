//! What a deployment costs on AWS in a month.
//!
//! A [`Load`] says who is connected and what is sent. [`bill`] multiplies it with the calls of each path, which
//! [`paths`] has and the cost test of the functions counts at an endpoint, and with the list prices in [`prices`].
//! Nothing here reads a file or the clock.

mod bill;
mod load;
pub mod paths;
pub mod prices;

pub use bill::{Bill, Line, bill};
pub use load::{BadLoad, Door, Load};
