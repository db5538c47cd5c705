//! What the fuzz targets have in common.

mod notification;
mod text;

pub use notification::{AnyNotification, Identifier};
pub use shared_telemetry::chain;
pub use text::{json_members, require_bounded, require_hidden};
