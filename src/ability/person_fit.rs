//! Person fit: answers that do not go together.

use super::fit::ItemResponseFit;
use super::item::Item;
use super::scores::Scoring;
use super::tables::{Sums, answers_of};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::numeric::special::normal;
use crate::report::{Cell, Table};
use serde::Serialize;

/// How well the answers of each person fit the model.
///
/// `l_z = (ℓ − E ℓ)/√Var ℓ` is the standardised log-likelihood of the answers at the estimated ability (Drasgow, Levine & Williams 1985).
/// Because ability is estimated from the same answers its variance is below one, so that it finds too few misfits; `l_z*` corrects for
/// that (Snijders 2001; for more than two answers Sinharay 2016): with `w_kc = ln P_kc`, `r_kc = P′_kc/P_kc` and
/// `c = Σ P′ w / Σ P′ r`, `l_z* = (ℓ − E ℓ + c r₀)/√Var Σ (w − c r)`, where r₀ is 0 for maximum likelihood, `J/2I` for the weighted
/// likelihood and `−(a − m)/σ²` for the posterior mode. Both are about N(0, 1) for persons who answer as the model says; far below zero
/// the easy items were failed and the hard ones passed.
///
/// `outfit` is the mean squared standardised residual, `infit` the same weighted by information; both are about 1, above 1.3 noisy.
///
/// # References
/// Snijders, T. A. B. (2001), doi:10.1007/BF02294437; Sinharay, S. (2016), doi:10.1007/s11336-015-9465-x; Wright, B. D. & Masters, G. N. (1982),
/// *Rating Scale Analysis*.
#[derive(Clone, Debug, Serialize)]
pub struct PersonFit {
    scoring: Scoring,
    /// One a row of the frame.
    rows: Vec<PersonFitRow>,
    persons: usize,
}

/// The fit of one person; not a number for rows that are no persons and where ability has no finite estimate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PersonFitRow {
    /// `l_z`.
    pub lz: f64,
    /// `l_z*`.
    pub lz_star: f64,
    /// The probability of an `l_z*` so low or lower.
    pub p_value: f64,
    /// Mean squared standardised residual.
    pub outfit: f64,
    /// The same weighted by information.
    pub infit: f64,
}

impl PersonFitRow {
    const NONE: Self = Self {
        lz: f64::NAN,
        lz_star: f64::NAN,
        p_value: f64::NAN,
        outfit: f64::NAN,
        infit: f64::NAN,
    };

    /// The statistics of answers at an ability, given r₀ of its estimator.
    pub(super) fn at(items: &[Item], answers: &[(usize, usize)], ability: f64, shift: f64) -> Self {
        let (mut gap, mut top, mut bottom) = (0.0, 0.0, 0.0);
        let (mut squares, mut noise, mut variance) = (0.0, 0.0, 0.0);
        let curves: Vec<_> = answers
            .iter()
            .map(|(k, _)| items[*k].curves(ability))
            .collect();
        for ((_, answer), curves) in answers.iter().zip(&curves) {
            let mut expected = 0.0;
            let mut second = 0.0;
            for (c, p) in curves.iter().enumerate() {
                if p.probability <= 0.0 {
                    continue; // p ln p is zero there
                }
                let ln = p.probability.ln();
                gap += (f64::from(u8::from(c == *answer)) - p.probability) * ln;
                top += p.slope * ln;
                bottom += p.slope * p.slope / p.probability;
                expected += c as f64 * p.probability;
                second += (c * c) as f64 * p.probability;
            }
            let spread = second - expected * expected;
            let residual = *answer as f64 - expected;
            squares += residual * residual / spread;
            noise += residual * residual;
            variance += spread;
        }
        let slope = top / bottom;
        let spread = |c: f64| -> f64 {
            let own = curves.iter().map(|curves| {
                let w = |p: &super::item::CategoryCurve| {
                    p.probability.ln() - c * p.slope / p.probability
                };
                let possible = || curves.iter().filter(|p| p.probability > 0.0);
                let mean: f64 = possible().map(|p| p.probability * w(p)).sum();
                let square: f64 = possible().map(|p| p.probability * w(p).powi(2)).sum();
                square - mean * mean
            });
            own.sum()
        };
        let lz_star = (gap + slope * shift) / spread(slope).sqrt();
        Self {
            lz: gap / spread(0.0).sqrt(),
            lz_star,
            p_value: normal::cdf(lz_star),
            outfit: squares / answers.len() as f64,
            infit: noise / variance,
        }
    }
}

