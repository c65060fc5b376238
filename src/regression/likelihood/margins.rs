//! Marginal effects: how a predicted quantity changes with a variable, on average or at given values.

use super::model::Quantity;
use super::predict::{PredictedSum, Predictor};
use crate::data::{Column, Frame, Label};
use crate::error::{Error, Result};
use crate::inference::{Inference, Summarized, coefficient_table};
use crate::report::{Cell, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Steps of the derivative in a variable, as a share of its standard deviation or its value: with fourth-order differences the
/// error is about 1e-9 of the effect.
const STEP: f64 = 5e-3;

/// Steps are not smaller than this share of the standard deviation, where rounding would win.
const LEAST: f64 = 1e-4;

/// Which marginal effects are wanted.
///
/// The effect of a number is the derivative `∂q/∂v`; that of a flag, a category or a number declared `discrete` is the
/// difference of q between each value and the reference. Terms such as `I(v^2)` or `v*w` move with the variable. Effects
/// are averaged over the rows of the fit with its weights (AME), or taken at the means of numbers and the most frequent
/// values of the rest (MEM). Standard errors are by the delta method from the covariance of the fit, with the regressors
/// taken as given.
///
/// | name | default | meaning |
/// |---|---|---|
/// | `at_means` | off | one row at the means instead of the average over rows |
/// | `at` | none | sets a variable to a value in all rows first; may be repeated |
/// | `discrete` | flags and categories | a numeric 0/1 variable whose effect is the difference of 1 and 0 |
/// | `quantity` | `Quantity::Mean` | what is predicted |
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// let fit = Logit::new("treat ~ age + I(age^2) + educ").fit(&frame)?;
/// let effects = fit.marginal_effects(&Margins::of(["age", "educ"]))?;
/// assert!(effects.coefficient("educ")?.estimate.abs() < 0.1); // change of the probability a year of education
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # References
/// Bartus, T. (2005). Estimation of marginal effects using margeff. *Stata Journal* 5(3), 309–329.
/// doi:10.1177/1536867X0500500303
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Margins {
    variables: Vec<String>,
    at_means: bool,
    at: Vec<(String, f64)>,
    at_level: Vec<(String, String)>,
    discrete: Vec<String>,
    quantity: Quantity,
}

impl Margins {
    /// Average marginal effects of these variables on the expected outcome.
    pub fn of<S: Into<String>>(variables: impl IntoIterator<Item = S>) -> Self {
        Self {
            variables: variables.into_iter().map(Into::into).collect(),
            at_means: false,
            at: vec![],
            at_level: vec![],
            discrete: vec![],
            quantity: Quantity::Mean,
        }
    }

    /// Effects at the means of numbers and the most frequent values of flags and categories.
    pub fn at_means(mut self) -> Self {
        self.at_means = true;
        self
    }

    /// Sets a numeric variable (or flag, 0 or 1) to a value in all rows.
    pub fn at(mut self, variable: impl Into<String>, value: f64) -> Self {
        self.at.push((variable.into(), value));
        self
    }

    /// Sets a category to a level in all rows.
    pub fn at_level(mut self, variable: impl Into<String>, level: impl Into<String>) -> Self {
        self.at_level.push((variable.into(), level.into()));
        self
    }

    /// Takes the difference between 1 and 0 of a numeric variable.
    pub fn discrete(mut self, variable: impl Into<String>) -> Self {
        self.discrete.push(variable.into());
        self
    }

    /// The quantity whose change is wanted.
    pub fn quantity(mut self, quantity: Quantity) -> Self {
        self.quantity = quantity;
        self
    }
}

/// Marginal effects with their covariance. They answer the verbs of [`Inference`] with the normal distribution.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MarginalEffects {
    title: String,
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    covariance_label: String,
    observations: usize,
}

/// A change of the variables, with the weight of the prediction after it in each row.
struct Variant {
    frame: Frame,
    weights: Vec<f64>,
}

