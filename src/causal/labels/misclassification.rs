//! The matrix method: labels of 0 and 1 that are wrong at rates known from a validation sample.

use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::Estimate;
use crate::numeric::derivative::gradient;
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// How often a classifier is right, from a validation sample in which the truth is known, and what follows for shares, differences and effects in other rows that it labelled. With sensitivity `s₁ = P(label 1 | truth 1)`, specificity
/// `s₀ = P(label 0 | truth 0)` and q the share of labels 1,
///
/// `p = (q + s₀ − 1)/(s₁ + s₀ − 1)`
///
/// is the share of truths 1; differences of shares are divided by `s₁ + s₀ − 1`. When the label is the regressor, the mean outcomes of rows labelled 1 and 0 differ by `β (PPV + NPV − 1)`, where β is the difference by truth and PPV, NPV are the
/// shares of right labels among those labelled 1 and 0, which follow from q, s₁ and s₀. Standard errors are by the delta method and include that the rates are estimated.
///
/// It must hold that the rates are those of the rows labelled, the same in all groups compared, and for a regressor that errors do not depend on the outcome. When the validation sample is a random part of the rows,
/// [`PredictionPowered`](super::PredictionPowered) needs neither.
///
/// # Errors
/// [`Error::Unidentified`] for a validation sample without one of the classes or a classifier no better than chance there; [`Error::InvalidOption`] for counts that are negative, not whole or in the wrong order; [`Error::OutOfRange`] for columns other than 0 and 1.
///
/// # References
/// - Rogan, W. J. & Gladen, B. (1978). Estimating prevalence from the results of a screening test. *American Journal of Epidemiology* 107(1), 71–76. doi:10.1093/oxfordjournals.aje.a112510
/// - Aigner, D. J. (1973). Regression with a binary independent variable subject to errors of observation. *Journal of Econometrics* 1(1), 49–59. doi:10.1016/0304-4076(73)90005-5
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// // 200 comments were read: of 80 complaints 68 were found, of 120 others 114 were left alone.
/// let classifier = Misclassification::new(68, 12, 114, 6)?;
/// // It labelled 1300 of 5000 comments.
/// let share = classifier.share(1300, 5000)?;
/// assert!((share.corrected.estimate - (0.26 - 0.05) / 0.8).abs() < 1e-12);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Misclassification {
    /// Truths 1: labelled 1 and all; truths 0: labelled 0 and all.
    positives: [f64; 2],
    negatives: [f64; 2],
}

/// A number before and after.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorrectedForErrors {
    /// As the labels say.
    pub as_labelled: f64,
    /// Corrected for their errors.
    pub corrected: Estimate,
    /// What a reader must know.
    pub warnings: Vec<Warning>,
}

impl Misclassification {
    /// From a validation sample: truths 1 labelled 1 and 0, truths 0 labelled 0 and 1.
    ///
    /// # Errors
    /// See [`Misclassification`].
    pub fn new(
        true_positives: usize,
        false_negatives: usize,
        true_negatives: usize,
        false_positives: usize,
    ) -> Result<Self> {
        let of = |right: usize, wrong: usize| [right as f64, (right + wrong) as f64];
        let out = Self {
            positives: of(true_positives, false_negatives),
            negatives: of(true_negatives, false_positives),
        };
        for (class, [_, all]) in [(1, out.positives), (0, out.negatives)] {
            if all <= 0.0 {
                return Err(Error::Unidentified {
                    what: format!("how often the label is right when the truth is {class}"),
                    needs: format!(
                        "a validation sample with truths of both classes; label more rows whose truth may be {class}"
                    ),
                });
            }
        }
        if out.better() <= 0.0 {
            return Err(Error::Unidentified {
                what: format!(
                    "the truth behind labels with sensitivity {:.3} and specificity {:.3}",
                    out.sensitivity(),
                    out.specificity()
                ),
                needs: "a classifier better than chance, their sum above 1; see whether its classes are exchanged".to_owned(),
            });
        }
        Ok(out)
    }

