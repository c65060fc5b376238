//! A formula from calls instead of text.

use super::Formula;
use super::text::{Level, Quoted};

/// Builds a [`Formula`] without writing one; made by [`Formula::outcome`]. Names are taken as they are, so that columns
/// with spaces need no backticks. It can be given wherever a formula can.
///
/// ```
/// use cocreate::prelude::*;
/// let built: Formula = Formula::outcome("y")
///     .regressor("x")
///     .interaction(["x", "z"])
///     .categorical("arm")
///     .fixed_effects(["village"])
///     .instrument("d", ["draw"])
///     .into();
/// assert_eq!(built.to_string(), "y ~ x + x:z + C(arm) | village | d ~ draw");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FormulaBuilder {
    outcome: String,
    intercept: bool,
    terms: Vec<String>,
    effects: Vec<String>,
    endogenous: Vec<String>,
    instruments: Vec<String>,
}

impl FormulaBuilder {
    pub(super) fn new(outcome: String) -> Self {
        Self {
            outcome,
            intercept: true,
            terms: Vec::new(),
            effects: Vec::new(),
            endogenous: Vec::new(),
            instruments: Vec::new(),
        }
    }

    /// A column as regressor.
    pub fn regressor(self, column: impl AsRef<str>) -> Self {
        self.term(quoted(column))
    }

    /// Several columns as regressors.
    pub fn regressors<S: AsRef<str>>(self, columns: impl IntoIterator<Item = S>) -> Self {
        columns.into_iter().fold(self, Self::regressor)
    }

    /// The product of columns, `a:b`, without their main effects.
    pub fn interaction<S: AsRef<str>>(self, columns: impl IntoIterator<Item = S>) -> Self {
        let columns: Vec<String> = columns.into_iter().map(quoted).collect();
        self.term(columns.join(":"))
    }

    /// A column as categories, compared with the first in sorted order.
    pub fn categorical(self, column: impl AsRef<str>) -> Self {
        self.term(format!("C({})", quoted(column)))
    }

    /// A column as categories, compared with a level of choice.
    pub fn categorical_with_reference(
        self,
        column: impl AsRef<str>,
        reference: impl AsRef<str>,
    ) -> Self {
        let level = Level(reference.as_ref()).to_string();
        self.term(format!("C({}, ref = {level})", quoted(column)))
    }

    /// Indicators of the levels of `column` times `interacted`, without the reference level: `i(period, treated, ref = -1)`.
    pub fn event_study(
        self,
        column: impl AsRef<str>,
        interacted: impl AsRef<str>,
        reference: impl AsRef<str>,
    ) -> Self {
        let level = Level(reference.as_ref()).to_string();
        self.term(format!(
            "i({}, {}, ref = {level})",
            quoted(column),
            quoted(interacted)
        ))
    }

    /// The natural logarithm of a column.
    pub fn log(self, column: impl AsRef<str>) -> Self {
        self.function("log", column)
    }

    /// A function of a column, by the names of [`super::Function`].
    pub fn function(self, name: &str, column: impl AsRef<str>) -> Self {
        self.term(format!("{name}({})", quoted(column)))
    }

    /// Orthogonal polynomials of a column, `poly(x, 3)`.
    pub fn polynomial(self, column: impl AsRef<str>, degree: usize) -> Self {
        self.term(format!("poly({}, {degree})", quoted(column)))
    }

    /// A term written in the formula language, e.g. `I(x^2)` or `a*b`.
    pub fn term(mut self, text: impl Into<String>) -> Self {
        self.terms.push(text.into());
        self
    }

    /// Fixed effects, one a column.
    pub fn fixed_effects<S: AsRef<str>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.effects.extend(columns.into_iter().map(quoted));
        self
    }

    /// One fixed effect for each combination of the columns, `fe1^fe2`.
    pub fn combined_effect<S: AsRef<str>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        let columns: Vec<String> = columns.into_iter().map(quoted).collect();
        self.effects.push(columns.join("^"));
        self
    }

    /// An endogenous regressor and its instruments. With several calls the instruments serve all endogenous regressors.
    pub fn instrument<S: AsRef<str>>(
        mut self,
        endogenous: impl AsRef<str>,
        instruments: impl IntoIterator<Item = S>,
    ) -> Self {
        self.endogenous.push(quoted(endogenous));
        self.instruments.extend(instruments.into_iter().map(quoted));
        self
    }

    /// No constant.
    pub fn without_intercept(mut self) -> Self {
        self.intercept = false;
        self
    }
}

fn quoted(name: impl AsRef<str>) -> String {
    Quoted(name.as_ref()).to_string()
}

impl From<FormulaBuilder> for Formula {
    fn from(builder: FormulaBuilder) -> Self {
        let mut terms = builder.terms;
        if !builder.intercept {
            terms.insert(0, "0".to_owned());
        } else if terms.is_empty() {
            terms.push("1".to_owned());
        }
        let mut parts = vec![terms.join(" + ")];
        if !builder.effects.is_empty() {
            parts.push(builder.effects.join(" + "));
        }
        if !builder.endogenous.is_empty() {
            parts.push(format!(
                "{} ~ {}",
                builder.endogenous.join(" + "),
                builder.instruments.join(" + ")
            ));
        }
        format!("{} ~ {}", quoted(builder.outcome), parts.join(" | ")).into()
    }
}
