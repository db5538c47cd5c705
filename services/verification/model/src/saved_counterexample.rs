//! Counterexamples kept in files, which a test replays in milliseconds.

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::action::Action;
use crate::describe::describe;
use crate::explore::{Counterexample, run_to_quiet};
use crate::model::Delivery;
use crate::promise::Promise;
use crate::rule::Rule;
use crate::scope::{self, Scope};

/// A path that breaks a promise if a rule is left out, or that did before the core was corrected.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedCounterexample {
    /// The scope's name.
    pub scope: String,
    /// The rule that is left out, or `None` if the core itself was wrong.
    pub without: Option<Rule>,
    /// The promise that the path breaks or broke.
    pub breaks: Promise,
    /// The steps, described for people.
    pub trace: Vec<String>,
    /// The steps, with those that a reduced scope takes by itself.
    pub actions: Vec<Action>,
}

impl SavedCounterexample {
    /// Makes a counterexample ready to be saved.
    ///
    /// # Errors
    /// The real edge refuses one of the scope's devices.
    pub fn new(scope: Scope, without: Option<Rule>, found: &Counterexample) -> anyhow::Result<Self> {
        let model = Delivery::new(scope, without)?;
        let mut actions = Vec::new();
        let mut state = model.start();
        for action in &found.actions {
            state = model.apply_with(&state, *action, |_, action| actions.push(action));
        }
        let trace = describe(&model, &found.actions);
        Ok(Self { scope: scope.name.to_owned(), without, breaks: found.promise, trace, actions })
    }

    /// Replays the path without its rule and returns the first promise broken. Every step must be possible.
    ///
    /// # Errors
    /// The scope does not exist, or a step is not possible.
    pub fn replay(&self) -> anyhow::Result<Option<Promise>> {
        self.replay_in(self.without, false)
    }

    /// Replays the path with all rules, then takes spontaneous steps until the state is quiet, and returns
    /// the first promise broken. Steps that are not possible are skipped.
    ///
    /// # Errors
    /// The scope does not exist.
    pub fn replay_with_all_rules(&self) -> anyhow::Result<Option<Promise>> {
        self.replay_in(None, true)
    }

    fn replay_in(&self, without: Option<Rule>, has_all_rules: bool) -> anyhow::Result<Option<Promise>> {
        let scope = scope::named(&self.scope).with_context(|| format!("no scope {:?}", self.scope))?;
        // The path has every step, so none may be taken at once.
        let scope = Scope { reduced: false, symmetric: false, ..scope };
        let model = Delivery::new(scope, without)?;
        let mut state = model.start();
        let mut enabled = Vec::new();
        for action in &self.actions {
            model.enabled(&state, &mut enabled);
            if enabled.contains(action) {
                state = model.apply(&state, *action);
            } else {
                ensure!(has_all_rules, "{action:?} is not possible");
            }
            if let Some(promise) = Promise::broken(&model, &state) {
                return Ok(Some(promise));
            }
        }
        Ok(if has_all_rules { run_to_quiet(&model, state, &mut Vec::new()) } else { None })
    }
}
