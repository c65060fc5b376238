//! From the formulas of a funnel and a frame to its stages, customers and regressors.

use super::frailty::{Funnels, Kinds, Stage};
use super::{Funnel, Prepared};
use crate::data::{Design, DesignColumn, Formula, Frame, Rows};
use crate::error::{Error, Result};
use crate::experiment::funnel::Stages;
use crate::regression::influence::working_columns;
use crate::regression::likelihood::Index;
use crate::regression::linear::Weights;
use crate::regression::sample::Sample;
use std::cell::RefCell;

impl Funnel {
    /// Reads stages, regressors, customers and weights.
    pub(super) fn prepare(&self, frame: &Frame) -> Result<Prepared> {
        let parsed = self
            .stages
            .iter()
            .map(Formula::parse)
            .collect::<Result<Vec<_>>>()?;
        let mut names = Vec::new();
        for formula in &parsed {
            let name = formula.outcome().to_string();
            let name = name.trim_matches('`').to_owned();
            frame.column(&name)?;
            names.push(name);
        }
        let stages = Stages::read(&names, frame)?;
        let mut filled = frame.clone();
        for (name, passed) in names.iter().zip(&stages.passed) {
            let values = passed.iter().zip(&stages.known);
            let values: Vec<f64> = values
                .map(|(p, k)| if *k { *p } else { f64::NAN })
                .collect();
            filled = filled.replace(name, values)?;
        }
        let common = self
            .common
            .as_ref()
            .map(|c| Formula::from(format!("`{}` ~ {c}", names[0])).parse())
            .transpose()?;
        let mut variables: Vec<String> = parsed
            .iter()
            .chain(&common)
            .flat_map(crate::data::ParsedFormula::variables)
            .collect();
        variables.extend(self.subject.clone());
        let also: Vec<&str> = variables.iter().map(String::as_str).collect();
        let sample = Sample::new(&self.stages[0], self.weights.as_ref(), &also, &filled)?;
        let rows = sample.design.rows.clone();
        let known = rows.mask();
        let weight = self.weights.as_ref().map(Weights::column);
        let also: Vec<&str> = also.into_iter().chain(weight).collect();
        let mut warnings = sample.warnings;
        let mut designs = Vec::new();
        for formula in parsed.iter().chain(&common) {
            let mut design = Design::build(formula, &filled, &also)?;
            let keep: Vec<bool> = (0..design.rows.len())
                .map(|i| known[design.rows.index(i)])
                .collect();
            design.restrict(&keep);
            if !design.endogenous.is_empty() || !design.fixed_effects.is_empty() {
                let expected = "without instruments and fixed effects for a funnel";
                return Err(Error::invalid_option("formula", formula, expected));
            }
            designs.push(design);
        }
        let weights = sample.weights.unwrap_or_else(|| vec![1.0; rows.len()]);
        let mut indices = Vec::new();
        let mut built = Vec::new();
        let mut at = 0;
        let mut formulas = self.stages.clone();
        formulas.extend(common.iter().map(|c| Formula::from(c.to_string())));
        for (k, design) in designs.iter().take(parsed.len()).enumerate() {
            let reached: Vec<bool> = (0..rows.len())
                .map(|i| k == 0 || stages.passed[k - 1][rows.index(i)] > 0.5)
                .collect();
            let passed = rows.gather(&stages.passed[k]);
            let mut shares = passed
                .iter()
                .zip(&reached)
                .filter(|(_, r)| **r)
                .map(|(p, _)| *p > 0.5);
            let first = shares.next();
            if shares.all(|p| Some(p) == first) {
                return Err(Error::Unidentified {
                    what: format!("stage `{}`", names[k]),
                    needs: "some who passed it and some who did not, among those who reached it"
                        .to_owned(),
                });
            }
            let there = rows.retain(&reached);
            let weights_there: Vec<f64> = weights
                .iter()
                .zip(&reached)
                .filter(|(_, r)| **r)
                .map(|(w, _)| *w)
                .collect();
            let index = Index::new(
                &names[k],
                &design.exogenous,
                design.intercept,
                &there,
                Some(&weights_there),
                &mut warnings,
            );
            built.push(Stage {
                at,
                columns: working_columns(&index, &rows),
                reached,
                passed,
            });
            at += index.parameters();
            indices.push(index);
        }
        let common_at = at;
        let mut shared = Vec::new();
        if let Some(design) = designs.get(parsed.len()) {
            refuse_twice(&design.exogenous, &indices)?;
            let index = Index::new(
                "",
                &design.exogenous,
                false,
                &rows,
                Some(&weights),
                &mut warnings,
            );
            shared = working_columns(&index, &rows);
            at += index.parameters();
            indices.push(index);
        }
        let customers = self.customers(frame, &rows)?;
        let weights = self.weights_of(&customers, &weights, &rows)?;
        let formula = parsed
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("; ");
        let formula = match &self.common {
            Some(common) => format!("{formula}; common: {common}"),
            None => formula,
        };
        let mut funnels = Funnels {
            stages: built,
            common: shared,
            common_at,
            customers,
            weights,
            kinds: Kinds::default(),
            frequency: sample.frequency,
            error: self.error,
            parameters: at,
            frailty: false,
            last: RefCell::new(None),
        };
        funnels.kinds = Kinds::find(&funnels);
        Ok(Prepared {
            names,
            indices,
            rows,
            warnings,
            formula,
            formulas,
            funnels,
        })
    }

    /// The used rows of each customer.
    fn customers(&self, frame: &Frame, rows: &Rows) -> Result<Vec<Vec<usize>>> {
        let Some(column) = &self.subject else {
            return Ok((0..rows.len()).map(|i| vec![i]).collect());
        };
        let groups = frame.groups(column)?.over(rows);
        let mut customers = vec![Vec::new(); groups.count()];
        for (i, code) in groups.codes.iter().enumerate() {
            customers[*code as usize].push(i);
        }
        customers.retain(|c| !c.is_empty());
        Ok(customers)
    }

    /// One weight a customer.
    fn weights_of(
        &self,
        customers: &[Vec<usize>],
        weights: &[f64],
        rows: &Rows,
    ) -> Result<Vec<f64>> {
        let mut out = Vec::with_capacity(customers.len());
        for members in customers {
            let first = weights[members[0]];
            if let Some(i) = members.iter().find(|i| (weights[**i] - first).abs() > 0.0) {
                return Err(Error::OutOfRange {
                    column: self
                        .weights
                        .as_ref()
                        .map_or("weights", Weights::column)
                        .to_owned(),
                    row: rows.index(*i) + 1,
                    value: weights[*i],
                    expected: format!("{first} as on the other rows of this customer"),
                });
            }
            out.push(first);
        }
        Ok(out)
    }
}

/// A regressor with a slope in common has none of its own.
fn refuse_twice(common: &[DesignColumn], stages: &[Index]) -> Result<()> {
    let twice = common
        .iter()
        .find(|c| stages.iter().any(|s| s.regressors().any(|r| r == c.name)));
    match twice {
        Some(column) => Err(Error::invalid_option(
            "common",
            &column.name,
            "free of regressors that a stage has too",
        )),
        None => Ok(()),
    }
}
