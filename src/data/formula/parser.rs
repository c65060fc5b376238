//! Tokens to the syntax tree: the parts of a formula, sums and products of terms, effects.

use super::ast::{Effect, Factor, ParsedFormula, Term};
use super::lexer::{Fault, Placed, Token, tokens};
use super::terms::{Instrumented, MOST_FACTORS, MOST_TERMS, Sum, Terms, check_roles};

/// Deeper nesting than this could exhaust the stack.
const MOST_NESTED: usize = 100;
/// More arithmetic operators than this in one factor could exhaust the stack.
pub(super) const MOST_OPERATORS: usize = 1000;

/// Parses a whole formula.
pub(super) fn parse(text: &str) -> Result<ParsedFormula, Fault> {
    let tokens = tokens(text)?;
    let end = text.chars().count();
    if tokens.is_empty() {
        return Fault::at(
            0,
            "the formula is empty; expected `outcome ~ regressors`, e.g. `y ~ x`",
        );
    }
    Parser {
        tokens,
        at: 0,
        end,
        depth: 0,
        work: 0,
        operators: 0,
    }
    .formula()
}

/// Tokens and how far they are read.
pub(super) struct Parser {
    tokens: Vec<Placed>,
    at: usize,
    end: usize,
    depth: usize,
    /// Products of terms made so far.
    work: usize,
    pub(super) operators: usize,
}

impl Parser {
    fn formula(mut self) -> Result<ParsedFormula, Fault> {
        let outcome_at = self.position();
        let tilde = Token::Symbol("~");
        if self.peek() == Some(&tilde) {
            return Fault::at(outcome_at, "expected an outcome before `~`");
        }
        if !self.tokens.iter().any(|t| t.token == tilde) {
            return Fault::at(
                self.end,
                "there is no `~`; expected `outcome ~ regressors`, e.g. `y ~ x`",
            );
        }
        let outcome = self.comparison()?;
        if !self.accept("~") {
            return self.unexpected("`~` after the outcome");
        }
        if self.peek().is_none() {
            return Fault::at(
                self.end,
                "there is nothing on the right of `~`; write regressors, or 1 for a constant alone",
            );
        }
        let rhs_at = self.position();
        let exogenous = self.sum(false)?;
        let mut effects = Vec::new();
        let mut instrumented = None;
        if self.accept("|") {
            if self.part_has_tilde() {
                instrumented = Some(self.instrument_part()?);
            } else {
                effects = self.effects()?;
                if self.accept("|") {
                    instrumented = Some(self.instrument_part()?);
                }
            }
        }
        match self.peek() {
            None => {}
            Some(Token::Symbol("~")) => {
                return Fault::at(
                    self.position(),
                    "a second `~`; instruments stand behind a bar, as in `y ~ x | d ~ z`",
                );
            }
            Some(Token::Symbol("|")) => {
                return Fault::at(
                    self.position(),
                    "one bar too many; the parts are `outcome ~ regressors | effects | endogenous ~ instruments`",
                );
            }
            Some(_) => return self.unexpected("`+`, `|` or the end of the formula"),
        }
        let Instrumented {
            endogenous,
            instruments,
        } = instrumented.unwrap_or_default();
        let intercept = exogenous.intercept.unwrap_or(true) || !effects.is_empty();
        let exogenous_terms = exogenous.terms.sorted();
        if !intercept && exogenous_terms.is_empty() && endogenous.is_empty() {
            return Fault::at(
                rhs_at,
                "there is nothing on the right of `~`; write regressors, or 1 for a constant alone",
            );
        }
        check_roles(
            &outcome,
            &exogenous_terms,
            &effects,
            &endogenous,
            &instruments,
        )?;
        let strip = |terms: Vec<(Term, usize)>| terms.into_iter().map(|(term, _)| term).collect();
        Ok(ParsedFormula {
            outcome,
            intercept,
            exogenous: strip(exogenous_terms),
            removed: strip(exogenous.removed.sorted()),
            effects: effects.into_iter().map(|(effect, _)| effect).collect(),
            endogenous: strip(endogenous),
            instruments: strip(instruments),
        })
    }

