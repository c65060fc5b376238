//! Which instruments a test blames: Hansen's test without some of them.

use super::equations::Source;
use super::fit::DynamicPanelGmmFit;
use super::moments::inverse;
use crate::error::{Error, Result};
use crate::inference::{Distribution, TestResult};
use crate::numeric::linalg::{Cholesky, block, symmetrize};
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Products with instruments, and the covariance of the moments of the first step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct InstrumentMoments {
    pub(super) sources: Vec<Source>,
    pub(super) zx: DMatrix<f64>,
    pub(super) zy: DVector<f64>,
    pub(super) spread: DMatrix<f64>,
}

/// The test that some instruments are valid when the others are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DifferenceInHansen {
    /// Hansen's test of the other instruments.
    pub excluding: Option<TestResult>,
    /// By how much the statistic of all is larger.
    pub difference: TestResult,
}

impl InstrumentMoments {
    /// Hansen's statistic of some instruments, with the weights of all for these; none when they do not identify the coefficients.
    fn hansen(&self, used: &[usize]) -> Option<f64> {
        let k = self.zx.ncols();
        if used.len() < k {
            return None;
        }
        let zx = self.zx.select_rows(used);
        let zy = self.zy.select_rows(used);
        let (weights, _) = inverse(&block(&self.spread, used, used));
        let factor = Cholesky::new(&symmetrize(&zx.tr_mul(&(&weights * &zx))));
        if factor.rank() < k {
            return None;
        }
        let estimates = factor.solve_vector(&zx.tr_mul(&(&weights * &zy)));
        let sum = zy - zx * estimates;
        Some(sum.dot(&(weights * &sum)))
    }

    fn without(&self, blamed: impl Fn(&Source) -> bool) -> (Vec<usize>, usize) {
        let used: Vec<usize> = (0..self.sources.len())
            .filter(|at| !blamed(&self.sources[*at]))
            .collect();
        let fewer = self.sources.len() - used.len();
        (used, fewer)
    }
}

impl DynamicPanelGmmFit {
    /// The difference in Hansen's statistics with and without the instruments of some variables: are they valid when the others are? Variables are called by their columns, among them the
    /// outcome for its lags, and the column of periods for their effects.
    ///
    /// Both statistics have the weights of the second step, without the instruments those of the others among them, so that the difference is not negative (Hayashi 2000, section 3.6;
    /// what `xtabond2` prints) unless weights need a generalised inverse.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a variable without instruments; [`Error::Unidentified`] when the others do not identify the coefficients.
    pub fn difference_in_hansen<S: AsRef<str>>(
        &self,
        variables: &[S],
    ) -> Result<DifferenceInHansen> {
        let named = |source: &Source| variables.iter().any(|v| v.as_ref() == source.name);
        for variable in variables {
            let variable = variable.as_ref();
            if !self.moments.sources.iter().any(|s| s.name == variable) {
                return Err(Error::invalid_option(
                    "variables",
                    variable,
                    format!(
                        "variables with instruments: {}",
                        self.instrumented().join(", ")
                    ),
                ));
            }
        }
        let names: Vec<&str> = variables.iter().map(AsRef::as_ref).collect();
        self.blamed(&format!("the instruments of {}", names.join(", ")), named)
    }

    /// The difference in Hansen's statistics with and without the differences that are instruments of the rows in levels: what the system assumes beyond the differences.
    ///
    /// # Errors
    /// [`Error::Unidentified`] for a fit in differences alone.
    pub fn difference_in_hansen_of_levels(&self) -> Result<DifferenceInHansen> {
        if !self.moments.sources.iter().any(|s| s.levels) {
            return Err(Error::Unidentified {
                what: "the validity of instruments of levels".to_owned(),
                needs: "a fit by `DynamicPanelGmm::system`".to_owned(),
            });
        }
        self.blamed("the instruments of levels", |source| {
            source.levels && source.name != "(Intercept)"
        })
    }

    fn blamed(&self, what: &str, blamed: impl Fn(&Source) -> bool) -> Result<DifferenceInHansen> {
        let k = self.moments.zx.ncols();
        let all: Vec<usize> = (0..self.moments.sources.len()).collect();
        let (used, fewer) = self.moments.without(blamed);
        let statistics = self.moments.hansen(&all).zip(self.moments.hansen(&used));
        let Some((full, rest)) = statistics.filter(|_| fewer > 0) else {
            return Err(Error::Unidentified {
                what: format!("the validity of {what}"),
                needs: format!(
                    "other instruments that identify the {k} coefficients, of which there are {}",
                    used.len()
                ),
            });
        };
        let test = |name: String, statistic: f64, df: usize| {
            let distribution = Distribution::ChiSquared { df: df as f64 };
            TestResult::new(name, statistic, distribution)
        };
        let over = used.len() - k;
        Ok(DifferenceInHansen {
            excluding: (over > 0)
                .then(|| test(format!("Hansen's test without {what}"), rest, over)),
            difference: test(
                format!("{what} are valid when the others are"),
                full - rest,
                fewer,
            ),
        })
    }

    /// The variables with instruments.
    fn instrumented(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for source in &self.moments.sources {
            if !names.contains(&source.name) && source.name != "(Intercept)" {
                names.push(source.name.clone());
            }
        }
        names
    }

    /// The difference in Hansen's statistics for the instruments of each variable, and for those of levels; those that cannot be tested are left out.
    pub fn instrument_table(&self) -> Table {
        let mut table = Table::new("Instruments: difference in Hansen's statistics").columns([
            "instruments",
            "how many",
            "without them",
            "p",
            "difference",
            "p",
        ]);
        let names = self.instrumented();
        let tests = (names.iter())
            .map(|name| (name.clone(), self.difference_in_hansen(&[name])))
            .chain([(
                "of levels".to_owned(),
                self.difference_in_hansen_of_levels(),
            )]);
        for (name, test) in tests {
            let Ok(DifferenceInHansen {
                excluding,
                difference,
            }) = test
            else {
                continue;
            };
            let count = match difference.distribution {
                Distribution::ChiSquared { df } => Cell::fixed(df, 0),
                _ => Cell::empty(),
            };
            let [without, p] = excluding.map_or([Cell::empty(), Cell::empty()], |test| {
                [Cell::fixed(test.statistic, 2), Cell::p_value(test.p_value)]
            });
            table = table.row([
                Cell::text(name),
                count,
                without,
                p,
                Cell::fixed(difference.statistic, 2),
                Cell::p_value(difference.p_value),
            ]);
        }
        table
    }
}
