//! Names that no other scenario has.

/// Adds a random suffix to a name, because scenarios share gateways.
pub fn unique(name: &str) -> String {
    format!("{name}-{}", uuid::Uuid::new_v4().simple())
}