impl Margins {
    /// The effects for a fitted model.
    pub(crate) fn estimate(
        &self,
        predictor: &Predictor<'_>,
        model: &str,
        covariance_label: String,
    ) -> Result<MarginalEffects> {
        self.refuse_strangers(predictor)?;
        let kept = predictor.frame.filter(&predictor.rows.mask())?;
        let observations = kept.rows();
        let (base, weights) = self.base(&kept, predictor.weights)?;
        let mut names = Vec::new();
        let mut effects: Vec<(f64, DVector<f64>)> = Vec::new();
        for variable in &self.variables {
            for (name, variants) in self.variants(variable, &kept, &base, &weights)? {
                let mut sum = PredictedSum::zero(predictor.fitted.estimates.len());
                for variant in variants {
                    sum.add(&predictor.sum(&variant.frame, &variant.weights, self.quantity)?);
                }
                let sum = sum.without_rounding();
                names.push(name);
                effects.push((sum.value, sum.gradient));
            }
        }
        if names.is_empty() {
            return Err(Error::invalid_option("variables", "none", "at least one"));
        }
        let size = predictor.fitted.estimates.len();
        let jacobian = DMatrix::from_fn(effects.len(), size, |i, j| effects[i].1[j]);
        let kind = if self.at_means { "at means" } else { "average" };
        let set: Vec<String> = self
            .at
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .chain(
                self.at_level
                    .iter()
                    .map(|(name, level)| format!("{name} = {level}")),
            )
            .collect();
        let place = if set.is_empty() {
            String::new()
        } else {
            format!(" at {}", set.join(", "))
        };
        Ok(MarginalEffects {
            title: format!("Marginal effects ({kind}{place}), {model}"),
            names,
            estimates: DVector::from_iterator(effects.len(), effects.iter().map(|e| e.0)),
            covariance: &jacobian * &predictor.fitted.covariance * jacobian.transpose(),
            covariance_label,
            observations,
        })
    }

    /// Refuses variables that the model does not have: their effect would be nothing but rounding.
    fn refuse_strangers(&self, predictor: &Predictor<'_>) -> Result<()> {
        let known = predictor.variables()?;
        let named = self
            .variables
            .iter()
            .chain(&self.discrete)
            .chain(self.at.iter().map(|(name, _)| name))
            .chain(self.at_level.iter().map(|(name, _)| name));
        for name in named {
            predictor.frame.column(name)?;
            if !known.contains(name) {
                return Err(Error::invalid_option(
                    "variable",
                    format!("`{name}`, on which the model does not depend"),
                    format!("one of {}", known.join(", ")),
                ));
            }
        }
        Ok(())
    }

    /// The rows that effects are averaged over and their weights, which sum to one.
    fn base(&self, kept: &Frame, weights: Option<&[f64]>) -> Result<(Frame, Vec<f64>)> {
        let rows = kept.rows();
        let weights = weights.map_or_else(|| vec![1.0; rows], <[f64]>::to_vec);
        let total: f64 = weights.iter().sum();
        let weights: Vec<f64> = weights.iter().map(|w| w / total).collect();
        let (mut frame, weights) = if self.at_means {
            (means(kept, &weights)?, vec![1.0])
        } else {
            (kept.clone(), weights)
        };
        for (name, value) in &self.at {
            let column = constant(frame.column(name)?, name, *value, frame.rows())?;
            frame = frame.replace(name, column)?;
        }
        for (name, level) in &self.at_level {
            let column = at_level(&frame, name, level)?;
            frame = frame.replace(name, column)?;
        }
        Ok((frame, weights))
    }

    /// The changes whose weighted sum is each effect of a variable.
    fn variants(
        &self,
        variable: &str,
        kept: &Frame,
        base: &Frame,
        weights: &[f64],
    ) -> Result<Vec<(String, Vec<Variant>)>> {
        let signed = |sign: f64| weights.iter().map(|w| sign * w).collect::<Vec<f64>>();
        let difference = |high: Column, low: Column| -> Result<Vec<Variant>> {
            Ok(vec![
                Variant {
                    frame: base.replace(variable, high)?,
                    weights: signed(1.0),
                },
                Variant {
                    frame: base.replace(variable, low)?,
                    weights: signed(-1.0),
                },
            ])
        };
        let rows = base.rows();
        match base.column(variable)? {
            Column::Label(label) => {
                let used = kept.groups(variable)?;
                let levels = used.compact(&used.codes).levels;
                let reference = levels.first().cloned().unwrap_or_default();
                let code = |level: &str| -> Column {
                    let found = label.levels().iter().position(|l| l == level);
                    let codes = vec![found.unwrap_or(0) as u32; rows];
                    Column::from(Label::coded(codes, label.levels().clone()))
                };
                levels
                    .iter()
                    .skip(1)
                    .map(|level| {
                        let name = format!("{variable}[{level}]");
                        Ok((name, difference(code(level), code(&reference))?))
                    })
                    .collect()
            }
            Column::Flag(_) => Ok(vec![(
                variable.to_owned(),
                difference(
                    Column::from(vec![true; rows]),
                    Column::from(vec![false; rows]),
                )?,
            )]),
            _ if self.discrete.iter().any(|d| d == variable) => Ok(vec![(
                variable.to_owned(),
                difference(Column::from(vec![1.0; rows]), Column::from(vec![0.0; rows]))?,
            )]),
            _ => Ok(vec![(
                variable.to_owned(),
                derivative(variable, kept, base, weights)?,
            )]),
        }
    }
}

