//! Lee's bounds: outcomes seen only of those who are selected, and treatment that moves selection one way.

use super::arms::{Arms, Columns, less};
use super::identified_set::IdentifiedSet;
use crate::causal::builders::row_columns;
use crate::causal::units::Linearised;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// Bounds of the effect of a randomised treatment on those whose outcome is seen in either arm, when outcomes are seen only of the selected (those who answer, buy, stay) and treatment moves selection one way only.
///
/// With selection rates `s₁ > s₀` the treated who are selected are a share `s₀/s₁` of always-selected and a rest `p = 1 − s₀/s₁` of those brought in. The rest has at worst the highest, at best the lowest
/// outcomes: the bounds are the means of the lower and of the upper `1 − p` of the treated outcomes, less the mean of the controls'. When `s₁ < s₀` the controls are trimmed. An outcome at the cut counts by the
/// fraction of it that stays, so ties need no rule.
///
/// With `tighten` this is done within the cells of a column known before treatment and averaged over the always-selected, whose share of a cell is its share of rows times the smaller of its two rates; the
/// bounds are no wider. Standard errors come from the influence function (without cells, weights and clusters it is Lee's proposition 3), with estimated rates, cut and cell shares.
///
/// Without an excess in either arm the effect is a point; errors near there are only approximate.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `selected` | outcome not missing | column of 0 and 1 | |
/// | `tighten` | none | column of cells | |
/// | `weights`, `clusters` | none | columns | |
///
/// # Errors
/// [`Error::Unidentified`] when an arm (or a cell of it) has nobody selected; [`Error::OutOfRange`] for treatments or selections other than 0 and 1, or selected without an outcome; [`Error::NoRows`]; those of weights and clusters.
///
/// # References
/// Lee, D. S. (2009). Training, wages, and sample selection: estimating sharp bounds on treatment effects. *Review of Economic Studies* 76(3), 1071–1102.
/// doi:10.1111/j.1467-937X.2009.00536.x
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let n = 400;
/// let invited: Vec<f64> = (0..n).map(|i| f64::from(i % 2)).collect();
/// let spend: Vec<f64> = (0..n)
///     .map(|i| {
///         let answers = i % 5 != 0 || (i % 2 == 1 && i % 3 == 0); // more among the invited
///         if answers { 10.0 + f64::from(i * 7 % 31) + f64::from(i % 2) } else { f64::NAN }
///     })
///     .collect();
/// let frame = Frame::new().with("invited", invited)?.with("spend", spend)?;
/// let fit = LeeBounds::new("spend", "invited").fit(&frame)?;
/// assert!(fit.trimmed() > 0.0 && fit.bounds().contains(1.0));
/// println!("{fit}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeeBounds {
    columns: Columns,
    selected: Option<String>,
    tighten: Option<String>,
}

/// What [`LeeBounds`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeeBoundsFit {
    bounds: IdentifiedSet,
    cells: Vec<LeeCell>,
}

/// One cell, or all rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeeCell {
    /// The level of the cells' column; empty without.
    pub name: String,
    /// Shares selected of controls and of the treated.
    pub selected: [f64; 2],
    /// The share trimmed of the arm with more selected.
    pub trimmed: f64,
    /// Whether it is the treated.
    pub treated_trimmed: bool,
    /// The cell's share of the always-selected.
    pub share: f64,
    /// The cell's own bounds.
    pub bounds: [f64; 2],
}

row_columns!(
    LeeBounds,
    "A column of clusters: errors allow for dependence within them.",
    columns
);

impl LeeBounds {
    /// The effect of a randomised treatment of 0 and 1 on an outcome that is missing (NaN) for those not selected.
    pub fn new(outcome: impl Into<String>, treatment: impl Into<String>) -> Self {
        Self {
            columns: Columns::new(outcome, treatment),
            selected: None,
            tighten: None,
        }
    }

    /// A column that is 1 for the selected and 0 for others, whose outcomes are not used.
    pub fn selected(mut self, column: impl Into<String>) -> Self {
        self.selected = Some(column.into());
        self
    }

    /// A column of cells known before treatment, within which outcomes are trimmed.
    pub fn tighten(mut self, column: impl Into<String>) -> Self {
        self.tighten = Some(column.into());
        self
    }

