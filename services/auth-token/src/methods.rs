//! The methods of authentication. Each module finds its credential in a handshake (`find`, `candidates`) and
//! verifies it (`authorize`).

pub(crate) mod hmac;
pub(crate) mod jwt;
pub(crate) mod open;
pub(crate) mod token;

use contract_identity_v1::Principal;
use contract_notifications_v1::Timestamp;

/// The identity that a credential proved.
pub(crate) struct Proven {
    /// The user.
    pub(crate) principal: Principal,
    /// Time at which the credential was issued, if it says so.
    pub(crate) issued_at: Option<Timestamp>,
    /// The credential's id, if it has one.
    pub(crate) token_id: Option<String>,
}
