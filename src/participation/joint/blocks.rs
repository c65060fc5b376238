//! What is seen of customers, read from a frame and checked.

use super::rows::{OUTCOMES, PLACES};
use super::{Information, JointWillingness, Scale};
use crate::data::{DesignColumn, Frame, Rows};
use crate::error::{Error, Result};
use crate::numeric::special::normal;
use crate::participation::elicited_beliefs::ElicitedBeliefs;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is seen of customers, by used row.
pub(super) struct Blocks {
    pub(super) success: Vec<f64>,
    pub(super) told: [Vec<f64>; 2],
    pub(super) signals: Vec<f64>,
    pub(super) average: Vec<f64>,
    /// Money, what is paid on failure, and ln(1 + e), where they are asked for.
    pub(super) money: Vec<f64>,
    pub(super) guarantee: Vec<f64>,
    pub(super) effort: Vec<f64>,
    pub(super) answers: Vec<Vec<f64>>,
    pub(super) everyone: bool,
}

impl JointWillingness {
    /// What is seen, checked.
    pub(super) fn blocks(
        &self,
        frame: &Frame,
        rows: &Rows,
        takes_part: &[f64],
        success: Option<&str>,
    ) -> Result<Blocks> {
        let n = rows.len();
        let read =
            |column: &str| -> Result<Vec<f64>> { Ok(rows.gather(frame.numeric(column)?.values())) };
        let binary = |column: &str| -> Result<Vec<f64>> {
            let values = read(column)?;
            let wrong = values
                .iter()
                .position(|v| !v.is_nan() && (*v - v.clamp(0.0, 1.0).round()).abs() > 0.0);
            match wrong {
                Some(i) => Err(Error::OutOfRange {
                    column: column.to_owned(),
                    row: rows.index(i) + 1,
                    value: values[i],
                    expected: "0, 1 or missing".to_owned(),
                }),
                None => Ok(values),
            }
        };
        let mut everyone = false;
        let success = match success {
            None => vec![f64::NAN; n],
            Some(column) => {
                let values = binary(column)?;
                let out: Vec<usize> = (0..n).filter(|i| takes_part[*i] < 0.5).collect();
                let recorded = out.iter().filter(|i| !values[**i].is_nan()).count();
                everyone = recorded == out.len();
                if let Some(i) = out.iter().find(|i| !everyone && !values[**i].is_nan()) {
                    return Err(Error::OutOfRange {
                        column: column.to_owned(),
                        row: rows.index(*i) + 1,
                        value: values[*i],
                        expected: format!(
                            "missing where the customer does not take part, as it is for {} others",
                            out.len() - recorded
                        ),
                    });
                }
                vary(column, &values, "of those who take part")?;
                values
            }
        };
        let answers = self.items.iter().map(|item| {
            let values = binary(item)?;
            vary(item, &values, "who answer it")?;
            Ok(values)
        });
        let (mut signals, mut average) = (vec![0.0; n], vec![f64::NAN; n]);
        if let Some((column, kind)) = &self.signals {
            signals = read(column)?;
            if let Some(i) = signals.iter().position(|s| *s < 0.0) {
                return Err(Error::OutOfRange {
                    column: column.clone(),
                    row: rows.index(i) + 1,
                    value: signals[i],
                    expected: "zero or more signals".to_owned(),
                });
            }
            if let Information::Seen(content) = kind {
                average = read(content)?;
                let lost = (0..n).find(|i| signals[*i] > 0.0 && !average[*i].is_finite());
                if let Some(i) = lost {
                    return Err(Error::OutOfRange {
                        column: content.clone(),
                        row: rows.index(i) + 1,
                        value: average[i],
                        expected: format!(
                            "the average of the signals, since `{column}` says that there were some"
                        ),
                    });
                }
            }
        }
        let (mut money, mut guarantee) = (vec![0.0; n], vec![0.0; n]);
        if let (Some(column), Some(coupon)) = (&self.guarantee, &self.money) {
            guarantee = read(column)?;
            money = read(coupon)?;
            if let Some(i) = guarantee.iter().position(|g| *g < 0.0) {
                return Err(Error::OutOfRange {
                    column: column.clone(),
                    row: rows.index(i) + 1,
                    value: guarantee[i],
                    expected: "zero or a positive amount that is paid on failure".to_owned(),
                });
            }
        }
        Ok(Blocks {
            effort: self.worked(frame, rows, takes_part)?,
            money,
            guarantee,
            success,
            told: self.told(frame, rows)?,
            signals,
            average,
            answers: answers.collect::<Result<_>>()?,
            everyone,
        })
    }

