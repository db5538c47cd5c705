//! Calls of the functions on each path.
//!
//! The test `calculator_counts_what_the_functions_call` in `services/verification/acceptance/aws` counts them at an
//! endpoint, with a payload that fits one unit everywhere.

/// Calls for one notification, connection or heartbeat, without those of producers and of Lambda's event source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Calls {
    /// Messages to and from the client.
    pub messages: f64,
    /// Read units of `DynamoDB`.
    pub reads: f64,
    /// Write units of `DynamoDB`.
    pub writes: f64,
    /// Requests to the queue.
    pub queue: f64,
    /// Requests to the key.
    pub keys: f64,
    /// Invocations, but for the dispatcher's.
    pub invocations: f64,
    /// Batches of the queue that the path adds for the dispatcher.
    pub batches: f64,
}

const NONE: Calls =
    Calls { messages: 0.0, reads: 0.0, writes: 0.0, queue: 0.0, keys: 0.0, invocations: 0.0, batches: 0.0 };

/// A notification for a connected user whose connection does not acknowledge.
pub const PUSHED: Calls = Calls { messages: 1.0, reads: 2.0, ..NONE };
/// A notification for a connected user who acknowledges each by itself.
pub const ACKNOWLEDGED: Calls = Calls { messages: 3.0, reads: 3.0, writes: 2.0, invocations: 1.0, ..NONE };
/// A notification that is held, and replayed when its user connects. The connection pays for the replayer.
pub const HELD: Calls = Calls { messages: 1.0, reads: 4.0, writes: 2.0, queue: 1.0, batches: 1.0, ..NONE };
/// The same for a user whose client acknowledges each by itself.
pub const HELD_ACKNOWLEDGED: Calls =
    Calls { messages: 3.0, reads: 5.0, writes: 3.0, queue: 1.0, invocations: 1.0, batches: 1.0, ..NONE };
/// A connection with a connect token, from the token to its end, while the functions have a data key.
pub const CONNECTION: Calls = Calls { writes: 4.0, reads: 3.0, invocations: 5.0, ..NONE };
/// A heartbeat of a client with its answer.
pub const HEARTBEAT: Calls = Calls { messages: 2.0, invocations: 1.0, ..NONE };
