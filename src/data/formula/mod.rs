//! Formulas: what is explained by what, in the grammar of R's fixest.

mod arithmetic;
pub mod ast;
pub mod builder;
mod lexer;
mod parser;
mod terms;
mod text;

pub(crate) use ast::columns_of;
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
/// It differs from R where R would surprise: `x^2` and `x / z` outside `I()` are refused, since there they do not mean
/// arithmetic; the factors of a product keep the order in which they are written, also in the coefficient's name; a term
/// that is not there cannot be removed; rows where only a column taken out of `.` is missing are used. `0` as effects part
/// means none. Slopes that vary by effect (`fe[x]`) and `i()` of two categories are not supported.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(formula: impl Into<Formula>) -> ParsedFormula {
        formula.into().parse().unwrap()
    }

    /// The canonical text.
    fn canonical(text: &str) -> String {
        tree(text).to_string()
    }

    #[test]
    fn the_grammar_of_sums_and_products() {
        for (text, expected) in [
            ("y~x", "y ~ x"),
            ("y ~ a*b", "y ~ a + b + a:b"),
            ("y ~ (a + b)*c", "y ~ a + b + c + a:c + b:c"),
            ("y ~ (a+b+c)^2", "y ~ a + b + c + a:b + a:c + b:c"),
            ("y ~ (a+b)^9", "y ~ a + b + a:b"),
            ("y ~ a:b + a", "y ~ a + a:b"),
            ("y ~ a + a + b:a + a:b", "y ~ a + b:a"),
            ("y ~ a*b - a", "y ~ b + a:b"),
            ("y ~ a*b - b:a", "y ~ a + b"),
            ("y ~ x - 1", "y ~ 0 + x"),
            ("y ~ -1 + x", "y ~ 0 + x"),
            ("y ~ 0 + x + 1", "y ~ x"),
            ("y ~ x - 0", "y ~ x"),
            ("y ~ 1", "y ~ 1"),
            ("y ~ . - a + a", "y ~ . + a"),
            ("y ~ a:a", "y ~ a"),
        ] {
            assert_eq!(canonical(text), expected, "{text}");
        }
    }

    #[test]
    fn the_grammar_of_functions() {
        for (text, expected) in [
            ("log(y) ~ log( x+1 )", "log(y) ~ log(x + 1)"),
            ("y2 - y1 ~ x", "I(y2 - y1) ~ x"),
            ("I(y) ~ x", "y ~ x"),
            ("y ~ I(x1 + 2*x2)", "y ~ I(x1 + 2 * x2)"),
            ("y ~ I((a - b) - (c - d))", "y ~ I(a - b - (c - d))"),
            ("y ~ I(a^b^c) + I((a^b)^c)", "y ~ I(a^b^c) + I((a^b)^c)"),
            ("y ~ I(-x^2) + I((-x)^2)", "y ~ I(-x^2) + I((-x)^2)"),
            ("y ~ I((-2)^2 + 1e20)", "y ~ I((-2)^2 + 1e20)"),
            ("y ~ I(age > 30)", "y ~ I(age > 30)"),
            ("y ~ I(arm == 'a b')", "y ~ I(arm == \"a b\")"),
            ("y ~ factor(k, ref = 2.0)", "y ~ C(k, ref = 2)"),
            ("y ~ C(arm, ref = control)", "y ~ C(arm, ref = \"control\")"),
            ("y ~ C(f, ref = TRUE)", "y ~ C(f, ref = \"true\")"),
            ("y ~ i(t, d, ref=c(-1, -2))", "y ~ i(t, d, ref = c(-1, -2))"),
            ("y ~ poly(x, 2, raw = TRUE)", "y ~ poly(x, 2, raw = true)"),
            ("y ~ `my col`:x.1 + `x`", "y ~ x + `my col`:x.1"),
        ] {
            assert_eq!(canonical(text), expected, "{text}");
        }
    }

    #[test]
    fn the_grammar_of_parts() {
        for (text, expected) in [
            ("y ~ x | f + g^h", "y ~ x | f + g^h"),
            ("y ~ x | d ~ z", "y ~ x | d ~ z"),
            (
                "y ~ 1 | f | d1 + d2 ~ z1 + z2",
                "y ~ 1 | f | d1 + d2 ~ z1 + z2",
            ),
            ("y ~ x | 0 | d ~ z", "y ~ x | d ~ z"),
            ("y ~ 0 | d ~ z", "y ~ 0 | d ~ z"),
            ("y ~ 0 + x | f", "y ~ x | f"),
        ] {
            assert_eq!(canonical(text), expected, "{text}");
        }
        let parsed = tree("y ~ x + C(k):x | f^g | d ~ log(z)");
        assert_eq!(parsed.variables(), ["y", "x", "k", "f", "g", "d", "z"]);
    }

    #[test]
    fn errors_point_at_the_character() {
        for (text, position, part) in [
            ("", 0, "empty"),
            ("  ", 0, "empty"),
            ("y x", 3, "no `~`"),
            ("~ x", 0, "before `~`"),
            ("y ~", 3, "nothing on the right"),
            ("y ~ 0", 4, "nothing on the right"),
            ("y ~ x ~ z", 6, "second `~`"),
            ("y ~ (a + b", 4, "not closed"),
            ("y ~ a + b)", 9, "found `)`"),
            ("y ~ log(x", 4, "not closed"),
            ("y ~ lgo(x)", 4, "did you mean `log`"),
            ("y ~ a +", 7, "the formula ends"),
            ("y ~ a + + b", 8, "found `+`"),
            ("y ~ a b", 6, "found `b`"),
            ("y ~ | f", 4, "expected a term"),
            ("y ~ x |", 7, "fixed effect"),
            ("y ~ x || f", 7, "fixed effect"),
            ("y ~ x | f | g", 13, "`~` between"),
            ("y ~ x | f | d ~ z | q", 18, "one bar too many"),
            ("y ~ x | f[z]", 9, "not supported"),
            ("y ~ x | log(f)", 11, "fixed effects are columns"),
            ("y ~ x | f | d ~ ", 16, "expected a term"),
            ("y ~ x + y", 8, "is the outcome"),
            ("log(y) ~ log(y)", 9, "is the outcome"),
            ("y ~ I(y)", 4, "is the outcome"),
            ("y ~ x | y", 8, "is the outcome"),
            ("y ~ x | f^y", 8, "is the outcome"),
            ("y ~ x + d | d ~ z", 12, "endogenous here"),
            ("y ~ x | d ~ x", 12, "already a regressor"),
            ("y ~ x | d ~ d", 12, "own instrument"),
            ("y ~ x^2", 4, "I(x^2)"),
            ("y ~ x / z", 6, "I(x / z)"),
            ("y ~ 2 * x", 4, "arithmetic belongs in I()"),
            ("y ~ x - z", 8, "before it to remove"),
            ("y ~ I(x = 2)", 8, "`==`"),
            ("y ~ I(a > 1 & b > 1)", 12, "multiply two comparisons"),
            ("y ~ C(k, base = 2)", 9, "`ref = …`"),
            ("y ~ poly(x)", 10, "degree"),
            ("y ~ poly(x, 2.5)", 12, "degree"),
            ("größe ~ x + §", 12, "`§`"),
            ("y ~ `x", 4, "closing"),
            ("y ~ ``", 4, "no name"),
        ] {
            let found = match Formula::from(text).parse() {
                Err(Error::Formula {
                    position, message, ..
                }) => (position, message),
                other => panic!("{text}: {other:?}"),
            };
            assert_eq!(found.0, position, "{text}: {}", found.1);
            assert!(found.1.contains(part), "{text}: {}", found.1);
        }
    }

    #[test]
    fn what_would_exhaust_memory_or_stack_is_refused() {
        let sum: Vec<String> = (0..60).map(|i| format!("x{i}")).collect();
        for text in [
            format!("y ~ {}", "(".repeat(100_000)),
            format!("y ~ I({}x)", "-".repeat(100_000)),
            format!("y ~ I(x{})", " + x".repeat(100_000)),
            format!("y ~ I(x{})", "^x".repeat(100_000)),
            format!("y ~ ({})^20", sum.join(" + ")),
            format!("y ~ {}", sum.join("*")),
            format!("y ~ {}.{}", "(".repeat(90), " + .)^20".repeat(90)),
        ] {
            assert!(Formula::from(text).parse().is_err());
        }
    }

    #[test]
    fn the_builder_gives_the_same_tree_as_the_text() {
        let built = Formula::outcome("y")
            .regressor("x1")
            .regressors(["a", "my col"])
            .interaction(["x2", "z"])
            .categorical("k")
            .categorical_with_reference("k2", "2")
            .categorical_with_reference("arm", "control")
            .log("w")
            .function("sqrt", "v")
            .polynomial("x", 3)
            .event_study("t", "d", "-1")
            .term("I(x^2)")
            .fixed_effects(["fe1", "fe 2"])
            .combined_effect(["f", "g"])
            .instrument("e1", ["z1"])
            .instrument("e2", ["z2", "z3"])
            .without_intercept();
        let text = "y ~ 0 + x1 + a + `my col` + x2:z + C(k) + C(k2, ref = 2) + C(arm, ref = \"control\") + log(w) \
                    + sqrt(v) + poly(x, 3) + i(t, d, ref = -1) + I(x^2) | fe1 + `fe 2` + f^g | e1 + e2 ~ z1 + z2 + z3";
        assert_eq!(tree(built), tree(text));
        assert_eq!(tree(Formula::outcome("y")), tree("y ~ 1"));
        let slip = Formula::from(Formula::outcome("y").function("lgo", "x")).parse();
        assert!(slip.unwrap_err().to_string().contains("did you mean `log`"));
    }

    #[test]
    fn a_formula_is_stored_as_its_text() {
        let formula = Formula::from("y ~ x");
        let json = serde_json::to_string(&formula).unwrap();
        assert_eq!(json, "\"y ~ x\"");
        assert_eq!(serde_json::from_str::<Formula>(&json).unwrap(), formula);
    }
}