    /// From columns of truth and label, both 0 and 1; rows without a truth are left out.
    ///
    /// # Errors
    /// See [`Misclassification`]; [`Error::ColumnNotFound`].
    pub fn from_frame(frame: &Frame, truth: &str, label: &str) -> Result<Self> {
        let mut counts = [[0_usize; 2]; 2];
        let (t, l) = (frame.numeric(truth)?, frame.numeric(label)?);
        for (row, (t, l)) in t.values().iter().zip(l.values().iter()).enumerate() {
            if t.is_nan() {
                continue;
            }
            let class = |column: &str, value: f64| {
                if value.abs() <= 0.0 {
                    Ok(0)
                } else if (value - 1.0).abs() <= 0.0 {
                    Ok(1)
                } else {
                    Err(Error::OutOfRange {
                        column: column.to_owned(),
                        row: row + 1,
                        value,
                        expected: "0 or 1 on rows of the validation sample".to_owned(),
                    })
                }
            };
            counts[class(truth, *t)?][class(label, *l)?] += 1;
        }
        Self::new(counts[1][1], counts[1][0], counts[0][0], counts[0][1])
    }

    /// `s₁`, the share of truths 1 labelled so.
    pub fn sensitivity(&self) -> f64 {
        self.positives[0] / self.positives[1]
    }

    /// `s₀`, the share of truths 0 labelled so.
    pub fn specificity(&self) -> f64 {
        self.negatives[0] / self.negatives[1]
    }

    /// The share of truths 1 among rows of which so many are labelled 1. Outside 0 and 1 the rates do not fit the rows, which is said.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for no rows or more labels than rows.
    pub fn share(&self, labelled: usize, rows: usize) -> Result<CorrectedForErrors> {
        let q = check(labelled, rows)?;
        let variance = q * (1.0 - q) / rows as f64;
        let mut out = self.delta("share", q, &[(q, variance)], |x| {
            prevalence(x[0], x[1], x[2])
        })?;
        if !(0.0..=1.0).contains(&out.corrected.estimate) {
            out.warnings.push(Warning::Note {
                message: format!(
                    "the corrected share is {:.4}, outside 0 and 1: labels 1 are as rare or frequent as errors alone would make them, or the rates are of other rows; validate on these",
                    out.corrected.estimate
                ),
            });
        }
        Ok(out)
    }

    /// The difference of the shares of truths 1 between two groups, from the labels 1 and the rows of each.
    ///
    /// # Errors
    /// As [`Misclassification::share`].
    pub fn difference(
        &self,
        treated: (usize, usize),
        control: (usize, usize),
    ) -> Result<CorrectedForErrors> {
        let groups = [treated, control].map(|(labelled, rows)| {
            check(labelled, rows).map(|q| (q, q * (1.0 - q) / rows as f64))
        });
        let [one, zero] = groups;
        let (one, zero) = (one?, zero?);
        self.delta("difference", one.0 - zero.0, &[one, zero], |x| {
            (x[0] - x[1]) / (x[2] + x[3] - 1.0)
        })
    }

    /// The difference of mean outcomes between truths 1 and 0, from that between labels 1 and 0 and the number of labels.
    ///
    /// # Errors
    /// As [`Misclassification::share`]; [`Error::InvalidOption`] for labels that are all alike or a difference that is not finite; [`Error::Unidentified`] when labels say nothing of the truth in these rows.
    pub fn effect_of_class(
        &self,
        difference: &Estimate,
        labelled: usize,
        rows: usize,
    ) -> Result<CorrectedForErrors> {
        let q = check(labelled, rows)?;
        if q <= 0.0 || q >= 1.0 {
            return Err(Error::invalid_option(
                "labelled",
                format!("{labelled} of {rows}"),
                "rows of both labels",
            ));
        }
        if !(difference.estimate.is_finite()
            && difference.std_error >= 0.0
            && difference.std_error.is_finite())
        {
            return Err(Error::invalid_option(
                "difference",
                difference,
                "finite with a finite error",
            ));
        }
        let parts = [
            (difference.estimate, difference.std_error.powi(2)),
            (q, q * (1.0 - q) / rows as f64),
        ];
        let right = |q: f64, s1: f64, s0: f64| {
            let p = prevalence(q, s1, s0);
            s1 * p / q + s0 * (1.0 - p) / (1.0 - q) - 1.0
        };
        if right(q, self.sensitivity(), self.specificity()) <= 0.0 {
            return Err(Error::Unidentified {
                what: format!("the effect of the class behind {labelled} of {rows} labels"),
                needs: "labels that tell the truth in these rows; the rates imply that all or none of them are of the class: validate on these rows".to_owned(),
            });
        }
        self.delta(&difference.name, difference.estimate, &parts, |x| {
            x[0] / right(x[1], x[2], x[3])
        })
    }

