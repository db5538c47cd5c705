//! Stories kept in files, to be gone through again in milliseconds.

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::check::come_to_rest;
use crate::{Action, Counterexample, Delivery, Promise, Rule, Scope, scope, tell};

/// A story that breaks a promise where a rule is left out, or did before the core was corrected.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SavedStory {
    /// The scope's name.
    pub scope: String,
    /// The rule that is left out; none if the core itself was wrong.
    pub without: Option<Rule>,
    /// The promise that is, or was, broken.
    pub breaks: Promise,
    /// What happens, for people.
    pub story: Vec<String>,
    /// What happens: every single step.
    pub actions: Vec<Action>,
}

impl SavedStory {
    /// A counterexample, to be kept.
    ///
    /// # Errors
    /// The real edge does not admit one of the scope's devices.
    pub fn new(scope: Scope, without: Option<Rule>, found: &Counterexample) -> anyhow::Result<Self> {
        let model = Delivery::new(scope, without)?;
        let mut actions = Vec::new();
        let mut world = model.start();
        for action in &found.actions {
            world = model.apply_telling(&world, *action, |_, action| actions.push(action));
        }
        let story = tell(&model, &found.actions);
        Ok(Self { scope: scope.name.to_owned(), without, breaks: found.promise, story, actions })
    }

    /// Goes through the story, with its rule left out or, if `whole`, with all rules, and gives the first
    /// promise broken. What is not possible is passed over, unless the rule is left out: then all must be.
    /// With all rules the world is brought to rest at the end, and everything has to be in order.
    ///
    /// # Errors
    /// There is no such scope, or a step is not possible though its rule is left out.
    pub fn replay(&self, whole: bool) -> anyhow::Result<Option<Promise>> {
        let scope = scope::named(&self.scope).with_context(|| format!("no scope {:?}", self.scope))?;
        // Every step is in the story, and none is taken for granted.
        let scope = Scope { reduced: false, symmetric: false, ..scope };
        let without = self.without.filter(|_| !whole);
        let model = Delivery::new(scope, without)?;
        let mut world = model.start();
        let mut enabled = Vec::new();
        for action in &self.actions {
            model.enabled(&world, &mut enabled);
            if enabled.contains(action) {
                world = model.apply(&world, *action);
            } else {
                ensure!(whole, "{action:?} is not possible");
            }
            if let Some(promise) = Promise::broken(&model, &world) {
                return Ok(Some(promise));
            }
        }
        Ok(if whole { come_to_rest(&model, world, &mut Vec::new()) } else { None })
    }
}