impl ItemResponseFit {
    /// The fit of every person at their score, which must be the posterior mode or one of the likelihood scores.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for posterior means, which solve no estimating equation; [`Error::DataNotKept`] after `lean`.
    pub fn person_fit(&self, scoring: Scoring) -> Result<PersonFit> {
        if scoring == Scoring::PosteriorMean {
            return Err(Error::invalid_option(
                "scoring",
                scoring,
                "WeightedLikelihood, MaximumLikelihood or PosteriorMode: the correction of l_z needs the score's estimating equation",
            ));
        }
        let responses = self.responses()?;
        let scores = self.pattern_scores(scoring)?;
        let by_pattern = scores
            .iter()
            .enumerate()
            .map(|(pattern, score)| {
                let answers = answers_of(responses, pattern);
                let a = score.ability;
                if !a.is_finite() {
                    return Ok(PersonFitRow::NONE);
                }
                let shift = match scoring {
                    Scoring::WeightedLikelihood => {
                        let sums = Sums::at(self.items(), answers.iter().copied(), a);
                        0.5 * sums.warm / sums.information
                    }
                    Scoring::PosteriorMode => {
                        -(a - self.ability_mean(pattern)?) / self.ability_variance(pattern)?
                    }
                    _ => 0.0,
                };
                Ok(PersonFitRow::at(self.items(), &answers, a, shift))
            })
            .collect::<Result<Vec<PersonFitRow>>>()?;
        let mut rows = vec![PersonFitRow::NONE; self.frame()?.rows()];
        for person in 0..responses.persons() {
            rows[responses.rows().index(person)] = by_pattern[responses.pattern_of(person)];
        }
        Ok(PersonFit {
            scoring,
            rows,
            persons: responses.persons(),
        })
    }
}

impl PersonFit {
    /// One record a row of the frame.
    pub fn rows(&self) -> &[PersonFitRow] {
        &self.rows
    }

    /// The frame with `l_z*` as a column.
    ///
    /// # Errors
    /// [`Error::DuplicateColumn`]; [`Error::LengthMismatch`] for another frame.
    pub fn append(&self, frame: &Frame, name: &str) -> Result<Frame> {
        let values: Vec<f64> = self.rows.iter().map(|r| r.lz_star).collect();
        frame.clone().with(name, values)
    }

    /// How many persons fit badly, at some levels.
    pub fn table(&self) -> Table {
        const LEVELS: [f64; 3] = [0.05, 0.01, 0.001];
        let known: Vec<&PersonFitRow> =
            self.rows.iter().filter(|r| r.lz_star.is_finite()).collect();
        let n = known.len() as f64;
        let mut table = Table::new(format!("Person fit at the {}", self.scoring)).columns([
            "Level",
            "l_z* below",
            "Persons",
            "Share",
        ]);
        for level in LEVELS {
            let count = known.iter().filter(|r| r.p_value < level).count();
            table = table.row([
                Cell::percent(level, 1),
                Cell::fixed(normal::quantile(level), 3),
                Cell::count(count),
                Cell::percent(count as f64 / n, 2),
            ]);
        }
        table.note(format!(
            "{} persons, {} with a finite score",
            Cell::count(self.persons),
            Cell::count(known.len())
        ))
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl std::fmt::Display for PersonFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(PersonFit);
