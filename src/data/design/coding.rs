//! From terms to columns: which columns a factor gives, and which categories keep all their levels.

use super::column::{Codes, DesignColumn, Part};
use super::{evaluate, polynomial};
use crate::data::column::Column;
use crate::data::formula::{Expression, Factor, Term};
use crate::data::frame::Frame;
use crate::data::rows::Rows;
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Turns terms into columns. Earlier terms decide how later ones are coded, so terms are given in order.
pub(super) struct Coder<'a> {
    frame: &'a Frame,
    rows: &'a Rows,
    /// Whether the model has a constant, its own or that of fixed effects.
    constant: bool,
    /// Numbers and categories already made, by the factor's text and by column.
    numbers: BTreeMap<String, Vec<Piece>>,
    categories: BTreeMap<String, Category>,
}

/// What the terms so far span: for each, its numeric factors and its categories.
#[derive(Clone, Default)]
pub(super) struct Span(Vec<Shape>);

/// A term's numeric factors and categories.
#[derive(Clone, Default)]
struct Shape {
    numeric: BTreeSet<String>,
    categorical: BTreeSet<String>,
}

/// One column that a factor gives, before products.
#[derive(Clone)]
struct Piece {
    name: String,
    parts: Vec<Part>,
}

/// The codes of a column and its levels on used rows, in sorted order.
#[derive(Clone)]
struct Category {
    codes: Codes,
    levels: Vec<(u32, String)>,
}

impl<'a> Coder<'a> {
    pub(super) fn new(frame: &'a Frame, rows: &'a Rows, constant: bool) -> Self {
        Self {
            frame,
            rows,
            constant,
            numbers: BTreeMap::new(),
            categories: BTreeMap::new(),
        }
    }

    /// The columns of the terms, in order; `span` is what came before and grows.
    pub(super) fn columns(&mut self, terms: &[Term], span: &mut Span) -> Result<Vec<DesignColumn>> {
        let mut columns = Vec::new();
        for term in terms {
            let shape = self.shape(term)?;
            let mut products: Option<Vec<Piece>> = None;
            for factor in &term.factors {
                let pieces = match self.category_of(factor)? {
                    None => self.number_pieces(factor)?,
                    Some(column) => {
                        let reduced = span.contains_margin(&shape, &column, self.constant);
                        self.level_pieces(factor, &column, reduced)?
                    }
                };
                products = Some(match products {
                    None => pieces,
                    Some(products) => cross(&products, &pieces),
                });
            }
            columns.extend(
                products
                    .into_iter()
                    .flatten()
                    .map(|piece| DesignColumn::product(piece.name, piece.parts)),
            );
            span.0.push(shape);
        }
        Ok(columns)
    }

    /// Refuses rows with a level that no row of the fit has; `first` is where their frame begins.
    pub(super) fn refuse_unseen(&self, rows: &Rows, first: usize) -> Result<()> {
        for (column, category) in &self.categories {
            let codes = category.codes.as_slice();
            let known: BTreeSet<u32> = category.levels.iter().map(|(code, _)| *code).collect();
            let unseen = (0..rows.len())
                .map(|i| rows.index(i))
                .find(|row| !known.contains(&codes[*row]));
            if let Some(row) = unseen {
                let level = self.frame.column(column)?.text(row).unwrap_or_default();
                return Err(category.unknown(
                    &level,
                    &format!("level of `{column}` in row {}", row - first + 1),
                    "the fit",
                ));
            }
        }
        Ok(())
    }

    fn shape(&self, term: &Term) -> Result<Shape> {
        let mut shape = Shape::default();
        for factor in &term.factors {
            match self.category_of(factor)? {
                Some(column) => shape.categorical.insert(column),
                None => shape.numeric.insert(factor.to_string()),
            };
        }
        Ok(shape)
    }

