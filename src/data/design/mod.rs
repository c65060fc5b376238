//! Design matrices: the columns, fixed effects and rows that a formula asks of a frame.

mod coding;
pub mod column;
mod effects;
mod elsewhere;
mod evaluate;
mod everything;
mod polynomial;
mod sample;

pub use column::DesignColumn;
pub(crate) use elsewhere::{Elsewhere, elsewhere, regressor_variables};

use super::column::Groups;
use super::formula::{Expression, Factor, ParsedFormula};
use super::frame::Frame;
use super::rows::Rows;
use crate::error::Result;
use coding::{Coder, Span};
use column::Part;

/// The columns of a model on the rows where all of them are present. Numbers are shared with the frame; indicators and
/// products are computed block by block ([`DesignColumn::fill`]).
///
/// A category is coded by R's rule: its reference level is left out when the term without this category is spanned by the
/// terms before it (the constant spans the empty term, and fixed effects imply the constant), otherwise all its levels
/// are columns. Levels without used rows have no column. Main effects come before interactions; in an interaction of
/// categories the first varies fastest.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = Frame::new()
///     .with("y", vec![1.0, 2.0, 3.0, 4.0])?
///     .with("arm", vec!["control", "treated", "control", "treated"])?
///     .with("x", vec![Some(0.5), None, Some(1.5), Some(2.5)])?;
/// let formula = Formula::from("y ~ arm*x").parse()?;
/// let design = Design::build(&formula, &frame, &[])?;
/// let names: Vec<&str> = design.exogenous.iter().map(|c| c.name.as_str()).collect();
/// assert_eq!(names, ["arm[treated]", "x", "arm[treated]:x"]);
/// assert_eq!(design.exogenous[2].values(&design.rows), [0.0, 0.0, 2.5]);
/// assert_eq!(design.missing, [("x".to_owned(), 1)]);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Design {
    /// The outcome.
    pub outcome: DesignColumn,
    /// Whether the model has a column of ones: false with fixed effects, which absorb it.
    pub intercept: bool,
    /// The exogenous regressors, without the constant.
    pub exogenous: Vec<DesignColumn>,
    /// The endogenous regressors.
    pub endogenous: Vec<DesignColumn>,
    /// The excluded instruments.
    pub instruments: Vec<DesignColumn>,
    /// The fixed effects over the used rows: every code used, none missing.
    pub fixed_effects: Vec<Groups>,
    /// The rows used.
    pub rows: Rows,
    /// The used columns that have missing values, with their number in the frame.
    pub missing: Vec<(String, usize)>,
}

impl Design {
    /// Finds the columns, drops the rows where one of them or of `also` (weights, clusters) is missing, and codes
    /// categories and effects on the rest. Orthogonal polynomials and standardised columns are those of these rows.
    ///
    /// # Errors
    /// Those of [`crate::Error`]: `ColumnNotFound`; `WrongKind` for a label where numbers are needed; `NoRows`; `Infinite` and
    /// `OutOfRange` for values and results that are not finite on used rows; `InvalidOption` for a reference that is not a level or a polynomial of too high a degree.
    pub fn build(formula: &ParsedFormula, frame: &Frame, also: &[&str]) -> Result<Self> {
        let exogenous = everything::expand(formula, frame)?;
        let names = formula.used(&exogenous, also);
        let (rows, missing) = sample::used_rows(&names, frame)?;
        sample::refuse_infinite(&names, frame, &rows)?;

        let outcome = outcome(formula, frame, &rows)?;
        let mut coder = Coder::new(frame, &rows, formula.intercept());
        let mut span = Span::default();
        let exogenous = coder.columns(&exogenous, &mut span)?;
        let endogenous = coder.columns(formula.endogenous(), &mut span.clone())?;
        let instruments = coder.columns(formula.instruments(), &mut span)?;
        let fixed_effects = formula
            .effects()
            .iter()
            .map(|effect| effects::build(effect, frame, &rows))
            .collect::<Result<Vec<Groups>>>()?;
        Ok(Self {
            outcome,
            intercept: formula.intercept() && fixed_effects.is_empty(),
            exogenous,
            endogenous,
            instruments,
            fixed_effects,
            rows,
            missing,
        })
    }

