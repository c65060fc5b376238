//! Arithmetic of formulas, evaluated for all rows of a frame in blocks; what goes wrong is found afterwards, row by row.

use crate::data::column::Column;
use crate::data::formula::{Expression, Function, Operator};
use crate::data::frame::Frame;
use crate::data::rows::Rows;
use crate::error::{Error, Result};
use crate::numeric::blocks;
use std::sync::Arc;

/// Rows a block: the temporaries of a deep expression stay in the cache.
const BLOCK: usize = 4096;

/// The values of an expression on every row of the frame. Rows that are not used may hold anything.
///
/// # Errors
/// [`Error::OutOfRange`] where a function of numbers is not a number, [`Error::Infinite`] where a result is infinite, both
/// on used rows only; [`Error::WrongKind`] for a label used as number; [`Error::ColumnNotFound`].
pub(super) fn evaluate(
    expression: &Expression,
    frame: &Frame,
    rows: &Rows,
) -> Result<Arc<Vec<f64>>> {
    let node = resolve(expression, frame, rows)?;
    if let Node::Values(values) = &node {
        return Ok(Arc::clone(values));
    }
    let mut out = vec![0.0; frame.rows()];
    blocks::fill(&mut out, BLOCK, |first, chunk| node.fill(first, chunk));
    let finite = |row: &usize| out[*row].is_finite();
    match (0..rows.len())
        .map(|i| rows.index(i))
        .find(|row| !finite(row))
    {
        None => Ok(Arc::new(out)),
        Some(row) => Err(diagnose(&node, expression, row)),
    }
}

/// An expression with its columns found.
enum Node {
    Number(f64),
    Values(Arc<Vec<f64>>),
    Call(Function, Box<Node>),
    /// (x − shift) / scale
    Affine(Box<Node>, f64, f64),
    Negate(Box<Node>),
    Binary(Operator, Box<Node>, Box<Node>),
}

fn resolve(expression: &Expression, frame: &Frame, rows: &Rows) -> Result<Node> {
    Ok(match expression {
        Expression::Number(value) => Node::Number(*value),
        Expression::Column(column) => Node::Values(numbers(frame, column)?),
        Expression::Is {
            column,
            text,
            equal,
        } => Node::Values(Arc::new(matches_text(frame.column(column)?, text, *equal))),
        Expression::Call(function @ (Function::Center | Function::Standardize), inner) => {
            let values = evaluate(inner, frame, rows)?;
            let (mean, deviation) = moments(&values, rows);
            let scale = match function {
                Function::Center => 1.0,
                _ => deviation,
            };
            if scale <= 0.0 || scale.is_nan() {
                let row = rows.index(0);
                return Err(Error::OutOfRange {
                    column: expression.to_string(),
                    row: row + 1,
                    value: values[row],
                    expected: "different from other rows (a constant has no standard deviation)"
                        .to_owned(),
                });
            }
            Node::Affine(Box::new(Node::Values(values)), mean, scale)
        }
        Expression::Call(function, inner) => {
            Node::Call(*function, Box::new(resolve(inner, frame, rows)?))
        }
        Expression::Negate(inner) => Node::Negate(Box::new(resolve(inner, frame, rows)?)),
        Expression::Binary(operator, left, right) => Node::Binary(
            *operator,
            Box::new(resolve(left, frame, rows)?),
            Box::new(resolve(right, frame, rows)?),
        ),
    })
}

/// A column as numbers, with a remedy that fits arithmetic.
fn numbers(frame: &Frame, column: &str) -> Result<Arc<Vec<f64>>> {
    match frame.numeric(column) {
        Ok(real) => Ok(Arc::clone(real.values())),
        Err(error) => Err(error.with_remedy(|label| {
            format!("compare it with a text, as in I({label} == \"…\"), or use it as a category outside functions")
        })),
    }
}

/// 1 where the column's text is (or is not) the given text.
fn matches_text(column: &Column, text: &str, equal: bool) -> Vec<f64> {
    let value = |is: bool| f64::from(u8::from(is == equal));
    if let Column::Label(label) = column {
        let is: Vec<bool> = label.levels().iter().map(|level| level == text).collect();
        let of_code = |code: &u32| is.get(*code as usize).copied().unwrap_or(false);
        return label.codes().iter().map(|c| value(of_code(c))).collect();
    }
    (0..column.len())
        .map(|row| value(column.text(row).is_some_and(|t| t == text)))
        .collect()
}

/// Mean and standard deviation (divisor n − 1) over the used rows.
fn moments(values: &[f64], rows: &Rows) -> (f64, f64) {
    let n = rows.len() as f64;
    let sum = |term: &dyn Fn(f64) -> f64| -> f64 {
        (0..rows.len()).map(|i| term(values[rows.index(i)])).sum()
    };
    let mean = sum(&|v| v) / n;
    let squares = sum(&|v| (v - mean) * (v - mean));
    (mean, (squares / (n - 1.0)).sqrt())
}