    /// The column whose levels the factor stands for, when the coding depends on the other terms.
    fn category_of(&self, factor: &Factor) -> Result<Option<String>> {
        Ok(match factor {
            Factor::Column(column) => match self.frame.column(column)? {
                Column::Label(_) => Some(column.clone()),
                _ => None,
            },
            Factor::Categorical { column, .. } => Some(column.clone()),
            Factor::Indicators {
                column,
                interacted: None,
                references,
            } if references.is_empty() => Some(column.clone()),
            _ => None,
        })
    }

    /// The columns of a factor that is coded the same way in every model.
    fn number_pieces(&mut self, factor: &Factor) -> Result<Vec<Piece>> {
        let text = factor.to_string();
        if let Some(pieces) = self.numbers.get(&text) {
            return Ok(pieces.clone());
        }
        let pieces = match factor {
            Factor::Column(column) => vec![Piece {
                name: column.clone(),
                parts: vec![plain(self.frame, column)?],
            }],
            Factor::Computed(expression) => {
                let values = evaluate::evaluate(expression, self.frame, self.rows)?;
                vec![Piece {
                    name: text.clone(),
                    parts: vec![Part::Numbers(values)],
                }]
            }
            Factor::Polynomial {
                argument,
                degree,
                raw,
            } => self.polynomial_pieces(argument, *degree, *raw, &text)?,
            Factor::Indicators {
                column,
                interacted,
                references,
            } => self.indicator_pieces(column, interacted.as_deref(), references)?,
            // categories go to `level_pieces`, and `.` is replaced by columns before coding
            Factor::Categorical { .. } | Factor::Everything => Vec::new(),
        };
        self.numbers.insert(text, pieces.clone());
        Ok(pieces)
    }

    fn polynomial_pieces(
        &self,
        argument: &Expression,
        degree: usize,
        raw: bool,
        name: &str,
    ) -> Result<Vec<Piece>> {
        let values = evaluate::evaluate(argument, self.frame, self.rows)?;
        let columns = if raw {
            polynomial::powers(&values, degree)
        } else {
            polynomial::orthogonal(&values, self.rows, degree, name)?
        };
        columns
            .into_iter()
            .enumerate()
            .map(|(i, values)| {
                let name = format!("{name}{}", i + 1);
                let infinite = (0..self.rows.len())
                    .map(|i| self.rows.index(i))
                    .find(|row| !values[*row].is_finite());
                match infinite {
                    Some(row) => Err(Error::Infinite {
                        column: name,
                        row: row + 1,
                    }),
                    None => Ok(Piece {
                        name,
                        parts: vec![Part::Numbers(values)],
                    }),
                }
            })
            .collect()
    }

    /// `i(column, interacted, ref = …)`: fixest's names, `column::level:interacted`.
    fn indicator_pieces(
        &mut self,
        column: &str,
        interacted: Option<&str>,
        references: &[String],
    ) -> Result<Vec<Piece>> {
        let category = self.category(column)?;
        for reference in references {
            category.position(reference, &format!("ref of i({column})"))?;
        }
        let other = interacted
            .map(|other| plain(self.frame, other))
            .transpose()
            .map_err(|error| {
                error.with_remedy(|label| {
                    format!("for each combination of two categories write C({column}):C({label})")
                })
            })?;
        let suffix = interacted.map(|o| format!(":{o}")).unwrap_or_default();
        Ok(category
            .levels
            .iter()
            .filter(|(_, level)| !references.contains(level))
            .map(|(code, level)| Piece {
                name: format!("{column}::{level}{suffix}"),
                parts: std::iter::once(Part::Level(category.codes.clone(), *code))
                    .chain(other.clone())
                    .collect(),
            })
            .collect())
    }

