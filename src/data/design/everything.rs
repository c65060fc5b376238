//! What `.` stands for: the columns of the frame that have no other role.

use crate::data::formula::{Factor, MOST_TERMS, ParsedFormula, Term};
use crate::data::frame::Frame;
use crate::error::{Error, Result};
use std::collections::BTreeSet;

/// The exogenous terms with `.` replaced by the columns it stands for.
pub(super) fn expand(formula: &ParsedFormula, frame: &Frame) -> Result<Vec<Term>> {
    if !formula.exogenous().iter().any(Term::has_everything) {
        return Ok(formula.exogenous().to_vec());
    }
    for name in formula.variables() {
        frame.column(&name)?;
    }
    let reserved = formula.reserved();
    let everything: Vec<Term> = frame
        .names()
        .iter()
        .filter(|name| !reserved.contains(*name))
        .map(|name| Term::main(Factor::Column(name.clone())))
        .collect();
    let removed: BTreeSet<String> = formula.removed().iter().map(Term::key).collect();
    let written: BTreeSet<String> = formula.exogenous().iter().map(Term::key).collect();
    let mut seen = BTreeSet::new();
    let mut terms = Vec::new();
    for term in formula.exogenous() {
        for term in replace(term, &everything, formula)? {
            let key = term.key();
            if (written.contains(&key) || !removed.contains(&key)) && seen.insert(key) {
                terms.push(term);
            }
        }
    }
    terms.sort_by_key(|term| term.factors.len());
    Ok(terms)
}

/// A term once for each column, or combination of columns, that its `.` stands for.
fn replace(term: &Term, everything: &[Term], formula: &ParsedFormula) -> Result<Vec<Term>> {
    let mut terms = vec![Term {
        factors: Vec::new(),
    }];
    for factor in &term.factors {
        let main = [Term::main(factor.clone())];
        let choices = match factor {
            Factor::Everything => everything,
            _ => &main,
        };
        let mut seen = BTreeSet::new();
        terms = terms
            .iter()
            .flat_map(|term| choices.iter().map(|choice| term.times(choice)))
            .filter(|term| seen.insert(term.key()))
            .take(MOST_TERMS + 1)
            .collect();
        if terms.len() > MOST_TERMS {
            return Err(Error::Formula {
                formula: formula.to_string(),
                position: 0,
                message: format!(
                    "`{term}` stands for more than {MOST_TERMS} products; name the columns you mean"
                ),
            });
        }
    }
    Ok(terms)
}
