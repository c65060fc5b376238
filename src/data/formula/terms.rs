//! Terms while they are read: sums without repetition, and the check that no variable has two roles.

use super::ast::{Effect, Expression, Factor, Term};
use super::lexer::Fault;
use std::collections::BTreeSet;

/// More terms than this come from a slip such as a high power of a long sum, and would exhaust memory.
pub(crate) const MOST_TERMS: usize = 20_000;

/// Products of more factors than this are slips.
pub(super) const MOST_FACTORS: usize = 20;

/// Terms without repetition, each with its position.
#[derive(Clone, Default)]
pub(super) struct Terms {
    pub(super) list: Vec<(Term, usize)>,
    keys: BTreeSet<String>,
}

impl Terms {
    pub(super) fn one(factor: Factor, position: usize) -> Self {
        let mut terms = Self::default();
        terms.add(Term::main(factor), position);
        terms
    }

    pub(super) fn add(&mut self, term: Term, position: usize) {
        if self.keys.insert(term.key()) {
            self.list.push((term, position));
        }
    }

    /// Removes the terms of these keys and returns which of the keys were there.
    pub(super) fn remove(&mut self, keys: &BTreeSet<String>) -> BTreeSet<String> {
        let found: BTreeSet<String> = self.keys.intersection(keys).cloned().collect();
        if !found.is_empty() {
            self.keys.retain(|key| !found.contains(key));
            self.list.retain(|(term, _)| !found.contains(&term.key()));
        }
        found
    }

    pub(super) fn extend(&mut self, other: Self) {
        for (term, position) in other.list {
            self.add(term, position);
        }
    }

    /// Every term of the one with every term of the other. `work` counts the products of the whole formula.
    pub(super) fn cross(
        &self,
        other: &Self,
        position: usize,
        work: &mut usize,
    ) -> Result<Self, Fault> {
        let products = self.list.len().saturating_mul(other.list.len());
        // a single product is as long as its text, so it needs no bound and canonical text always parses again
        *work = work.saturating_add(if products > 1 { products } else { 0 });
        if *work > MOST_TERMS {
            return Fault::at(
                position,
                format!("more than {MOST_TERMS} products of terms; write the ones you mean"),
            );
        }
        let mut terms = Self::default();
        for (left, at) in &self.list {
            for (right, _) in &other.list {
                let product = left.times(right);
                if product.factors.len() > MOST_FACTORS {
                    return Fault::at(
                        position,
                        format!("a product of more than {MOST_FACTORS} factors"),
                    );
                }
                terms.add(product, *at);
            }
        }
        Ok(terms)
    }

    pub(super) fn has_everything(&self) -> bool {
        self.list.iter().any(|(term, _)| term.has_everything())
    }

    /// Main effects before interactions, otherwise as written (the order of R's `terms`).
    pub(super) fn sorted(mut self) -> Vec<(Term, usize)> {
        self.list.sort_by_key(|(term, _)| term.factors.len());
        self.list
    }
}

/// A sum of terms with what it says about the constant and about terms taken out of `.`.
#[derive(Default)]
pub(super) struct Sum {
    pub(super) terms: Terms,
    pub(super) removed: Terms,
    pub(super) intercept: Option<bool>,
}

impl Sum {
    /// Removes terms from a sum. What may be behind `.` is remembered until the frame is known.
    pub(super) fn take_out(&mut self, terms: Terms, nested: bool) -> Result<(), Fault> {
        let everything = self.terms.has_everything();
        let found = self.terms.remove(&terms.keys);
        for (term, position) in terms.list {
            if term == Term::main(Factor::Everything) {
                return Fault::at(position, "`.` cannot be removed");
            }
            if !everything && !found.contains(&term.key()) {
                return Fault::at(
                    position,
                    format!("there is no `{term}` before it to remove"),
                );
            }
            if everything && nested {
                return Fault::at(
                    position,
                    "terms are taken out of `.` outside parentheses only",
                );
            }
            if everything {
                self.removed.add(term, position);
            }
        }
        Ok(())
    }

    /// Adds terms, also those that were taken out before.
    pub(super) fn put_in(&mut self, terms: Terms) {
        self.removed.remove(&terms.keys);
        self.terms.extend(terms);
    }
}

/// The last part of a formula, each term with its position.
#[derive(Default)]
pub(super) struct Instrumented {
    pub(super) endogenous: Vec<(Term, usize)>,
    pub(super) instruments: Vec<(Term, usize)>,
}

/// No variable may have two roles.
pub(super) fn check_roles(
    outcome: &Expression,
    exogenous: &[(Term, usize)],
    effects: &[(Effect, usize)],
    endogenous: &[(Term, usize)],
    instruments: &[(Term, usize)],
) -> Result<(), Fault> {
    let outcome = match outcome {
        Expression::Column(column) => Factor::Column(column.clone()),
        other => Factor::Computed(other.clone()),
    };
    let groups = [
        (exogenous, "a regressor"),
        (endogenous, "an endogenous regressor"),
        (instruments, "an instrument"),
    ];
    for (terms, role) in groups {
        for (term, position) in terms {
            let factor = match term.factors.as_slice() {
                [Factor::Computed(Expression::Column(column))] => Factor::Column(column.clone()),
                [factor] => factor.clone(),
                _ => continue,
            };
            if factor == outcome {
                return Fault::at(
                    *position,
                    format!("`{term}` is the outcome and cannot also be {role}"),
                );
            }
        }
    }
    for (effect, position) in effects {
        if effect
            .columns
            .iter()
            .any(|c| Factor::Column(c.clone()) == outcome)
        {
            return Fault::at(
                *position,
                format!("`{effect}` is the outcome and cannot also be a fixed effect"),
            );
        }
    }
    let keys = |terms: &[(Term, usize)]| -> BTreeSet<String> {
        terms.iter().map(|(term, _)| term.key()).collect()
    };
    let (exogenous, endogenous_keys) = (keys(exogenous), keys(endogenous));
    for (term, position) in endogenous {
        if exogenous.contains(&term.key()) {
            return Fault::at(
                *position,
                format!("`{term}` is endogenous here and exogenous before; list it once"),
            );
        }
    }
    for (term, position) in instruments {
        if endogenous_keys.contains(&term.key()) {
            return Fault::at(
                *position,
                format!(
                    "`{term}` cannot be its own instrument; if it is exogenous, list it with the regressors"
                ),
            );
        }
        if exogenous.contains(&term.key()) {
            return Fault::at(
                *position,
                format!(
                    "`{term}` is already a regressor; only variables left out of the outcome equation can be instruments"
                ),
            );
        }
    }
    Ok(())
}
