//! The syntax tree of a formula.

use std::collections::BTreeSet;

/// A formula after parsing. `Display` prints canonical text that parses to the same tree.
#[derive(Clone, Debug, PartialEq)]
pub struct ParsedFormula {
    pub(crate) outcome: Expression,
    pub(crate) intercept: bool,
    pub(crate) exogenous: Vec<Term>,
    pub(crate) removed: Vec<Term>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) endogenous: Vec<Term>,
    pub(crate) instruments: Vec<Term>,
}

/// Factors multiplied with each other: one factor is a main effect, several an interaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// The factors, none twice but `.`.
    pub factors: Vec<Factor>,
}

/// One factor of a term.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Factor {
    /// A column: numbers, flags (0 and 1) and times (seconds) as they are, labels as categories.
    Column(String),
    /// A value computed row by row: `log(w)`, `I(x^2)`, `I(age > 30)`.
    Computed(Expression),
    /// A column of any kind as categories: `C(k)`, `C(k, ref = 2)`.
    Categorical {
        /// The column.
        column: String,
        /// The level that others are compared with; the first in sorted order when not given.
        reference: Option<String>,
    },
    /// fixest's `i(period, treated, ref = -1)`: one indicator a level, multiplied with a second column if there is one.
    Indicators {
        /// The column whose levels become indicators.
        column: String,
        /// The column they are multiplied with.
        interacted: Option<String>,
        /// The levels that are left out.
        references: Vec<String>,
    },
    /// `poly(x, 3)`: orthogonal polynomials over the rows used, as in R, or plain powers with `raw = true`.
    Polynomial {
        /// What is raised to powers.
        argument: Expression,
        /// The highest power.
        degree: usize,
        /// Plain powers instead of orthogonal polynomials.
        raw: bool,
    },
    /// `.`: every column of the frame that is not in the outcome, the effects or the instrument part.
    Everything,
}

/// One fixed effect: a column, or several combined (`fe1^fe2`).
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// The columns; an effect is one of their combinations.
    pub columns: Vec<String>,
}

/// Arithmetic on columns, row by row.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A number.
    Number(f64),
    /// A column as numbers.
    Column(String),
    /// A function of an expression.
    Call(Function, Box<Expression>),
    /// Minus an expression.
    Negate(Box<Expression>),
    /// Two expressions and what stands between them. Comparisons give 1 or 0.
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// Whether a column, as text, is (or is not) this text: 1 or 0.
    Is {
        /// The column.
        column: String,
        /// The text it is compared with.
        text: String,
        /// `==` rather than `!=`.
        equal: bool,
    },
}

/// What can stand between two expressions.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
    /// `^`
    Power,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// Functions of one number. `center` and `standardize` use the mean and the standard deviation (divisor n − 1) over the
/// rows used.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Natural logarithm.
    Log,
    /// Logarithm to base 2.
    Log2,
    /// Logarithm to base 10.
    Log10,
    /// log(1 + x), exact near 0.
    Log1p,
    /// Exponential.
    Exp,
    /// exp(x) − 1, exact near 0.
    Expm1,
    /// Square root.
    Sqrt,
    /// Absolute value.
    Abs,
    /// Minus the mean.
    Center,
    /// Minus the mean, divided by the standard deviation.
    Standardize,
}

impl ParsedFormula {
    /// The left-hand side.
    pub fn outcome(&self) -> &Expression {
        &self.outcome
    }

    /// Whether the model has a constant. Fixed effects absorb it, so it is always true with them.
    pub fn intercept(&self) -> bool {
        self.intercept
    }

    /// The exogenous regressors, main effects before interactions.
    pub fn exogenous(&self) -> &[Term] {
        &self.exogenous
    }

    /// Terms taken out of what `.` stands for.
    pub fn removed(&self) -> &[Term] {
        &self.removed
    }

    /// The fixed effects.
    pub fn effects(&self) -> &[Effect] {
        &self.effects
    }

    /// The endogenous regressors.
    pub fn endogenous(&self) -> &[Term] {
        &self.endogenous
    }

    /// The excluded instruments.
    pub fn instruments(&self) -> &[Term] {
        &self.instruments
    }

    /// Every column named, once, in order of first use. The columns behind `.` are not named.
    pub fn variables(&self) -> Vec<String> {
        let mut names = Names::default();
        names.expression(&self.outcome);
        names.terms(&self.exogenous);
        names.terms(&self.removed);
        names.other_parts(self);
        names.list
    }