    /// The indicators of a category: all levels, or all but the reference.
    fn level_pieces(&mut self, factor: &Factor, column: &str, reduced: bool) -> Result<Vec<Piece>> {
        let category = self.category(column)?;
        let reference = match factor {
            Factor::Categorical {
                reference: Some(level),
                ..
            } => category.position(level, &format!("ref of C({column})"))?,
            _ => 0,
        };
        // a category of one level is kept as a constant column, for the estimator to name when it drops it
        let drop = reduced && category.levels.len() > 1;
        let name = |level: &str| match factor {
            Factor::Column(_) => format!("{column}[{level}]"),
            Factor::Indicators { .. } => format!("{column}::{level}"),
            _ => format!("C({})[{level}]", crate::data::formula::Quoted(column)),
        };
        Ok(category
            .levels
            .iter()
            .enumerate()
            .filter(|(i, _)| !(drop && *i == reference))
            .map(|(_, (code, level))| Piece {
                name: name(level),
                parts: vec![Part::Level(category.codes.clone(), *code)],
            })
            .collect())
    }

    /// A column's codes and the levels that used rows have.
    fn category(&mut self, column: &str) -> Result<Category> {
        if let Some(category) = self.categories.get(column) {
            return Ok(category.clone());
        }
        let (codes, levels) = match self.frame.column(column)? {
            Column::Label(label) => (Codes::Label(Arc::clone(label)), label.levels().clone()),
            other => {
                let groups = other.groups(column);
                let levels = groups.levels.iter().collect();
                (Codes::Groups(groups.codes), levels)
            }
        };
        let mut used = vec![false; levels.len()];
        let all = codes.as_slice();
        for i in 0..self.rows.len() {
            if let Some(slot) = used.get_mut(all[self.rows.index(i)] as usize) {
                *slot = true;
            }
        }
        let levels = levels
            .iter()
            .enumerate()
            .filter(|(code, _)| used[*code])
            .map(|(code, level)| (code as u32, level.to_owned()))
            .collect();
        let category = Category { codes, levels };
        self.categories.insert(column.to_owned(), category.clone());
        Ok(category)
    }
}

impl Category {
    /// Where a level stands, or an error that lists the levels.
    fn position(&self, level: &str, option: &str) -> Result<usize> {
        self.levels
            .iter()
            .position(|(_, name)| name == level)
            .ok_or_else(|| self.unknown(level, option, "the rows used"))
    }

    /// The error that lists the levels.
    fn unknown(&self, level: &str, option: &str, of: &str) -> Error {
        const SHOWN: usize = 12;
        let names = self.levels.iter().map(|(_, name)| name);
        let mut listed: Vec<String> = names.take(SHOWN).map(|l| format!("`{l}`")).collect();
        if self.levels.len() > SHOWN {
            listed.push(format!("{} more", self.levels.len() - SHOWN));
        }
        Error::invalid_option(
            option,
            format!("`{level}`"),
            format!("a level of {of}: {}", listed.join(", ")),
        )
    }
}

impl Span {
    /// Whether the terms so far already span the term without the category `column`, so that its reference level must
    /// be left out. A term spans the products of its numeric factors with any of its categories, hence an earlier term
    /// with the same numeric factors and at least those categories; the constant spans the empty product.
    /// (Chambers & Hastie 1992, Statistical Models in S, section 2.4.1.)
    fn contains_margin(&self, shape: &Shape, column: &str, constant: bool) -> bool {
        let mut margin = shape.categorical.clone();
        margin.remove(column);
        (constant && shape.numeric.is_empty() && margin.is_empty())
            || self.0.iter().any(|earlier| {
                earlier.numeric == shape.numeric && earlier.categorical.is_superset(&margin)
            })
    }
}

/// A real, flag or time column as it is, without a copy.
pub(super) fn plain(frame: &Frame, column: &str) -> Result<Part> {
    Ok(match frame.column(column)? {
        Column::Flag(flags) => Part::Flags(Arc::clone(flags)),
        _ => Part::Numbers(Arc::clone(frame.numeric(column)?.values())),
    })
}

/// All products, the first factor varying fastest.
fn cross(products: &[Piece], pieces: &[Piece]) -> Vec<Piece> {
    pieces
        .iter()
        .flat_map(|piece| {
            products.iter().map(move |product| Piece {
                name: format!("{}:{}", product.name, piece.name),
                parts: product.parts.iter().chain(&piece.parts).cloned().collect(),
            })
        })
        .collect()
}
