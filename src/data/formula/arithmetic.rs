//! What stands inside functions: arithmetic, comparisons and the arguments of `C`, `i` and `poly`.

use super::ast::{Expression, Factor, Function, Operator};
use super::lexer::{Fault, Token};
use super::parser::{MOST_OPERATORS, Parser};
use crate::error::nearest_name;

/// The highest degree of `poly`; beyond it orthogonal polynomials lose their digits.
const HIGHEST_DEGREE: f64 = 20.0;

impl Parser {
    /// A factor that starts with a name and `(`, which is already read.
    pub(super) fn call(&mut self, name: &str, position: usize) -> Result<Factor, Fault> {
        self.enter(position)?;
        self.operators = 0;
        let factor = match name {
            "I" => Factor::Computed(self.comparison()?),
            "C" | "factor" | "as.factor" => self.categorical()?,
            "i" => self.indicators()?,
            "poly" => self.polynomial()?,
            _ => {
                let function = function(name, position)?;
                Factor::Computed(Expression::Call(function, Box::new(self.comparison()?)))
            }
        };
        self.leave();
        self.close(position)?;
        Ok(factor)
    }

    /// `C(k)`, `C(k, ref = 2)`.
    fn categorical(&mut self) -> Result<Factor, Fault> {
        let column = self.column("the name of a column")?;
        let mut reference = None;
        if self.accept(",") {
            self.keyword("ref")?;
            reference = Some(self.level()?);
        }
        Ok(Factor::Categorical { column, reference })
    }

    /// `i(period)`, `i(period, treated)`, `i(period, treated, ref = c(-1, -2))`.
    fn indicators(&mut self) -> Result<Factor, Fault> {
        let column = self.column("the name of a column")?;
        let mut interacted = None;
        let mut references = Vec::new();
        while references.is_empty() && self.accept(",") {
            let position = self.position();
            let name = self.column("a second column or `ref = level`")?;
            if name == "ref" && self.accept("=") {
                references = self.levels()?;
            } else if interacted.is_some() {
                return Fault::at(position, "expected `ref = level`");
            } else {
                interacted = Some(name);
            }
        }
        Ok(Factor::Indicators {
            column,
            interacted,
            references,
        })
    }

    /// `poly(x, 3)`, `poly(x, 3, raw = true)`.
    fn polynomial(&mut self) -> Result<Factor, Fault> {
        let argument = self.comparison()?;
        if !self.accept(",") {
            return self.unexpected("`,` and the degree, as in poly(x, 3)");
        }
        let degree = match self.peek() {
            Some(Token::Number(v)) if (1.0..=HIGHEST_DEGREE).contains(v) && v.fract() <= 0.0 => {
                *v as usize
            }
            _ => return self.unexpected("a degree from 1 to 20"),
        };
        self.advance();
        let mut raw = false;
        if self.accept(",") {
            self.keyword("raw")?;
            raw = match self.peek() {
                Some(Token::Name(name)) => match name.as_str() {
                    "true" | "TRUE" | "T" => true,
                    "false" | "FALSE" | "F" => false,
                    _ => return self.unexpected("true or false"),
                },
                _ => return self.unexpected("true or false"),
            };
            self.advance();
        }
        Ok(Factor::Polynomial {
            argument,
            degree,
            raw,
        })
    }

    /// `name =`.
    fn keyword(&mut self, name: &str) -> Result<(), Fault> {
        if self.peek() == Some(&Token::Name(name.to_owned())) {
            self.advance();
            if self.accept("=") {
                return Ok(());
            }
        }
        self.unexpected(&format!("`{name} = …`"))
    }

    /// One level or `c(level, level)`.
    fn levels(&mut self) -> Result<Vec<String>, Fault> {
        let position = self.position();
        let first = self.level()?;
        if first != "c" || !self.accept("(") {
            return Ok(vec![first]);
        }
        let mut levels = vec![self.level()?];
        while self.accept(",") {
            let level = self.level()?;
            if !levels.contains(&level) {
                levels.push(level);
            }
        }
        self.close(position)?;
        Ok(levels)
    }

    /// A level of a category: a number, a text or a bare name; `TRUE` is the flag's `true`.
    fn level(&mut self) -> Result<String, Fault> {
        let minus = self.accept("-");
        let level = match self.peek() {
            // -0 and 0 are one level
            Some(Token::Number(v)) => (if minus { 0.0 - *v } else { *v }).to_string(),
            Some(Token::Text(text)) if !minus => text.clone(),
            Some(Token::Name(name)) if !minus => match name.as_str() {
                "TRUE" => "true".to_owned(),
                "FALSE" => "false".to_owned(),
                _ => name.clone(),
            },
            _ => return self.unexpected("a level: a number or a text in quotes"),
        };
        self.advance();
        Ok(level)
    }