    /// `term + term - term …`, up to something that cannot continue a sum.
    fn sum(&mut self, nested: bool) -> Result<Sum, Fault> {
        let mut sum = Sum::default();
        let mut minus = self.accept("-");
        if !minus {
            self.accept("+");
        }
        loop {
            let position = self.position();
            if let Some(Token::Number(value)) = self.peek() {
                let value = *value;
                self.at += 1;
                let one = match value {
                    v if v.abs() <= 0.0 => false,
                    v if (v - 1.0).abs() <= 0.0 => true,
                    _ => {
                        return Fault::at(
                            position,
                            "only 0 and 1, for the constant, may stand alone; arithmetic belongs in I(), as in I(2 * x)",
                        );
                    }
                };
                if nested {
                    return Fault::at(position, "0 and 1 must stand outside parentheses");
                }
                sum.intercept = Some(one != minus);
            } else {
                let terms = self.product()?;
                if minus {
                    sum.take_out(terms, nested)?;
                } else {
                    sum.put_in(terms);
                }
            }
            if sum.terms.list.len() > MOST_TERMS {
                return Fault::at(position, format!("more than {MOST_TERMS} terms"));
            }
            minus = if self.accept("+") {
                false
            } else if self.accept("-") {
                true
            } else {
                return Ok(sum);
            };
        }
    }

    /// `a * b` is `a + b + a:b`.
    fn product(&mut self) -> Result<Terms, Fault> {
        let mut left = self.interaction()?;
        loop {
            let position = self.position();
            if self.accept("/") {
                return Fault::at(
                    position,
                    "`/` is arithmetic and belongs in I(), as in I(x / z)",
                );
            }
            if !self.accept("*") {
                return Ok(left);
            }
            let right = self.interaction()?;
            let crossed = left.cross(&right, position, &mut self.work)?;
            left.extend(right);
            left.extend(crossed);
        }
    }

    /// `a:b`.
    fn interaction(&mut self) -> Result<Terms, Fault> {
        let mut left = self.power()?;
        loop {
            let position = self.position();
            if !self.accept(":") {
                return Ok(left);
            }
            let right = self.power()?;
            left = left.cross(&right, position, &mut self.work)?;
        }
    }

    /// `(a + b)^2` is `a + b + a:b`.
    fn power(&mut self) -> Result<Terms, Fault> {
        let base_at = self.position();
        let base = self.atom()?;
        let position = self.position();
        if !self.accept("^") {
            return Ok(base);
        }
        let degree = match self.peek() {
            Some(Token::Number(v))
                if (1.0..=MOST_FACTORS as f64).contains(v) && v.fract() <= 0.0 =>
            {
                *v as usize
            }
            _ => return self.unexpected("a whole number from 1 to 20 after `^`"),
        };
        self.at += 1;
        if base.list.len() == 1 && !base.has_everything() {
            return Fault::at(
                base_at,
                format!(
                    "`^` on one term multiplies it with itself as a category; for powers of numbers write I({}^{degree})",
                    base.list[0].0
                ),
            );
        }
        let mut result = base.clone();
        for _ in 1..degree {
            let before = result.list.len();
            let crossed = result.cross(&base, position, &mut self.work)?;
            result.extend(crossed);
            // once every factor is in a term, higher powers add nothing
            if result.list.len() == before {
                break;
            }
        }
        Ok(result)
    }

    /// A column, a function, `.` or a sum in parentheses.
    fn atom(&mut self) -> Result<Terms, Fault> {
        let position = self.position();
        match self.peek().cloned() {
            Some(Token::Dot) => {
                self.at += 1;
                Ok(Terms::one(Factor::Everything, position))
            }
            Some(Token::Name(name)) => {
                self.at += 1;
                if self.accept("(") {
                    let factor = self.call(&name, position)?;
                    return Ok(Terms::one(factor, position));
                }
                if self.peek() == Some(&Token::Symbol("[")) {
                    return Fault::at(
                        self.position(),
                        "slopes that vary by group, `effect[x]`, are not supported",
                    );
                }
                Ok(Terms::one(Factor::Column(name), position))
            }
            Some(Token::Symbol("(")) => {
                self.at += 1;
                self.enter(position)?;
                let sum = self.sum(true)?;
                self.depth -= 1;
                self.close(position)?;
                if sum.terms.list.is_empty() {
                    return Fault::at(position, "nothing is left inside these parentheses");
                }
                Ok(sum.terms)
            }
            Some(Token::Number(_)) => Fault::at(
                position,
                "a number cannot be part of a product of terms; arithmetic belongs in I(), as in I(2 * x)",
            ),
            _ => self.unexpected("a term (a column, a function or parentheses)"),
        }
    }

