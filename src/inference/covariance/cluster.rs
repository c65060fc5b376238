//! Cluster-robust meat, one-way and multi-way.

use super::{ClusterDf, Counts, ResidualDf, ScoreRows, SmallSample};
use crate::data::Groups;
use crate::error::{Error, Result};
use crate::numeric::blocks;
use crate::summary::gram::{TILE, Tile, packed_len, unpack};
use nalgebra::DMatrix;
use std::ops::Range;

/// Memory for the cluster sums of all blocks together; with more clusters fewer blocks run at once.
const SUMS_BYTES: usize = 24 << 20;

/// Most blocks that the rows are cut into.
const MOST_BLOCKS: usize = 16;

/// More cluster columns than this make 2^m terms that nobody wants.
const MOST_WAYS: usize = 4;

/// The corrected meat and the degrees of freedom of tests.
pub(super) fn meat(
    source: &dyn ScoreRows,
    clusters: &[Groups],
    small_sample: SmallSample,
    counts: &Counts<'_>,
) -> Result<(DMatrix<f64>, f64)> {
    if clusters.is_empty() || clusters.len() > MOST_WAYS {
        return Err(Error::invalid_option(
            "cluster columns",
            clusters.len(),
            format!("between 1 and {MOST_WAYS} columns"),
        ));
    }
    let k = source.parameters();
    let fewest = clusters.iter().map(Groups::count).min().unwrap_or(0);
    let mut total = DMatrix::zeros(k, k);
    // Inclusion–exclusion over the non-empty subsets of the columns (Cameron, Gelbach & Miller 2011, eq. 2.13).
    for subset in 1_usize..1 << clusters.len() {
        let mut members = (0..clusters.len())
            .filter(|i| subset >> i & 1 == 1)
            .map(|i| &clusters[i]);
        let Some(first) = members.next() else {
            continue;
        };
        let groups = members.fold(first.clone(), |all, next| all.pair(next));
        let sign = if subset.count_ones() % 2 == 1 {
            1.0
        } else {
            -1.0
        };
        let count = match small_sample.cluster_df {
            ClusterDf::Min => fewest,
            ClusterDf::Conventional => groups.count(),
        };
        let factor = small_sample.factor(counts, k, clusters, count);
        total += one_way(source, &groups) * (sign * factor);
    }
    let df = match small_sample.residual_df {
        ResidualDf::Min => (fewest - 1) as f64,
        ResidualDf::Conventional => {
            counts.observations - small_sample.parameters(counts, k, clusters)
        }
    };
    Ok((total, df))
}

/// `Σ_g s_g s_g'`.
fn one_way(source: &dyn ScoreRows, groups: &Groups) -> DMatrix<f64> {
    let k = source.parameters();
    if k == 0 {
        return DMatrix::zeros(0, 0); // effects alone
    }
    let sums = group_scores(source, groups);
    let mut packed = vec![0.0; packed_len(k)];
    let mut tile = Tile::new(k);
    for chunk in sums.chunks(TILE * k) {
        let len = chunk.len() / k;
        for j in 0..k {
            for (value, row) in tile.column_mut(j).iter_mut().zip(chunk.chunks_exact(k)) {
                *value = row[j];
            }
        }
        tile.clear_from(len);
        tile.add_gram(&mut packed);
    }
    unpack(&packed, k)
}

/// Sums of the scores by group, `k` numbers a group. The cut into blocks depends on the data alone.
pub(super) fn group_scores(source: &dyn ScoreRows, groups: &Groups) -> Vec<f64> {
    let k = source.parameters();
    let len = groups.count() * k;
    let count = (SUMS_BYTES / (8 * len.max(1))).clamp(1, MOST_BLOCKS);
    let size = source.rows().div_ceil(count).next_multiple_of(TILE);
    let work = |block: Range<usize>| {
        let mut sums = vec![0.0; len];
        let mut tile = Tile::new(k);
        let mut residual = [0.0; TILE];
        for r in blocks::ranges(block.len(), TILE) {
            let rows = block.start + r.start..block.start + r.end;
            let residual = &mut residual[..rows.len()];
            source.fill(rows.clone(), &mut tile, residual);
            let codes = &groups.codes[rows];
            for j in 0..k {
                let column = tile.column(j);
                for ((code, x), e) in codes.iter().zip(column).zip(&*residual) {
                    sums[*code as usize * k + j] += x * e;
                }
            }
        }
        sums
    };
    blocks::reduce(source.rows(), size, work, |total, part| {
        total.iter_mut().zip(part).for_each(|(a, b)| *a += b);
    })
    .unwrap_or_else(|| vec![0.0; len])
}
