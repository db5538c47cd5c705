//! What was found out about a curve by profiles and counts, and nothing that was not.

use crate::curves::Curve;

/// It in Markdown; nothing where nothing was found out.
pub(crate) const fn about(curve: Curve) -> Option<&'static str> {
    match curve {
        Curve::Users | Curve::Backlog | Curve::Stored | Curve::Payload | Curve::Devices | Curve::Hub => None,
    }
}
