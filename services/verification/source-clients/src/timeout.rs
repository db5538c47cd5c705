//! The timeout of waits in tests.

use std::time::Duration;

/// Time after which a test gives up waiting. No test passes or fails by a wait that is shorter.
pub const TIMEOUT: Duration = Duration::from_mins(2);