    /// The bounds.
    ///
    /// # Errors
    /// See [`LeeBounds`].
    pub fn fit(&self, frame: &Frame) -> Result<LeeBoundsFit> {
        let mut arms = self.columns.read(frame, true)?;
        if let Some(column) = &self.selected {
            self.hide(&mut arms, column, frame)?;
        }
        let cells = match &self.tighten {
            None => vec![(String::new(), vec![true; arms.len()])],
            Some(column) => {
                let groups = frame.groups(column)?;
                let missing = arms
                    .rows
                    .iter()
                    .filter(|r| groups.codes[**r] == crate::data::MISSING)
                    .count();
                if missing > 0 {
                    return Err(Error::Unidentified {
                        what: format!("the cell of {missing} rows, whose `{column}` is missing"),
                        needs: "a cell for every row; leave the rows out or give them a level of their own".to_owned(),
                    });
                }
                let of = |code: usize| -> Vec<bool> {
                    arms.rows
                        .iter()
                        .map(|r| groups.codes[*r] as usize == code)
                        .collect()
                };
                (groups.levels.iter().enumerate())
                    .map(|(code, level)| (format!("{column}={level}"), of(code)))
                    .filter(|(_, rows)| rows.contains(&true))
                    .collect()
            }
        };
        let parts = (cells.iter())
            .map(|(name, rows)| self.cell(&arms, name, rows))
            .collect::<Result<Vec<Part>>>()?;
        let total: f64 = parts.iter().map(|p| p.mass.estimate).sum();
        let ends = [0, 1].map(|end: usize| {
            let weighted = |p: &Part| p.mass.estimate * p.ends[end].estimate;
            let estimate = parts.iter().map(weighted).sum::<f64>() / total;
            let influence = (0..arms.len())
                .map(|row| {
                    let each = parts.iter().map(|p| {
                        (p.ends[end].estimate - estimate) * p.mass.influence[row]
                            + p.mass.estimate * p.ends[end].influence[row]
                    });
                    each.sum::<f64>() / total
                })
                .collect();
            Linearised {
                estimate,
                influence,
            }
        });
        let single: Vec<bool> = parts.iter().map(|p| p.single).collect();
        let cells: Vec<LeeCell> = (parts.into_iter())
            .map(|part| LeeCell {
                share: part.mass.estimate / total,
                ..part.cell
            })
            .collect();
        let mut warnings = std::mem::take(&mut arms.warnings);
        let up = cells
            .iter()
            .filter(|c| c.treated_trimmed && c.trimmed > 0.0)
            .count();
        let down = cells
            .iter()
            .filter(|c| !c.treated_trimmed && c.trimmed > 0.0)
            .count();
        if up > 0 && down > 0 {
            warnings.push(Warning::Note {
                message: format!(
                    "selection rises with treatment in {up} cells and falls in {down}: each is trimmed its own way, which is right if selection is monotone within cells; merge cells if it is sampling error"
                ),
            });
        }
        let alone: Vec<&str> = (cells.iter().zip(&single))
            .filter_map(|(cell, single)| single.then_some(cell.name.as_str()))
            .collect();
        if !alone.is_empty() {
            warnings.push(Warning::Note {
                message: format!(
                    "an arm{} has one selected row, whose outcome shows no spread: standard errors are too small; collect more rows{}",
                    if alone == [""] { String::new() } else { format!(" of {}", alone.join(", ")) },
                    if alone == [""] { "" } else { " or merge cells" }
                ),
            });
        }
        let assumption = if down > up {
            "Random treatment that brings nobody to be selected; those selected in both arms"
        } else {
            "Random treatment that keeps nobody from being selected; those selected in both arms"
        };
        Ok(LeeBoundsFit {
            bounds: IdentifiedSet::new(
                self.columns.effect(),
                assumption.to_owned(),
                &ends,
                &arms.units,
                warnings,
            ),
            cells,
        })
    }

    /// Forgets the outcomes of those not selected.
    fn hide(&self, arms: &mut Arms, column: &str, frame: &Frame) -> Result<()> {
        let selected = frame.numeric(column)?;
        for at in 0..arms.len() {
            let row = arms.rows[at];
            let s = selected.values()[row];
            let refuse = |column: &str, value: f64, expected: &str| Error::OutOfRange {
                column: column.to_owned(),
                row: row + 1,
                value,
                expected: expected.to_owned(),
            };
            if s.abs() <= 0.0 {
                arms.y[at] = f64::NAN;
            } else if (s - 1.0).abs() > 0.0 || s.is_nan() {
                return Err(refuse(column, s, "0 or 1"));
            } else if arms.y[at].is_nan() {
                let expected = format!("known where `{column}` is 1");
                return Err(refuse(&self.columns.outcome, arms.y[at], &expected));
            }
        }
        Ok(())
    }