    /// `fe1 + fe2^fe3`, or `0` for none.
    fn effects(&mut self) -> Result<Vec<(Effect, usize)>, Fault> {
        if matches!(self.peek(), Some(Token::Number(v)) if v.abs() <= 0.0) {
            self.at += 1;
            return Ok(Vec::new());
        }
        let mut effects: Vec<(Effect, usize)> = Vec::new();
        loop {
            let position = self.position();
            let mut columns = vec![self.column("a fixed effect (the name of a column)")?];
            while self.accept("^") {
                let column = self.column("a column to combine with after `^`")?;
                if !columns.contains(&column) {
                    columns.push(column);
                }
            }
            if self.peek() == Some(&Token::Symbol("[")) {
                return Fault::at(
                    self.position(),
                    "slopes that vary by group, `effect[x]`, are not supported; interact C(effect) with x instead",
                );
            }
            if self.peek() == Some(&Token::Symbol("(")) {
                return Fault::at(
                    self.position(),
                    "fixed effects are columns, combined with `^`; functions cannot stand here",
                );
            }
            if effects.iter().all(|(e, _)| e.columns != columns) {
                effects.push((Effect { columns }, position));
            }
            if !self.accept("+") {
                return Ok(effects);
            }
        }
    }

    /// `d1 + d2 ~ z1 + z2`: endogenous regressors and their instruments.
    fn instrument_part(&mut self) -> Result<Instrumented, Fault> {
        let endogenous = self.plain_sum("an endogenous regressor")?;
        if !self.accept("~") {
            return self.unexpected("`~` between endogenous regressors and instruments");
        }
        let instruments = self.plain_sum("an instrument")?;
        Ok(Instrumented {
            endogenous,
            instruments,
        })
    }

    /// A sum without a constant and without `.`.
    fn plain_sum(&mut self, what: &str) -> Result<Vec<(Term, usize)>, Fault> {
        let position = self.position();
        let sum = self.sum(false)?;
        if sum.intercept.is_some() || sum.terms.list.is_empty() {
            return Fault::at(
                position,
                format!("expected {what} (a column or a function)"),
            );
        }
        if sum.terms.has_everything() {
            return Fault::at(position, "`.` cannot stand in the instrument part");
        }
        Ok(sum.terms.sorted())
    }

    /// Whether a `~` comes before the next bar that is not inside parentheses.
    fn part_has_tilde(&self) -> bool {
        self.tokens[self.at..]
            .iter()
            .take_while(|t| t.token != Token::Symbol("|"))
            .any(|t| t.token == Token::Symbol("~"))
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|t| &t.token)
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    /// Where the next token starts, or the end of the formula.
    pub(super) fn position(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |t| t.position)
    }

    pub(super) fn accept(&mut self, symbol: &'static str) -> bool {
        let found = self.peek() == Some(&Token::Symbol(symbol));
        self.at += usize::from(found);
        found
    }

    /// The `)` that belongs to the `(` at `opened`.
    pub(super) fn close(&mut self, opened: usize) -> Result<(), Fault> {
        if self.accept(")") {
            return Ok(());
        }
        if self.peek().is_none() {
            return Fault::at(opened, "this parenthesis is not closed; add `)`");
        }
        self.unexpected("`)`, `,` or an operator")
    }

    /// One level deeper.
    pub(super) fn enter(&mut self, position: usize) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > MOST_NESTED {
            return Fault::at(position, format!("nested more than {MOST_NESTED} deep"));
        }
        Ok(())
    }

    /// One level up.
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    pub(super) fn column(&mut self, what: &str) -> Result<String, Fault> {
        if let Some(Token::Name(name)) = self.peek() {
            let name = name.clone();
            self.at += 1;
            return Ok(name);
        }
        self.unexpected(what)
    }

    /// "expected … but found …" at the next token.
    pub(super) fn unexpected<T>(&self, expected: &str) -> Result<T, Fault> {
        let found = match self.peek() {
            None => "the formula ends".to_owned(),
            Some(Token::Name(name)) => format!("found `{name}`"),
            Some(Token::Number(value)) => format!("found `{value}`"),
            Some(Token::Text(text)) => format!("found the text {text:?}"),
            Some(Token::Dot) => "found `.`".to_owned(),
            Some(Token::Symbol(symbol)) => format!("found `{symbol}`"),
        };
        Fault::at(self.position(), format!("expected {expected} but {found}"))
    }
}
