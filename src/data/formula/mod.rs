//! Formulas: what is explained by what, in the grammar of R's fixest.

mod arithmetic;
pub mod ast;
pub mod builder;
mod lexer;
mod parser;
mod terms;
mod text;

pub use ast::{Effect, Expression, Factor, Function, Operator, ParsedFormula, Term};
pub use builder::FormulaBuilder;

pub(crate) use terms::MOST_TERMS;
pub(crate) use text::Quoted;

use crate::error::{Error, Result};
use std::fmt;

/// A formula: `outcome ~ regressors | fixed effects | endogenous ~ instruments`. The last two parts may be left out,
/// also the effects alone (`y ~ x | d ~ z`).
///
/// | written | means |
/// |---|---|
/// | `a + b`, `a:b`, `a*b`, `(a + b)^2` | both; their product; both and their product; all products of two |
/// | `- a`, `0 +` or `- 1`, `.` | without a; without a constant; all other columns |
/// | `C(k)`, `factor(k)`, `C(k, ref = 2)` | categories of a column of any kind; a bare label column is one too |
/// | `log(w)`, `I(x^2)`, `I(age > 30)`, `I(arm == "a")` | values computed row by row; comparisons give 1 or 0 |
/// | `poly(x, 3)`, `poly(x, 3, raw = true)` | orthogonal polynomials over the rows used, as in R; plain powers |
/// | `i(period, treated, ref = -1)` | an indicator of each level but the reference, times `treated` |
/// | `fe1^fe2` | one fixed effect for each combination |
///
/// The functions are those of [`Function`]. Names with spaces or other characters stand in backticks. Arithmetic stands
/// inside `I()` or a function; in the outcome it may stand bare. A formula is only text until [`Formula::parse`]; an
/// estimator parses it when it fits and reports what is wrong with the position.
///
/// ```
/// use cocreate::prelude::*;
/// let formula = Formula::from("log(spent) ~ invited*age | village");
/// assert_eq!(formula.parse()?.to_string(), "log(spent) ~ invited + age + invited:age | village");
/// let error = Formula::from("y ~ lgo(x)").parse().unwrap_err();
/// assert!(error.to_string().contains("did you mean `log`?"));
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # References
/// Wilkinson & Rogers (1973), doi:10.2307/2346786, for the language; Bergé (2018), CREA discussion paper 13, for the
/// parts behind bars.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Formula {
    text: String,
}

impl Formula {
    /// Starts a formula without writing one.
    pub fn outcome(column: impl Into<String>) -> FormulaBuilder {
        FormulaBuilder::new(column.into())
    }

    /// The syntax tree.
    ///
    /// # Errors
    /// [`Error::Formula`] with the character where the formula goes wrong and what was expected there.
    pub fn parse(&self) -> Result<ParsedFormula> {
        parser::parse(&self.text).map_err(|fault| Error::Formula {
            formula: self.text.clone(),
            position: fault.position,
            message: fault.message,
        })
    }

    /// The text as given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<&str> for Formula {
    fn from(text: &str) -> Self {
        Self {
            text: text.to_owned(),
        }
    }
}

impl From<String> for Formula {
    fn from(text: String) -> Self {
        Self { text }
    }
}

impl From<&String> for Formula {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Formula> for Formula {
    fn from(formula: &Formula) -> Self {
        formula.clone()
    }
}

impl From<ParsedFormula> for Formula {
    fn from(tree: ParsedFormula) -> Self {
        Self {
            text: tree.to_string(),
        }
    }
}
