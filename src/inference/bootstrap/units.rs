//! What is drawn: rows or clusters of rows, within strata.

use crate::data::{Frame, Groups};
use crate::error::{Error, Result};

/// Units and the strata within which they are drawn.
#[derive(Clone, Debug)]
pub(super) struct Units {
    /// Rows of each cluster; none when every row is a unit.
    pub(super) clusters: Option<Clusters>,
    /// Units of each stratum.
    pub(super) strata: Vec<Vec<u32>>,
    /// Number of units.
    pub(super) count: usize,
}

/// Rows sorted by cluster.
#[derive(Clone, Debug)]
pub(super) struct Clusters {
    pub(super) column: String,
    starts: Vec<usize>,
    rows: Vec<u32>,
}

impl Clusters {
    pub(super) fn rows(&self, cluster: usize) -> &[u32] {
        &self.rows[self.starts[cluster]..self.starts[cluster + 1]]
    }

    fn new(groups: &Groups) -> Self {
        let mut starts = vec![0; groups.count() + 1];
        for code in groups.codes.iter() {
            starts[*code as usize + 1] += 1;
        }
        for g in 1..starts.len() {
            starts[g] += starts[g - 1];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; groups.codes.len()];
        for (row, code) in groups.codes.iter().enumerate() {
            rows[next[*code as usize]] = row as u32;
            next[*code as usize] += 1;
        }
        Self {
            column: groups.name.clone(),
            starts,
            rows,
        }
    }
}

impl Units {
    /// Units of a frame: every row, or the clusters of a column; in one stratum, or in those of a column, in which clusters must
    /// be nested.
    pub(super) fn new(frame: &Frame, cluster: Option<&str>, strata: Option<&str>) -> Result<Self> {
        if frame.rows() == 0 {
            return Err(Error::NoRows {
                reason: "the frame to be resampled is empty".to_owned(),
            });
        }
        if u32::try_from(frame.rows()).is_err() {
            return Err(Error::invalid_option("rows", frame.rows(), "below 2³²"));
        }
        let clusters = cluster.map(|column| whole(frame, column)).transpose()?;
        if let Some(groups) = &clusters
            && groups.count() < 2
        {
            return Err(Error::TooFewClusters {
                column: groups.name.clone(),
                clusters: groups.count(),
            });
        }
        let count = clusters.as_ref().map_or(frame.rows(), Groups::count);
        let clusters = clusters.as_ref().map(Clusters::new);
        let strata = match strata {
            None => vec![(0..count as u32).collect()],
            Some(column) => {
                let groups = whole(frame, column)?;
                let mut members = vec![Vec::new(); groups.count()];
                for unit in 0..count {
                    let stratum = match &clusters {
                        None => groups.codes[unit],
                        Some(clusters) => {
                            let rows = clusters.rows(unit);
                            let first = groups.codes[rows[0] as usize];
                            if rows.iter().any(|r| groups.codes[*r as usize] != first) {
                                return Err(Error::invalid_option(
                                    "strata",
                                    column,
                                    format!(
                                        "constant within each cluster of `{}`",
                                        clusters.column
                                    ),
                                ));
                            }
                            first
                        }
                    };
                    members[stratum as usize].push(unit as u32);
                }
                members
            }
        };
        Ok(Self {
            clusters,
            strata,
            count,
        })
    }

    /// Turns counts of units into counts of rows.
    pub(super) fn row_counts(&self, rows: usize, units: Vec<u32>) -> Vec<u32> {
        let Some(clusters) = &self.clusters else {
            return units;
        };
        let mut out = vec![0; rows];
        for (cluster, count) in units.iter().enumerate() {
            for row in clusters.rows(cluster) {
                out[*row as usize] = *count;
            }
        }
        out
    }
}

/// The groups of a column without missing rows.
pub(crate) fn whole(frame: &Frame, column: &str) -> Result<Groups> {
    let groups = frame.groups(column)?;
    if groups.missing > 0 {
        return Err(Error::MissingClusters {
            column: column.to_owned(),
            missing: groups.missing,
        });
    }
    Ok(groups)
}
