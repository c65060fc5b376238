//! Mean outcomes of every arm from the leaves of trees.

use crate::numeric::blocks;
use crate::uplift::forest::codes::Codes;
use crate::uplift::forest::tree::Tree;

/// Rows predicted by one task: enough that a tree is read for many rows while it is near.
const CHUNK: usize = 1 << 10;

/// One column an arm: the mean over the trees of the leaf's mean outcomes; with `seen`, one bit a row for each tree, over the trees that have not
/// seen the row, or all when all have.
pub(super) fn mean_outcomes(
    trees: &[Tree],
    codes: &Codes,
    arms: usize,
    seen: Option<&[Vec<u64>]>,
) -> Vec<Vec<f64>> {
    let mut flat = vec![0.0; codes.rows() * arms];
    blocks::fill(&mut flat, CHUNK * arms, |first, out| {
        let from = first / arms;
        let rows: Vec<u32> = (from..from + out.len() / arms).map(|r| r as u32).collect();
        let mut leaves = vec![0; rows.len()];
        let mut counts = vec![0_u32; rows.len()];
        let mut everywhere = vec![0.0; if seen.is_some() { out.len() } else { 0 }];
        for (t, tree) in trees.iter().enumerate() {
            tree.leaves(codes, &rows, &mut leaves);
            for (i, leaf) in leaves.iter().enumerate() {
                let means = &tree.means[*leaf as usize * arms..][..arms];
                let row = rows[i] as usize;
                let add = |sums: &mut [f64]| {
                    for (sum, mean) in sums[i * arms..][..arms].iter_mut().zip(means) {
                        *sum += mean;
                    }
                };
                match seen {
                    None => add(out),
                    Some(seen) => {
                        add(&mut everywhere);
                        if seen[t][row / 64] >> (row % 64) & 1 == 0 {
                            add(out);
                            counts[i] += 1;
                        }
                    }
                }
            }
        }
        for (i, sums) in out.chunks_exact_mut(arms).enumerate() {
            let count = match seen {
                None => trees.len() as f64,
                Some(_) if counts[i] == 0 => {
                    sums.copy_from_slice(&everywhere[i * arms..][..arms]);
                    trees.len() as f64
                }
                Some(_) => f64::from(counts[i]),
            };
            for sum in sums {
                *sum /= count;
            }
        }
    });
    (0..arms)
        .map(|arm| flat.iter().skip(arm).step_by(arms).copied().collect())
        .collect()
}

/// Effects against control of columns of mean outcomes.
pub(super) fn effects(means: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let against = |arm: &Vec<f64>| arm.iter().zip(&means[0]).map(|(m, c)| m - c).collect();
    means[1..].iter().map(against).collect()
}
