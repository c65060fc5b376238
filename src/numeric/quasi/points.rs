//! A set of points of the unit cube.

use crate::numeric::blocks;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Points that one task makes; large enough to outweigh its overhead.
const BLOCK: usize = 1024;

/// Points of the unit cube, stored point by point (row-major): coordinate `j` of point `i` is `values()[i · dimensions + j]`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Points {
    dimensions: usize,
    values: Vec<f64>,
}

impl Points {
    /// `count` points made in parallel by `fill(first_point, rows)`.
    pub(super) fn generate(
        count: usize,
        dimensions: usize,
        fill: impl Fn(usize, &mut [f64]) + Sync,
    ) -> Self {
        let mut values = vec![0.0; count * dimensions];
        blocks::fill(&mut values, BLOCK * dimensions, |start, rows| {
            fill(start / dimensions, rows);
        });
        Self { dimensions, values }
    }

    /// From coordinates point by point.
    pub(super) fn from_rows(dimensions: usize, values: Vec<f64>) -> Self {
        Self { dimensions, values }
    }

    /// From one column of coordinates per dimension, all of one length.
    pub(super) fn from_columns(columns: &[Vec<f64>]) -> Self {
        let count = columns.first().map_or(0, Vec::len);
        let values = (0..count)
            .flat_map(|i| columns.iter().map(move |column| column[i]))
            .collect();
        Self {
            dimensions: columns.len(),
            values,
        }
    }

    /// How many points.
    pub fn len(&self) -> usize {
        self.values.len() / self.dimensions.max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many coordinates each point has.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Point `i`, if there are so many.
    pub fn point(&self, i: usize) -> Option<&[f64]> {
        self.values
            .get(i * self.dimensions..(i + 1) * self.dimensions)
    }

    /// The points in order.
    pub fn iter(&self) -> std::slice::ChunksExact<'_, f64> {
        self.values.chunks_exact(self.dimensions.max(1))
    }

    /// Coordinate `j` of every point; empty when there is no such dimension.
    pub fn column(&self, j: usize) -> Vec<f64> {
        self.iter().filter_map(|p| p.get(j).copied()).collect()
    }

    /// All coordinates, point by point.
    pub fn values(&self) -> &[f64] {
        &self.values
    }
}

impl<'a> IntoIterator for &'a Points {
    type Item = &'a [f64];
    type IntoIter = std::slice::ChunksExact<'a, f64>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} points in {} dimensions", self.len(), self.dimensions)
    }
}
