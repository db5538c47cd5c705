//! The model: a scope, the rule that is left out of it, and the machines that its states refer to.

use std::sync::Arc;
use std::time::Duration;

use dispatcher::core::run::{Limits, OpenConnection};

use crate::edge;
use crate::machines::Machines;
use crate::rule::Rule;
use crate::scope::Scope;

/// The model of delivery in one scope.
///
/// Modules above this one add its behaviour: `enabled` the possible actions, `step` and `dispatch` their
/// effects, `reduce` and `symmetry` the reduction of states.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub(crate) scope: Scope,
    pub(crate) without: Option<Rule>,
    /// The dispatcher's view of each device's connection.
    pub(crate) live: Vec<OpenConnection>,
    /// The real machines, shared by all threads.
    pub(crate) machines: Arc<Machines>,
}

impl Delivery {
    /// Makes the model of a scope, with all rules or `without` one.
    ///
    /// # Errors
    /// The real edge refuses one of the scope's devices.
    pub fn new(scope: Scope, without: Option<Rule>) -> anyhow::Result<Self> {
        let devices = (0..).zip(scope.devices);
        let live = devices.map(|(index, device)| edge::admitted(index, *device)).collect::<Result<_, _>>()?;
        Ok(Self { scope, without, live, machines: Arc::default() })
    }

    /// The limits of the dispatcher's runs.
    pub(crate) fn limits(&self) -> Limits {
        let mut limits = self.scope.limits;
        if self.without == Some(Rule::HandshakeGrace) {
            limits.grace = Duration::ZERO;
        }
        limits
    }
}
