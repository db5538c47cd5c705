//! The `version` field of version 1 contracts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Version described by this crate, as written in the `version` field.
pub const VERSION: u32 = 1;

/// The number 1. A value with another `version` does not deserialize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(with = "u32", extend("const" = 1))]
pub struct Version1;

/// A contract version that this build does not support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("version {found} is unknown; known is version {VERSION}")]
pub struct UnknownVersion {
    /// The version found.
    pub found: u32,
}

impl TryFrom<u32> for Version1 {
    type Error = UnknownVersion;

    fn try_from(found: u32) -> Result<Self, Self::Error> {
        if found == VERSION { Ok(Self) } else { Err(UnknownVersion { found }) }
    }
}

impl From<Version1> for u32 {
    fn from(_: Version1) -> Self {
        VERSION
    }
}