/// The four points of a fourth-order derivative, with a step for each row that does not leave the domain of logarithms.
fn derivative(variable: &str, kept: &Frame, base: &Frame, weights: &[f64]) -> Result<Vec<Variant>> {
    let all = kept.numeric(variable)?;
    let n = all.values().len() as f64;
    let mean = all.values().iter().sum::<f64>() / n;
    let squares: f64 = all.values().iter().map(|v| (v - mean).powi(2)).sum();
    let deviation = (squares / n).sqrt();
    if deviation <= 0.0 || deviation.is_nan() {
        return Err(Error::Unidentified {
            what: format!("the marginal effect of `{variable}`"),
            needs: "a variable that varies".to_owned(),
        });
    }
    let at = base.numeric(variable)?;
    let step = |v: f64| {
        let size = if v.abs() > 0.0 {
            v.abs().min(deviation)
        } else {
            deviation
        };
        STEP * size.max(LEAST * deviation)
    };
    [(-2.0, 1.0), (-1.0, -8.0), (1.0, 8.0), (2.0, -1.0)]
        .into_iter()
        .map(|(steps, factor)| {
            let moved: Vec<f64> = at.values().iter().map(|v| v + steps * step(*v)).collect();
            let scaled = at.values().iter().zip(weights);
            Ok(Variant {
                frame: base.replace(variable, moved)?,
                weights: scaled
                    .map(|(v, w)| w * factor / (12.0 * step(*v)))
                    .collect(),
            })
        })
        .collect()
}

/// One row: means of numbers, most frequent values of flags and categories.
fn means(frame: &Frame, weights: &[f64]) -> Result<Frame> {
    let mut out = Frame::new();
    for (name, column) in frame.iter() {
        let column = match column {
            Column::Real(real) => {
                let mean = real
                    .values()
                    .iter()
                    .zip(weights)
                    .map(|(v, w)| v * w)
                    .sum::<f64>();
                Column::from(vec![mean])
            }
            Column::Flag(flags) => {
                let share: f64 = flags
                    .iter()
                    .zip(weights)
                    .filter(|(f, _)| **f)
                    .map(|(_, w)| w)
                    .sum();
                Column::from(vec![share > 0.5])
            }
            Column::Label(label) => {
                let mut share = vec![0.0; label.levels().len()];
                for (code, w) in label.codes().iter().zip(weights) {
                    if let Some(slot) = share.get_mut(*code as usize) {
                        *slot += w;
                    }
                }
                let most = (0..share.len()).fold(0, |m, i| if share[i] > share[m] { i } else { m });
                Column::from(Label::coded(vec![most as u32], label.levels().clone()))
            }
            Column::Time(time) => {
                let seconds = time.seconds().values();
                let mean = seconds.iter().zip(weights).map(|(v, w)| v * w).sum::<f64>();
                Column::Time(crate::data::Time::new(vec![mean]))
            }
        };
        out = out.with(name, column)?;
    }
    Ok(out)
}

/// A numeric column or flag at one value.
fn constant(column: &Column, name: &str, value: f64, rows: usize) -> Result<Column> {
    if !value.is_finite() {
        return Err(Error::invalid_option(
            &format!("value of `{name}`"),
            value,
            "a finite number",
        ));
    }
    match column {
        Column::Flag(_) if value.abs() > 0.0 && (value - 1.0).abs() > 0.0 => Err(
            Error::invalid_option(&format!("value of the flag `{name}`"), value, "0 or 1"),
        ),
        Column::Label(_) => Err(Error::WrongKind {
            column: name.to_owned(),
            expected: "numeric for Margins::at".to_owned(),
            found: "a label".to_owned(),
            remedy: "use Margins::at_level".to_owned(),
        }),
        Column::Flag(_) => Ok(Column::from(vec![value > 0.5; rows])),
        _ => Ok(Column::from(vec![value; rows])),
    }
}

/// A label at one level.
fn at_level(frame: &Frame, name: &str, level: &str) -> Result<Column> {
    let label = frame.label(name)?;
    let Some(code) = label.levels().iter().position(|l| l == level) else {
        return Err(Error::invalid_option(
            &format!("level of `{name}`"),
            format!("`{level}`"),
            "a level that occurs in the data",
        ));
    };
    let codes = vec![code as u32; frame.rows()];
    Ok(Column::from(Label::coded(codes, label.levels().clone())))
}

impl Inference for MarginalEffects {
    crate::inference::fields::inference_of_fields!();

    fn table(&self) -> Table {
        coefficient_table(self)
            .with_title(self.title.as_str())
            .note(format!(
                "Delta method; covariance: {}",
                self.covariance_label
            ))
            .note(format!("n = {}", Cell::count(self.observations)))
    }
}

impl MarginalEffects {
    /// The effects as an HTML table.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl Summarized for MarginalEffects {
    fn footer(&self) -> Vec<(String, Cell)> {
        vec![("Observations".to_owned(), Cell::count(self.observations))]
    }

    fn covariance_label(&self) -> String {
        self.covariance_label.clone()
    }
}

impl fmt::Display for MarginalEffects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(MarginalEffects);
