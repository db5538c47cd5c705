//! The `version` field of version 1 contracts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{UnknownVersion, VERSION};

/// The number 1, and no other: a value with another `version` does not deserialize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(with = "u32", extend("const" = 1))]
pub struct Version1;

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