impl Node {
    /// Writes the rows from `first` on.
    fn fill(&self, first: usize, out: &mut [f64]) {
        match self {
            Self::Number(value) => out.fill(*value),
            Self::Values(values) => out.copy_from_slice(&values[first..first + out.len()]),
            Self::Call(function, inner) => {
                inner.fill(first, out);
                each(*function, out);
            }
            Self::Affine(inner, shift, scale) => {
                inner.fill(first, out);
                for v in out {
                    *v = (*v - shift) / scale;
                }
            }
            Self::Negate(inner) => {
                inner.fill(first, out);
                for v in out {
                    *v = -*v;
                }
            }
            Self::Binary(operator, left, right) => {
                left.fill(first, out);
                let mut other = vec![0.0; out.len()];
                right.fill(first, &mut other);
                pairs(*operator, out, &other);
            }
        }
    }
}

/// Applies a function in place.
fn each(function: Function, values: &mut [f64]) {
    fn apply(values: &mut [f64], f: impl Fn(f64) -> f64) {
        for v in values {
            *v = f(*v);
        }
    }
    match function {
        Function::Log => apply(values, f64::ln),
        Function::Log2 => apply(values, f64::log2),
        Function::Log10 => apply(values, f64::log10),
        Function::Log1p => apply(values, f64::ln_1p),
        Function::Exp => apply(values, f64::exp),
        Function::Expm1 => apply(values, f64::exp_m1),
        Function::Sqrt => apply(values, f64::sqrt),
        Function::Abs => apply(values, f64::abs),
        // resolved to an affine map before
        Function::Center | Function::Standardize => {}
    }
}

/// Combines pairs of numbers in place. What is not a number stays so, in comparisons too.
fn pairs(operator: Operator, left: &mut [f64], right: &[f64]) {
    fn apply(left: &mut [f64], right: &[f64], f: impl Fn(f64, f64) -> f64) {
        for (l, r) in left.iter_mut().zip(right) {
            *l = f(*l, *r);
        }
    }
    fn compare(left: &mut [f64], right: &[f64], f: impl Fn(&f64, &f64) -> bool) {
        apply(left, right, |l, r| {
            if l.is_nan() || r.is_nan() {
                f64::NAN
            } else {
                f64::from(u8::from(f(&l, &r)))
            }
        });
    }
    match operator {
        Operator::Add => apply(left, right, |l, r| l + r),
        Operator::Subtract => apply(left, right, |l, r| l - r),
        Operator::Multiply => apply(left, right, |l, r| l * r),
        Operator::Divide => apply(left, right, |l, r| l / r),
        Operator::Power => apply(left, right, power),
        Operator::Less => compare(left, right, f64::lt),
        Operator::AtMost => compare(left, right, f64::le),
        Operator::Greater => compare(left, right, f64::gt),
        Operator::AtLeast => compare(left, right, f64::ge),
        Operator::Equal => compare(left, right, f64::eq),
        Operator::NotEqual => compare(left, right, f64::ne),
    }
}

/// Squares and cubes by multiplication: exact to the last bit for squares, and ten times faster.
fn power(base: f64, exponent: f64) -> f64 {
    const TWO: u64 = 2.0_f64.to_bits();
    const THREE: u64 = 3.0_f64.to_bits();
    match exponent.to_bits() {
        _ if base.is_nan() => f64::NAN,
        TWO => base * base,
        THREE => base * base * base,
        _ => base.powf(exponent),
    }
}

/// The first step of the evaluation that is not finite in a row, as an error.
fn diagnose(node: &Node, expression: &Expression, row: usize) -> Error {
    match trace(node, expression, row) {
        Err(error) => error,
        // a finite result cannot have been reported; say what is known
        Ok(_) => Error::Infinite {
            column: expression.to_string(),
            row: row + 1,
        },
    }
}

/// The value in a row, or the first step that is not finite.
fn trace(node: &Node, expression: &Expression, row: usize) -> Result<f64> {
    let mut value = [0.0];
    node.fill(row, &mut value);
    let (argument, expected) = match (node, expression) {
        (Node::Call(function, inner), Expression::Call(_, argument)) => (
            trace(inner, argument, row)?,
            match function {
                Function::Log | Function::Log2 | Function::Log10 => "positive",
                Function::Log1p => "above -1",
                Function::Sqrt => "at least 0",
                _ => "in the function's domain",
            },
        ),
        (Node::Negate(inner), Expression::Negate(argument)) => {
            (trace(inner, argument, row)?, "a number")
        }
        (Node::Binary(operator, left, right), Expression::Binary(_, at_left, at_right)) => {
            let base = trace(left, at_left, row)?;
            let other = trace(right, at_right, row)?;
            match operator {
                Operator::Power => (base, "at least 0 for a power that is not a whole number"),
                Operator::Divide => (other, "a divisor other than 0"),
                _ => (other, "a number"),
            }
        }
        _ => (value[0], "a number"),
    };
    if value[0].is_nan() {
        return Err(Error::OutOfRange {
            column: as_term(expression),
            row: row + 1,
            value: argument,
            expected: expected.to_owned(),
        });
    }
    if value[0].is_infinite() {
        return Err(Error::Infinite {
            column: as_term(expression),
            row: row + 1,
        });
    }
    Ok(value[0])
}

/// How the expression reads as a term.
fn as_term(expression: &Expression) -> String {
    match expression {
        Expression::Call(..) | Expression::Column(_) => expression.to_string(),
        other => format!("I({other})"),
    }
}