    fn cell(&self, arms: &Arms, name: &str, rows: &[bool]) -> Result<Part> {
        let seen = |i: usize| rows[i] && !arms.y[i].is_nan();
        let within = if name.is_empty() {
            String::new()
        } else {
            format!(" in {name}")
        };
        let mut single = false;
        for arm in [false, true] {
            let own = (0..arms.len()).filter(|i| arms.treated[*i] == arm && seen(*i));
            let selected = own.count();
            single |= selected == 1;
            if selected == 0 {
                return Err(Error::Unidentified {
                    what: format!(
                        "{}{within}: nobody with `{}` = {} is selected",
                        self.columns.effect(),
                        self.columns.treatment,
                        u8::from(arm)
                    ),
                    needs: "selected rows in both arms; merge cells, or use bounds for missing outcomes (`HorowitzManski`)".to_owned(),
                });
            }
        }
        let rates = [false, true].map(|arm| {
            arms.mean(
                |i| f64::from(u8::from(seen(i))),
                |i| rows[i] && arms.treated[i] == arm,
            )
        });
        let up = rates[1].estimate >= rates[0].estimate;
        let (small, large) = (&rates[usize::from(!up)], &rates[usize::from(up)]);
        let kept = Linearised {
            estimate: small.estimate / large.estimate,
            influence: (small.influence.iter().zip(&large.influence))
                .map(|(s, l)| (s - small.estimate / large.estimate * l) / large.estimate)
                .collect(),
        };
        let trimmed =
            |lowest: bool| trimmed_mean(arms, |i| seen(i) && arms.treated[i] == up, &kept, lowest);
        let whole = arms.mean(|i| arms.y[i], |i| seen(i) && arms.treated[i] != up);
        let ends = if up {
            [less(&trimmed(true), &whole), less(&trimmed(false), &whole)]
        } else {
            [less(&whole, &trimmed(false)), less(&whole, &trimmed(true))]
        };
        // P(cell) times the smaller rate.
        let size = arms.mean(|i| f64::from(u8::from(rows[i])), |_| true);
        let mass = Linearised {
            estimate: size.estimate * small.estimate,
            influence: (size.influence.iter().zip(&small.influence))
                .map(|(size_i, small_i)| small.estimate * size_i + size.estimate * small_i)
                .collect(),
        };
        Ok(Part {
            cell: LeeCell {
                name: name.to_owned(),
                selected: [rates[0].estimate, rates[1].estimate],
                trimmed: 1.0 - kept.estimate,
                treated_trimmed: up,
                share: 1.0,
                bounds: [ends[0].estimate, ends[1].estimate],
            },
            mass,
            ends,
            single,
        })
    }
}

struct Part {
    cell: LeeCell,
    mass: Linearised,
    ends: [Linearised; 2],
    /// Whether an arm has one selected row.
    single: bool,
}

/// The mean of the lowest (or highest) share of outcomes, `μ = (1/k) ∫₀ᵏ Q(u) du`, with influence `((Y − q) 1{Y ≤ q} − k (μ − q))/k` among them and `(q − μ)/k` times that of k.
fn trimmed_mean(
    arms: &Arms,
    part: impl Fn(usize) -> bool,
    kept: &Linearised,
    lowest: bool,
) -> Linearised {
    let sign = if lowest { 1.0 } else { -1.0 };
    let weights = &arms.units.weights;
    let mut order: Vec<usize> = (0..arms.len()).filter(|i| part(*i)).collect();
    order.sort_by(|a, b| (sign * arms.y[*a]).total_cmp(&(sign * arms.y[*b])));
    let total: f64 = order.iter().map(|i| weights[*i]).sum();
    let k = kept.estimate;
    let (mut left, mut sum) = (k * total, 0.0);
    let mut cut = order.last().map_or(f64::NAN, |i| arms.y[*i]);
    for i in &order {
        let taken = weights[*i].min(left);
        sum += taken * arms.y[*i];
        left -= taken;
        // Where the cut falls between two outcomes, whatever the rounding, it is the one that stays.
        if left <= 1e-12 * total {
            cut = arms.y[*i];
            break;
        }
    }
    let estimate = sum / (k * total);
    let mut influence: Vec<f64> = (kept.influence.iter())
        .map(|of_share| (cut - estimate) / k * of_share)
        .collect();
    for i in order {
        let inside = if sign * (arms.y[i] - cut) <= 0.0 {
            arms.y[i] - cut
        } else {
            0.0
        };
        influence[i] += (inside - k * (estimate - cut)) / k / total;
    }
    Linearised {
        estimate,
        influence,
    }
}

impl LeeBoundsFit {
    /// The bounds.
    pub fn bounds(&self) -> &IdentifiedSet {
        &self.bounds
    }

    /// The cells; one without `tighten`.
    pub fn cells(&self) -> &[LeeCell] {
        &self.cells
    }

    /// The share trimmed, averaged over cells by their always-selected.
    pub fn trimmed(&self) -> f64 {
        self.cells.iter().map(|c| c.share * c.trimmed).sum()
    }

    /// The bounds, and what was trimmed where.
    pub fn table(&self) -> Table {
        let mut table = self.bounds.table();
        for cell in &self.cells {
            let [control, treated] = cell.selected.map(|s| Cell::percent(s, 1).to_string());
            let within = if cell.name.is_empty() {
                String::new()
            } else {
                format!("{}: ", cell.name)
            };
            table = table.note(format!(
                "{within}{control} of controls and {treated} of the treated selected; {} of the {} trimmed.",
                Cell::percent(cell.trimmed, 1),
                if cell.treated_trimmed { "treated" } else { "controls" }
            ));
        }
        table
    }
}

crate::report::notebook::shown!(LeeBoundsFit);