    /// The rates.
    pub fn table(&self) -> Table {
        let mut table =
            Table::new("Labels against the truth").columns(["", "right", "of", "share"]);
        for (name, [right, all]) in [("truth 1", self.positives), ("truth 0", self.negatives)] {
            table = table.row([
                Cell::text(name),
                Cell::count(right as usize),
                Cell::count(all as usize),
                Cell::fixed(right / all, 4),
            ]);
        }
        table
    }

    /// `s₁ + s₀ − 1`.
    fn better(&self) -> f64 {
        self.sensitivity() + self.specificity() - 1.0
    }

    /// A function of independent estimates and of both rates, which come last.
    fn delta(
        &self,
        name: &str,
        as_labelled: f64,
        parts: &[(f64, f64)],
        function: impl Fn(&[f64]) -> f64,
    ) -> Result<CorrectedForErrors> {
        let rates = [self.positives, self.negatives].map(|[right, all]| {
            let s = right / all;
            (s, s * (1.0 - s) / all)
        });
        let all: Vec<(f64, f64)> = parts.iter().chain(&rates).copied().collect();
        let at: Vec<f64> = all.iter().map(|(value, _)| *value).collect();
        let slopes = gradient(&function, &at)?;
        let terms = slopes
            .iter()
            .zip(&all)
            .map(|(slope, (_, variance))| slope * slope * variance);
        let mut warnings = Vec::new();
        let spread = rates
            .iter()
            .map(|(_, variance)| variance)
            .sum::<f64>()
            .sqrt();
        if self.better() < 3.0 * spread {
            warnings.push(Warning::Note {
                message: "sensitivity and specificity are hardly better than chance given the size of the validation sample: the correction is unstable; validate more rows".to_owned(),
            });
        }
        if rates.iter().any(|(_, variance)| *variance <= 0.0) {
            warnings.push(Warning::Note {
                message: "no error of one kind was seen in the validation sample, and its rate counts as known: the standard error is too small if there are any".to_owned(),
            });
        }
        Ok(CorrectedForErrors {
            as_labelled,
            corrected: Estimate {
                name: name.to_owned(),
                estimate: function(&at),
                std_error: terms.sum::<f64>().sqrt(),
                degrees_of_freedom: f64::INFINITY,
            },
            warnings,
        })
    }
}

impl CorrectedForErrors {
    /// Before and after.
    pub fn table(&self) -> Table {
        Table::new("Corrected for errors of labels")
            .columns(["", "as labelled", "corrected", "Std. error"])
            .row([
                Cell::text(&self.corrected.name),
                Cell::significant(self.as_labelled, 5),
                Cell::significant(self.corrected.estimate, 5),
                Cell::significant(self.corrected.std_error, 5),
            ])
            .warned(&self.warnings)
    }
}

crate::report::notebook::shown!(Misclassification, CorrectedForErrors);

/// `p` from q and both rates.
fn prevalence(q: f64, s1: f64, s0: f64) -> f64 {
    (q + s0 - 1.0) / (s1 + s0 - 1.0)
}

/// The share of labels.
fn check(labelled: usize, rows: usize) -> Result<f64> {
    if rows > 0 && labelled <= rows {
        return Ok(labelled as f64 / rows as f64);
    }
    Err(Error::invalid_option(
        "labelled",
        format!("{labelled} of {rows}"),
        "at most the number of rows, of which there must be some",
    ))
}
