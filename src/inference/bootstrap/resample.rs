//! One resample, as a statistic sees it.

use super::units::Units;
use crate::data::Frame;
use crate::error::{Error, Result};
use std::cell::OnceCell;

/// How often each row was drawn. A statistic takes from it what it needs: means and weights without a copy, or a frame.
///
/// A row drawn twice counts twice. The first call to a method does its work; later calls are free.
#[derive(Debug)]
pub struct Resample<'a> {
    source: &'a Frame,
    units: &'a Units,
    drawn: Drawn,
    weights: OnceCell<Vec<f64>>,
    frame: OnceCell<Frame>,
    index: Option<usize>,
}

/// What was drawn.
#[derive(Debug)]
pub(super) enum Drawn {
    /// Every row once.
    Original,
    /// Units in the order of the draw.
    Units(Vec<u32>),
    /// A count for each row.
    Counts(Vec<u32>),
}

/// Why a resample of few rows with Poisson weights may fail.
pub(super) fn nothing_drawn() -> Error {
    Error::NoRows {
        reason: "this resample drew none".to_owned(),
    }
}

impl<'a> Resample<'a> {
    pub(super) fn new(
        source: &'a Frame,
        units: &'a Units,
        drawn: Drawn,
        index: Option<usize>,
    ) -> Self {
        Self {
            source,
            units,
            drawn,
            weights: OnceCell::new(),
            frame: OnceCell::new(),
            index,
        }
    }

    /// The number of the replicate, from 0; none for the original sample and the samples of the jackknife.
    pub fn index(&self) -> Option<usize> {
        self.index
    }

    /// The frame to which [`Resample::weights`] belong: the original, or under the bag of little bootstraps one of its bags.
    pub fn source(&self) -> &Frame {
        self.source
    }

    /// How often each row of [`Resample::source`] was drawn: frequency weights.
    pub fn weights(&self) -> &[f64] {
        self.weights.get_or_init(|| {
            let rows = self.source.rows();
            match &self.drawn {
                Drawn::Original => vec![1.0; rows],
                Drawn::Counts(counts) => counts.iter().map(|c| f64::from(*c)).collect(),
                Drawn::Units(units) => {
                    let mut out = vec![0.0; rows];
                    for unit in units {
                        match &self.units.clusters {
                            None => out[*unit as usize] += 1.0,
                            Some(clusters) => {
                                for row in clusters.rows(*unit as usize) {
                                    out[*row as usize] += 1.0;
                                }
                            }
                        }
                    }
                    out
                }
            }
        })
    }

    /// The drawn rows as a frame. Under the cluster bootstrap the cluster column numbers the drawn clusters, so that a cluster drawn
    /// twice makes two (as cluster-robust errors and cluster effects need).
    ///
    /// # Errors
    /// [`Error::NoRows`] when nothing was drawn (Poisson weights on a few rows).
    pub fn frame(&self) -> Result<&Frame> {
        if let Some(frame) = self.frame.get() {
            return Ok(frame);
        }
        let made = self.materialise()?;
        Ok(self.frame.get_or_init(|| made))
    }

    fn materialise(&self) -> Result<Frame> {
        let rows: Vec<usize> = match &self.drawn {
            Drawn::Original => return Ok(self.source.clone()),
            Drawn::Counts(counts) => counts
                .iter()
                .enumerate()
                .flat_map(|(row, count)| std::iter::repeat_n(row, *count as usize))
                .collect(),
            Drawn::Units(units) => match &self.units.clusters {
                None => units.iter().map(|u| *u as usize).collect(),
                Some(clusters) => {
                    let (mut rows, mut ids) = (Vec::new(), Vec::new());
                    for (id, unit) in units.iter().enumerate() {
                        let of_unit = clusters.rows(*unit as usize);
                        rows.extend(of_unit.iter().map(|r| *r as usize));
                        ids.extend(std::iter::repeat_n(id as f64, of_unit.len()));
                    }
                    return self.source.take(&rows)?.replace(&clusters.column, ids);
                }
            },
        };
        if rows.is_empty() {
            return Err(nothing_drawn());
        }
        self.source.take(&rows)
    }

    /// The mean of a numeric column over the drawn rows, missing ones left out; NaN when none is left.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::WrongKind`].
    pub fn mean(&self, column: &str) -> Result<f64> {
        let (weight, sum) = self.total(column)?;
        Ok(sum / weight)
    }

    /// The sum of a numeric column over the drawn rows, missing ones left out.
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`], [`Error::WrongKind`].
    pub fn sum(&self, column: &str) -> Result<f64> {
        Ok(self.total(column)?.1)
    }

    /// How many drawn rows there are.
    pub fn rows(&self) -> usize {
        match (&self.drawn, &self.units.clusters) {
            (Drawn::Original, _) => self.source.rows(),
            (Drawn::Units(units), None) => units.len(),
            (Drawn::Units(units), Some(clusters)) => {
                units.iter().map(|u| clusters.rows(*u as usize).len()).sum()
            }
            (Drawn::Counts(counts), _) => counts.iter().map(|c| *c as usize).sum(),
        }
    }

    fn total(&self, column: &str) -> Result<(f64, f64)> {
        let column = self.source.numeric(column)?;
        let values = column.values();
        let (mut weight, mut sum) = (0.0, 0.0);
        let mut add = |count: f64, y: f64| {
            if !y.is_nan() {
                weight += count;
                sum += count * y;
            }
        };
        match (&self.drawn, &self.units.clusters) {
            (Drawn::Original, _) => values.iter().for_each(|y| add(1.0, *y)),
            (Drawn::Units(units), None) => {
                for unit in units {
                    add(1.0, values[*unit as usize]);
                }
            }
            (Drawn::Units(units), Some(clusters)) => {
                for unit in units {
                    for row in clusters.rows(*unit as usize) {
                        add(1.0, values[*row as usize]);
                    }
                }
            }
            (Drawn::Counts(counts), _) => {
                for (count, y) in counts.iter().zip(values.iter()) {
                    add(f64::from(*count), *y);
                }
            }
        }
        Ok((weight, sum))
    }
}