    /// A sum, or two sums with a comparison between them; also `column == "text"`.
    pub(super) fn comparison(&mut self) -> Result<Expression, Fault> {
        let position = self.position();
        let left = self.additive()?;
        let operator = [
            Operator::Less,
            Operator::AtMost,
            Operator::Greater,
            Operator::AtLeast,
            Operator::Equal,
            Operator::NotEqual,
        ]
        .into_iter()
        .find(|operator| self.peek() == Some(&Token::Symbol(operator.symbol())));
        let Some(operator) = operator else {
            if self.peek() == Some(&Token::Symbol("=")) {
                return Fault::at(self.position(), "write `==` to compare");
            }
            return Ok(left);
        };
        self.advance();
        if let Some(Token::Text(text)) = self.peek() {
            let text = text.clone();
            let equal = match operator {
                Operator::Equal => true,
                Operator::NotEqual => false,
                _ => {
                    return Fault::at(
                        self.position(),
                        "a text can be compared with `==` and `!=` only",
                    );
                }
            };
            self.advance();
            let Expression::Column(column) = left else {
                return Fault::at(position, "only a column can be compared with a text");
            };
            return Ok(Expression::Is {
                column,
                text,
                equal,
            });
        }
        let right = self.additive()?;
        self.binary(operator, left, right)
    }

    fn additive(&mut self) -> Result<Expression, Fault> {
        let mut left = self.multiplicative()?;
        loop {
            let operator = if self.accept("+") {
                Operator::Add
            } else if self.accept("-") {
                Operator::Subtract
            } else {
                return Ok(left);
            };
            let right = self.multiplicative()?;
            left = self.binary(operator, left, right)?;
        }
    }

    fn multiplicative(&mut self) -> Result<Expression, Fault> {
        let mut left = self.unary()?;
        loop {
            let operator = if self.accept("*") {
                Operator::Multiply
            } else if self.accept("/") {
                Operator::Divide
            } else {
                return Ok(left);
            };
            let right = self.unary()?;
            left = self.binary(operator, left, right)?;
        }
    }

    /// Minus binds more than `*` and less than `^`, as in R.
    fn unary(&mut self) -> Result<Expression, Fault> {
        let position = self.position();
        if !self.accept("-") {
            return self.powered();
        }
        self.enter(position)?;
        let inner = self.unary()?;
        self.leave();
        Ok(inner.negated())
    }

    fn powered(&mut self) -> Result<Expression, Fault> {
        let base = self.primary()?;
        let position = self.position();
        if !self.accept("^") {
            return Ok(base);
        }
        self.enter(position)?;
        let exponent = self.unary()?;
        self.leave();
        self.binary(Operator::Power, base, exponent)
    }

    fn primary(&mut self) -> Result<Expression, Fault> {
        let position = self.position();
        match self.peek().cloned() {
            Some(Token::Number(value)) => {
                self.advance();
                Ok(Expression::Number(value))
            }
            Some(Token::Name(name)) => {
                self.advance();
                if !self.accept("(") {
                    return Ok(Expression::Column(name));
                }
                match name.as_str() {
                    "I" => return self.parenthesised(position),
                    "C" | "factor" | "as.factor" | "i" | "poly" => {
                        return Fault::at(
                            position,
                            format!(
                                "`{name}` gives several columns and cannot be part of arithmetic"
                            ),
                        );
                    }
                    _ => {}
                }
                let function = function(&name, position)?;
                let argument = self.parenthesised(position)?;
                Ok(Expression::Call(function, Box::new(argument)))
            }
            Some(Token::Symbol("(")) => {
                self.advance();
                self.parenthesised(position)
            }
            Some(Token::Dot) => Fault::at(
                position,
                "`.` stands for several columns and cannot be part of arithmetic",
            ),
            _ => self.unexpected("a column, a number, a function or parentheses"),
        }
    }

    /// After `(`: an expression and `)`.
    fn parenthesised(&mut self, position: usize) -> Result<Expression, Fault> {
        self.enter(position)?;
        let inner = self.comparison()?;
        self.leave();
        self.close(position)?;
        Ok(inner)
    }

    fn binary(
        &mut self,
        operator: Operator,
        left: Expression,
        right: Expression,
    ) -> Result<Expression, Fault> {
        self.operators += 1;
        if self.operators > MOST_OPERATORS {
            return Fault::at(
                self.position(),
                format!("more than {MOST_OPERATORS} arithmetic operators"),
            );
        }
        Ok(Expression::Binary(
            operator,
            Box::new(left),
            Box::new(right),
        ))
    }
}

/// The function of a name, or the fault that lists the functions.
fn function(name: &str, position: usize) -> Result<Function, Fault> {
    if let Some(function) = Function::named(name) {
        return Ok(function);
    }
    let mut known: Vec<String> = Function::ALL.iter().map(|f| f.name().to_owned()).collect();
    known.extend(["C", "factor", "I", "i", "poly"].map(str::to_owned));
    let hint = match nearest_name(name, &known) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("the functions are {}", known.join(", ")),
    };
    Fault::at(position, format!("there is no function `{name}`; {hint}"))
}