    /// The columns whose rows must be complete: those of the outcome, of the given exogenous terms, of the other parts
    /// and `also`. What was taken out of `.` is not among them.
    pub(crate) fn used(&self, exogenous: &[Term], also: &[&str]) -> Vec<String> {
        let mut names = Names::default();
        names.expression(&self.outcome);
        names.terms(exogenous);
        names.other_parts(self);
        for name in also {
            names.add(name);
        }
        names.list
    }

    /// The columns that `.` does not stand for: those of the outcome, the effects and the instrument part.
    pub(crate) fn reserved(&self) -> BTreeSet<String> {
        let mut names = Names::default();
        names.expression(&self.outcome);
        names.other_parts(self);
        names.seen
    }
}

/// The columns that terms name, and `also`.
pub(crate) fn columns_of(terms: &[Term], also: &[&str]) -> Vec<String> {
    let mut names = Names::default();
    names.terms(terms);
    for name in also {
        names.add(name);
    }
    names.list
}

/// Column names in order of first use.
#[derive(Default)]
struct Names {
    seen: BTreeSet<String>,
    list: Vec<String>,
}

impl Names {
    fn add(&mut self, name: &str) {
        if self.seen.insert(name.to_owned()) {
            self.list.push(name.to_owned());
        }
    }

    /// Effects, endogenous regressors and instruments.
    fn other_parts(&mut self, formula: &ParsedFormula) {
        for column in formula.effects.iter().flat_map(|effect| &effect.columns) {
            self.add(column);
        }
        self.terms(&formula.endogenous);
        self.terms(&formula.instruments);
    }

    fn terms(&mut self, terms: &[Term]) {
        for factor in terms.iter().flat_map(|term| &term.factors) {
            match factor {
                Factor::Column(column) | Factor::Categorical { column, .. } => self.add(column),
                Factor::Computed(expression)
                | Factor::Polynomial {
                    argument: expression,
                    ..
                } => self.expression(expression),
                Factor::Indicators {
                    column, interacted, ..
                } => {
                    self.add(column);
                    if let Some(other) = interacted {
                        self.add(other);
                    }
                }
                Factor::Everything => {}
            }
        }
    }

    fn expression(&mut self, expression: &Expression) {
        match expression {
            Expression::Number(_) => {}
            Expression::Column(column) | Expression::Is { column, .. } => self.add(column),
            Expression::Call(_, inner) | Expression::Negate(inner) => self.expression(inner),
            Expression::Binary(_, left, right) => {
                self.expression(left);
                self.expression(right);
            }
        }
    }
}

impl Term {
    /// A term of one factor.
    pub fn main(factor: Factor) -> Self {
        Self {
            factors: vec![factor],
        }
    }

    /// The product of two terms; a factor of both counts once, except `.`, which stands for other columns each time.
    pub(crate) fn times(&self, other: &Self) -> Self {
        let mut factors = self.factors.clone();
        for factor in &other.factors {
            if *factor == Factor::Everything || !factors.contains(factor) {
                factors.push(factor.clone());
            }
        }
        Self { factors }
    }

    /// A text that is the same for terms that differ only in the order of their factors.
    pub(crate) fn key(&self) -> String {
        let mut parts: Vec<String> = self.factors.iter().map(Factor::to_string).collect();
        parts.sort_unstable();
        parts.join(":")
    }

    /// Whether `.` is a factor.
    pub(crate) fn has_everything(&self) -> bool {
        self.factors.contains(&Factor::Everything)
    }
}

impl Function {
    /// Every function.
    pub const ALL: [Self; 10] = [
        Self::Log,
        Self::Log2,
        Self::Log10,
        Self::Log1p,
        Self::Exp,
        Self::Expm1,
        Self::Sqrt,
        Self::Abs,
        Self::Center,
        Self::Standardize,
    ];

    /// The name in formulas.
    pub fn name(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Log2 => "log2",
            Self::Log10 => "log10",
            Self::Log1p => "log1p",
            Self::Exp => "exp",
            Self::Expm1 => "expm1",
            Self::Sqrt => "sqrt",
            Self::Abs => "abs",
            Self::Center => "center",
            Self::Standardize => "standardize",
        }
    }

    /// The function of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }
}

impl Operator {
    /// How it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Power => "^",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        }
    }
}

impl Expression {
    /// Minus an expression; numbers change their sign.
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Number(value) => Self::Number(-value),
            other => Self::Negate(Box::new(other)),
        }
    }
}