    /// ln(1 + e) of those who take part.
    fn worked(&self, frame: &Frame, rows: &Rows, takes_part: &[f64]) -> Result<Vec<f64>> {
        let (Some(column), _) = self.effort_formula() else {
            return Ok(vec![f64::NAN; rows.len()]);
        };
        let mut values = rows.gather(frame.numeric(&column)?.values());
        let refuse = |i: usize, value: f64, expected: &str| {
            Err(Error::OutOfRange {
                column: column.clone(),
                row: rows.index(i) + 1,
                value,
                expected: expected.to_owned(),
            })
        };
        for (i, value) in values.iter_mut().enumerate().filter(|(_, v)| !v.is_nan()) {
            if takes_part[i] < 0.5 {
                return refuse(i, *value, "missing where the customer does not take part");
            }
            if !(*value >= 0.0 && value.is_finite()) {
                return refuse(i, *value, "zero or a positive finite amount of effort");
            }
            *value = value.ln_1p();
        }
        if distinct(&values) < 2 {
            return Err(Error::Unidentified {
                what: "what effort does".to_owned(),
                needs: format!("efforts that differ: `{column}` is the same, or missing, for all"),
            });
        }
        Ok(values)
    }

    /// The ends between which told beliefs lie.
    fn told(&self, frame: &Frame, rows: &Rows) -> Result<[Vec<f64>; 2]> {
        let mut ends = [vec![f64::NAN; rows.len()], vec![f64::NAN; rows.len()]];
        let Some((column, scale)) = &self.told else {
            return Ok(ends);
        };
        let values = rows.gather(frame.numeric(column)?.values());
        if distinct(&values) < 2 {
            return Err(Error::Unidentified {
                what: "what beliefs do".to_owned(),
                needs: format!("told beliefs that differ: all of `{column}` are the same"),
            });
        }
        for (i, value) in values.iter().enumerate().filter(|(_, v)| !v.is_nan()) {
            let [low, high] = match scale {
                Scale::Free => [*value; 2],
                Scale::Probability(_) if self.is_exact() => {
                    if !(*value > 0.0 && *value < 1.0) {
                        return Err(Error::OutOfRange {
                            column: column.clone(),
                            row: rows.index(i) + 1,
                            value: *value,
                            expected: "between 0 and 1 and neither of them: told without error they are beliefs without bounds".to_owned(),
                        });
                    }
                    [normal::quantile(*value); 2]
                }
                Scale::Probability(grid) => {
                    let rounding = ElicitedBeliefs::new("report ~ 1").grid(*grid);
                    let ends = rounding.around(*value, *grid, column, rows.index(i))?;
                    ends.map(normal::quantile)
                }
            };
            ends[0][i] = low;
            ends[1][i] = high;
        }
        Ok(ends)
    }
}

impl Blocks {
    /// The outcomes in the order of [`JointRows`].
    pub(super) fn columns(&self, choice: &DesignColumn, rows: &Rows) -> Vec<DesignColumn> {
        let own = |name: &str, values: &[f64]| {
            let mut all = vec![f64::NAN; rows.total()];
            for (i, v) in values.iter().enumerate() {
                all[rows.index(i)] = *v;
            }
            DesignColumn::new(name, Arc::new(all))
        };
        let mut columns = vec![
            choice.clone(),
            own("success", &self.success),
            own("told from", &self.told[0]),
            own("told to", &self.told[1]),
            own("signals", &self.signals),
            own("average", &self.average),
            own("money", &self.money),
            own("guarantee", &self.guarantee),
            own("effort", &self.effort),
        ];
        // Where nodes lie is not known yet.
        let nodes = vec![f64::NAN; rows.len()];
        columns.extend((PLACES..OUTCOMES).map(|_| own("nodes", &nodes)));
        columns.extend(self.answers.iter().map(|a| own("answer", a)));
        columns
    }
}

/// An outcome that all have or nobody has says nothing.
fn vary(column: &str, values: &[f64], who: &str) -> Result<()> {
    let seen: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    if distinct(&seen) > 1 {
        return Ok(());
    }
    Err(Error::Unidentified {
        what: format!("what `{column}` tells of ability"),
        needs: match seen.first() {
            None => "values: all are missing".to_owned(),
            Some(one) => format!("both 0 and 1: it is {one} for all {who}"),
        },
    })
}

pub(super) fn distinct(values: &[f64]) -> usize {
    let known = values.iter().filter(|v| !v.is_nan());
    known.map(|v| v.to_bits()).collect::<BTreeSet<_>>().len()
}