    /// Drops further rows, e.g. singletons: `keep` has one entry a used row. Effects are recoded; categories keep their
    /// columns, even those that become zero, and polynomials the rows they were orthogonal on.
    pub fn restrict(&mut self, keep: &[bool]) {
        self.rows = self.rows.retain(keep);
        for effect in &mut self.fixed_effects {
            *effect = effects::restrict(effect, keep);
        }
    }

    /// The regressors of the outcome equation, endogenous ones first as in fixest's tables, without the constant.
    pub fn regressors(&self) -> impl Iterator<Item = &DesignColumn> {
        self.endogenous.iter().chain(&self.exogenous)
    }
}

/// The outcome as one column of numbers.
fn outcome(formula: &ParsedFormula, frame: &Frame, rows: &Rows) -> Result<DesignColumn> {
    let part = match formula.outcome() {
        Expression::Column(column) => {
            let part = coding::plain(frame, column).map_err(|error| {
                error.with_remedy(|label| {
                    format!("an outcome needs numbers: compare it with a text, as in I({label} == \"…\"), or correct the text")
                })
            })?;
            return Ok(DesignColumn::product(column.clone(), vec![part]));
        }
        other => Part::Numbers(evaluate::evaluate(other, frame, rows)?),
    };
    let name = Factor::Computed(formula.outcome().clone()).to_string();
    Ok(DesignColumn::product(name, vec![part]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Formula;
    use crate::error::Error;

    fn build(text: &str, frame: &Frame) -> Result<Design> {
        Design::build(&Formula::from(text).parse()?, frame, &[])
    }

    fn names(columns: &[DesignColumn]) -> Vec<&str> {
        columns.iter().map(|c| c.name.as_str()).collect()
    }

    /// Eight rows of an experiment in two villages; one age is missing.
    fn customers() -> Frame {
        let na = f64::NAN;
        Frame::new()
            .with("spent", vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0])
            .unwrap()
            .with("age", vec![30.0, na, 50.0, 20.0, 40.0, 60.0, 25.0, 35.0])
            .unwrap()
            .with("arm", vec!["b", "a", "b", "c", "a", "b", "a", "b"])
            .unwrap()
            .with(
                "member",
                vec![true, false, true, true, false, false, true, false],
            )
            .unwrap()
            .with("period", vec![-2, -1, 0, 1, -2, -1, 0, 1])
            .unwrap()
            .with("village", vec!["p", "p", "q", "q", "p", "p", "q", "q"])
            .unwrap()
            .with("my col", vec![1, 2, 1, 2, 1, 2, 1, 2])
            .unwrap()
    }

    #[test]
    fn plain_columns_are_not_copied() {
        let frame = customers();
        let design = build("spent ~ member + period", &frame).unwrap();
        assert!(design.rows.is_all());
        let slice = design.outcome.slice(&design.rows, 0..8).unwrap();
        assert!(std::ptr::eq(slice, frame.real("spent").unwrap()));
        assert!(design.exogenous[1].slice(&design.rows, 0..8).is_some());
        let member = design.exogenous[0].values(&design.rows);
        assert_eq!(member, [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn names_are_readable() {
        let design = build(
            "log(spent) ~ arm + C(`my col`)*age + I(age > 30) + `my col` + poly(age, 2) + C(member)",
            &customers(),
        )
        .unwrap();
        assert_eq!(design.outcome.name, "log(spent)");
        assert_eq!(
            names(&design.exogenous),
            [
                "arm[b]",
                "arm[c]",
                "C(`my col`)[2]",
                "age",
                "I(age > 30)",
                "my col",
                "poly(age, 2)1",
                "poly(age, 2)2",
                "C(member)[true]",
                "C(`my col`)[2]:age"
            ]
        );
    }

    #[test]
    fn rows_with_missing_values_are_dropped_and_counted() {
        let frame = customers()
            .with(
                "w",
                vec![
                    Some(1.0),
                    None,
                    None,
                    Some(1.0),
                    Some(1.0),
                    Some(1.0),
                    Some(1.0),
                    Some(1.0),
                ],
            )
            .unwrap();
        let formula = Formula::from("spent ~ age").parse().unwrap();
        let design = Design::build(&formula, &frame, &["w"]).unwrap();
        assert_eq!(design.rows.indices(), Some(&[0, 3, 4, 5, 6, 7][..]));
        assert_eq!(design.missing, [("age".to_owned(), 1), ("w".to_owned(), 2)]);
        assert_eq!(
            design.outcome.values(&design.rows),
            [1.0, 4.0, 5.0, 6.0, 7.0, 8.0]
        );
    }

    #[test]
    fn only_levels_of_used_rows_have_columns() {
        // `a` keeps two rows; `c` stands only where w is missing
        let w = vec![1.0, 1.0, 1.0, f64::NAN, 1.0, 1.0, 1.0, 1.0];
        let frame = customers().with("w", w).unwrap();
        let design = build("spent ~ arm + w", &frame).unwrap();
        assert_eq!(names(&design.exogenous), ["arm[b]", "w"]);
        let design = build("spent ~ C(arm, ref = \"b\")", &frame).unwrap();
        assert_eq!(names(&design.exogenous), ["C(arm)[a]", "C(arm)[c]"]);
        let error = build("spent ~ C(arm, ref = \"c\") + w", &frame).unwrap_err();
        assert!(error.to_string().contains("`a`, `b`"), "{error}");
    }

    #[test]
    fn a_category_of_one_level_stays_visible() {
        let frame = customers().with("one", vec!["x"; 8]).unwrap();
        let design = build("spent ~ one", &frame).unwrap();
        assert_eq!(names(&design.exogenous), ["one[x]"]);
        assert_eq!(design.exogenous[0].values(&design.rows), [1.0; 8]);
    }

    #[test]
    fn event_study_indicators_are_named_as_in_fixest() {
        let frame = customers();
        let design = build("spent ~ i(period, member, ref = -1) | village", &frame).unwrap();
        assert_eq!(
            names(&design.exogenous),
            ["period::-2:member", "period::0:member", "period::1:member"]
        );
        let first = design.exogenous[0].values(&design.rows);
        assert_eq!(first, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let design = build("spent ~ i(period)", &frame).unwrap();
        assert_eq!(
            names(&design.exogenous),
            ["period::-1", "period::0", "period::1"]
        );
        let design = build("spent ~ i(period, ref = c(-1, 1))", &frame).unwrap();
        assert_eq!(names(&design.exogenous), ["period::-2", "period::0"]);
        assert!(build("spent ~ i(period, member, ref = 7)", &frame).is_err());
    }

    #[test]
    fn effects_imply_the_constant_and_are_compact() {
        let design = build(
            "spent ~ 0 + arm + age | village + village^member",
            &customers(),
        )
        .unwrap();
        assert!(!design.intercept);
        assert_eq!(names(&design.exogenous), ["arm[b]", "arm[c]", "age"]);
        assert_eq!(*design.fixed_effects[0].codes, [0, 1, 1, 0, 0, 1, 1]);
        assert_eq!(design.fixed_effects[1].name, "village^member");
        assert_eq!(
            *design.fixed_effects[1].levels,
            ["p_false", "p_true", "q_false", "q_true"]
        );
        let mut fewer = design.clone();
        fewer.restrict(&[true, false, false, true, true, false, false]);
        assert_eq!(fewer.rows.indices(), Some(&[0, 4, 5][..]));
        assert_eq!(*fewer.fixed_effects[0].levels, ["p"]);
        assert_eq!(*fewer.fixed_effects[1].codes, [1, 0, 0]);
        assert_eq!(fewer.exogenous[2].values(&fewer.rows), [30.0, 40.0, 60.0]);
    }

    #[test]
    fn instruments_are_coded_beside_the_exogenous_terms() {
        let design = build("spent ~ arm | period ~ arm:village + age", &customers()).unwrap();
        assert!(design.intercept);
        assert_eq!(names(&design.endogenous), ["period"]);
        assert_eq!(
            names(&design.instruments),
            [
                "age",
                "arm[a]:village[q]",
                "arm[b]:village[q]",
                "arm[c]:village[q]"
            ]
        );
    }

    #[test]
    fn the_dot_leaves_out_what_has_another_role() {
        let design = build(
            "spent ~ . - `my col` | village | age ~ period",
            &customers(),
        )
        .unwrap();
        assert_eq!(names(&design.exogenous), ["arm[b]", "arm[c]", "member"]);
        assert!(matches!(
            build("spent ~ . - agee", &customers()),
            Err(Error::ColumnNotFound { nearest: Some(name), .. }) if name == "age"
        ));
    }

    #[test]
    fn a_column_taken_out_of_the_dot_costs_no_rows() {
        let design = build("spent ~ . - age", &customers()).unwrap();
        assert!(design.rows.is_all() && design.missing.is_empty());
    }

    #[test]
    fn standardised_columns_use_the_rows_used() {
        let design = build("spent ~ standardize(age) + center(period)", &customers()).unwrap();
        let z = design.exogenous[0].values(&design.rows);
        let ages = [30.0, 50.0, 20.0, 40.0, 60.0, 25.0, 35.0];
        let mean = 260.0 / 7.0;
        let squares: f64 = ages.iter().map(|a: &f64| (a - mean).powi(2)).sum();
        for (z, age) in z.iter().zip(ages) {
            assert!((z - (age - mean) / (squares / 6.0).sqrt()).abs() < 1e-14);
        }
        assert!(build("spent ~ standardize(I(0 * age))", &customers()).is_err());
    }

    #[test]
    fn texts_are_compared_inside_arithmetic() {
        let design = build(
            "spent ~ I(arm == \"b\") + I(arm != \"b\"):period",
            &customers(),
        )
        .unwrap();
        let b = design.exogenous[0].values(&design.rows);
        assert_eq!(b, [1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0]);
        let rest = design.exogenous[1].values(&design.rows);
        assert_eq!(rest, [0.0, -1.0, 0.0, 1.0, -2.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn values_that_are_not_finite_are_named() {
        let frame = customers()
            .with("v", vec![1.0, 2.0, 0.0, 1.0, 1.0, 1.0, -3.0, 1.0])
            .unwrap()
            .with(
                "inf",
                vec![1.0, f64::INFINITY, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            )
            .unwrap();
        let infinite = |column: &str, row| Error::Infinite {
            column: column.into(),
            row,
        };
        assert_eq!(
            build("spent ~ log(v)", &frame).unwrap_err(),
            infinite("log(v)", 3)
        );
        assert_eq!(
            build("spent ~ inf", &frame).unwrap_err(),
            infinite("inf", 2)
        );
        // the infinite value is in the row whose age is missing
        assert!(build("spent ~ inf + age", &frame).is_ok());
        let error = build("sqrt(v) ~ age", &frame).unwrap_err();
        let expected = Error::OutOfRange {
            column: "sqrt(v)".into(),
            row: 7,
            value: -3.0,
            expected: "at least 0".into(),
        };
        assert_eq!(error, expected);
        assert!(matches!(
            build("spent ~ I(v / v)", &frame),
            Err(Error::OutOfRange { row: 3, value, .. }) if value <= 0.0
        ));
        // the comparison does not hide that the logarithm has no value
        assert!(matches!(
            build("spent ~ I(log(v + 1) > 0)", &frame),
            Err(Error::OutOfRange { column, row: 7, .. }) if column == "log(v + 1)"
        ));
    }

    #[test]
    fn labels_cannot_stand_where_numbers_are_needed() {
        let frame = customers();
        for text in [
            "arm ~ age",
            "spent ~ log(arm)",
            "spent ~ i(period, arm)",
            "spent ~ poly(arm, 2)",
        ] {
            let error = build(text, &frame).unwrap_err();
            assert!(
                matches!(&error, Error::WrongKind { column, .. } if column == "arm"),
                "{text}: {error}"
            );
        }
        let text = build("arm ~ age", &frame).unwrap_err().to_string();
        assert!(text.contains("I(arm == "), "{text}");
        let text = build("spent ~ i(period, arm)", &frame)
            .unwrap_err()
            .to_string();
        assert!(text.ends_with("write C(period):C(arm)"), "{text}");
        let error = build("spent ~ agee", &frame).unwrap_err().to_string();
        assert!(error.contains("did you mean `age`"), "{error}");
    }

    #[test]
    fn no_rows_left_names_the_emptiest_columns() {
        let na = f64::NAN;
        let frame = Frame::new()
            .with("y", vec![1.0, na, 3.0])
            .unwrap()
            .with("x", vec![na, 1.0, na])
            .unwrap();
        let text = build("y ~ x", &frame).unwrap_err().to_string();
        assert!(
            text.contains("`x` (2 of 3 missing), `y` (1 of 3 missing)"),
            "{text}"
        );
    }
}
