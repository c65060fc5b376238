//! Who is a person: rows with weight, group and regressors, and at least one answer.

use super::responses::Request;
use crate::data::{Design, Formula, Frame, Rows};
use crate::error::{Error, Result, Warning};
use crate::numeric::linalg::Cholesky;
use nalgebra::DMatrix;

/// The name of the column that stands for ability in its own regression; no formula of a user can spell it.
const ABILITY: &str = "(ability)";

/// Rows that a warning names before it stops listing them.
const NAMED_ROWS: usize = 5;

/// A regressor whose variance given the others is below this share of its own is a combination of them.
const COLLINEAR: f64 = 1e-10;

/// The rows that can be persons, with group and weight.
pub(super) struct People {
    pub(super) rows: Rows,
    pub(super) weights: Option<Vec<f64>>,
    pub(super) group: Vec<u32>,
    pub(super) levels: Vec<String>,
}

impl People {
    /// Rows with a weight, a group and regressors.
    pub(super) fn new(
        frame: &Frame,
        request: &Request<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self> {
        let also: Vec<&str> = request
            .weights
            .iter()
            .map(|w| w.column())
            .chain(request.group)
            .collect();
        let design = ability_design(frame, request.regressors.unwrap_or("1"), &also)?;
        let dropped = frame.rows() - design.rows.len();
        if dropped > 0 {
            warnings.push(Warning::RowsDropped {
                dropped,
                missing: design.missing.clone(),
            });
        }
        let rows = design.rows;
        let group = match request.group {
            Some(name) => rows.gather(&frame.groups(name)?.codes),
            None => vec![0; rows.len()],
        };
        let mut people = Self {
            weights: request.weights.map(|w| w.read(frame, &rows)).transpose()?,
            levels: vec![],
            group,
            rows,
        };
        if let Some(w) = &people.weights
            && w.iter().any(|w| *w <= 0.0)
        {
            let keep: Vec<bool> = w.iter().map(|w| *w > 0.0).collect();
            people.keep(&keep);
            if people.rows.is_empty() {
                return Err(Error::NoRows {
                    reason: "all weights are zero".to_owned(),
                });
            }
        }
        people.levels = match request.group {
            None => vec![String::new()],
            Some(name) => {
                let used = frame.groups(name)?.over(&people.rows);
                people.group = used.codes.to_vec();
                used.levels.to_vec()
            }
        };
        Ok(people)
    }

    fn keep(&mut self, keep: &[bool]) {
        self.rows = self.rows.retain(keep);
        let mut flags = keep.iter();
        self.group
            .retain(|_| flags.next().copied().unwrap_or(false));
        if let Some(w) = &mut self.weights {
            let mut flags = keep.iter();
            w.retain(|_| flags.next().copied().unwrap_or(false));
        }
    }

    /// Leaves out those who answered nothing, with a warning that names their rows.
    pub(super) fn drop_unanswered(
        &mut self,
        raw: &[Vec<f64>],
        warnings: &mut Vec<Warning>,
    ) -> Result<()> {
        let keep: Vec<bool> = (0..self.rows.len())
            .map(|i| raw.iter().any(|v| !v[self.rows.index(i)].is_nan()))
            .collect();
        let silent: Vec<String> = (0..keep.len())
            .filter(|i| !keep[*i])
            .map(|i| (self.rows.index(i) + 1).to_string())
            .collect();
        if silent.is_empty() {
            return Ok(());
        }
        self.keep(&keep);
        if self.rows.is_empty() {
            return Err(Error::NoRows {
                reason: "no person answered any item".to_owned(),
            });
        }
        let more = silent.len().saturating_sub(NAMED_ROWS);
        let tail = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        warnings.push(Warning::Note {
            message: format!(
                "{} persons left out who answered no item (row {}{tail}): they say nothing of the items",
                silent.len(),
                silent[..silent.len().min(NAMED_ROWS)].join(", ")
            ),
        });
        Ok(())
    }
}

/// The regression of ability as a design.
fn ability_design(frame: &Frame, right: &str, also: &[&str]) -> Result<Design> {
    let formula: Formula = Formula::outcome(ABILITY).term(right).into();
    let parsed = formula.parse()?;
    let with_outcome = frame.clone().with(ABILITY, vec![0.0; frame.rows()])?;
    let design = Design::build(&parsed, &with_outcome, also)?;
    let refused = [
        (!design.endogenous.is_empty(), "an instrumental part"),
        (!design.fixed_effects.is_empty(), "fixed effects"),
    ];
    match refused.iter().find(|(refuse, _)| *refuse) {
        Some((_, what)) => Err(Error::invalid_option(
            "regressors of ability",
            right,
            format!("without {what}"),
        )),
        None => Ok(design),
    }
}

/// The regressors of ability, those that the data cannot tell apart left out.
#[derive(Default)]
pub(super) struct Regressors {
    pub(super) names: Vec<String>,
    pub(super) columns: Vec<Vec<f64>>,
}

impl Regressors {
    pub(super) fn new(
        frame: &Frame,
        right: Option<&str>,
        rows: &Rows,
        warnings: &mut Vec<Warning>,
    ) -> Result<Self> {
        let Some(right) = right else {
            return Ok(Self::default());
        };
        let design = ability_design(frame, right, &[])?;
        let all: Vec<(String, Vec<f64>)> = design
            .exogenous
            .iter()
            .map(|c| (c.name.clone(), c.values(rows)))
            .collect();
        let constant = |x: &[f64]| x.iter().all(|v| v.total_cmp(&x[0]).is_eq());
        let (flat, vary): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, x)| constant(x));
        if !flat.is_empty() {
            warnings.push(Warning::Constant {
                columns: flat.into_iter().map(|(name, _)| name).collect(),
            });
        }
        let centred: Vec<Vec<f64>> = vary
            .iter()
            .map(|(_, x)| {
                let mean = x.iter().sum::<f64>() / x.len() as f64;
                x.iter().map(|v| v - mean).collect()
            })
            .collect();
        let cross = DMatrix::from_fn(vary.len(), vary.len(), |i, j| {
            centred[i].iter().zip(&centred[j]).map(|(a, b)| a * b).sum()
        });
        let factor = Cholesky::with_tolerance(&cross, COLLINEAR);
        if !factor.dropped().is_empty() {
            warnings.push(Warning::Collinear {
                columns: factor
                    .dropped()
                    .iter()
                    .map(|i| vary[*i].0.clone())
                    .collect(),
            });
        }
        let mut kept = Self::default();
        for i in factor.kept() {
            kept.names.push(vary[*i].0.clone());
            kept.columns.push(vary[*i].1.clone());
        }
        Ok(kept)
    }
}
