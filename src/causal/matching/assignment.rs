//! Who is matched with whom when nobody may serve twice: greedily, or so that the sum of distances is least.

use super::flow::Flow;
use super::space::Space;
use super::tree::{Query, Tree};

/// More pairs than this are not compared: their distances would not fit into memory.
pub(super) const MOST_PAIRS: usize = 100_000_000;

/// The columns that rows get when the sum of costs is least; there are at least as many columns as rows. Shortest augmenting paths with potentials
/// (Jonker & Volgenant 1987), in time rows² × columns at most. Returns the potentials of rows and columns, which prove the optimum, too.
pub(super) fn least_cost(
    rows: usize,
    columns: usize,
    cost: impl Fn(usize, usize) -> f64,
) -> Solution {
    let mut solution = Solution {
        column_of: vec![usize::MAX; rows],
        rows: vec![0.0; rows],
        columns: vec![0.0; columns],
    };
    let mut row_of: Vec<Option<usize>> = vec![None; columns];
    for start in 0..rows {
        // Dijkstra's algorithm from a row to the nearest free column.
        let mut length = vec![f64::INFINITY; columns];
        let mut before = vec![usize::MAX; columns];
        let mut done: Vec<usize> = Vec::new();
        let mut open: Vec<usize> = (0..columns).collect();
        let (mut row, mut at, mut reached) = (start, usize::MAX, 0.0);
        loop {
            let (mut best, mut place) = (f64::INFINITY, 0);
            for (index, column) in open.iter().enumerate() {
                let through =
                    reached + cost(row, *column) - solution.rows[row] - solution.columns[*column];
                if through < length[*column] {
                    length[*column] = through;
                    before[*column] = at;
                }
                if length[*column] < best {
                    (best, place) = (length[*column], index);
                }
            }
            reached = best;
            at = open.swap_remove(place);
            match row_of[at] {
                Some(next) => {
                    done.push(at);
                    row = next;
                }
                None => break,
            }
        }
        solution.rows[start] += reached;
        for column in done {
            let short = reached - length[column];
            solution.columns[column] -= short;
            if let Some(row) = row_of[column] {
                solution.rows[row] += short;
            }
        }
        // Along the path each column passes to the row before it.
        while before[at] != usize::MAX {
            let last = before[at];
            row_of[at] = row_of[last];
            at = last;
        }
        row_of[at] = Some(start);
    }
    for (column, row) in row_of.iter().enumerate() {
        if let Some(row) = row {
            solution.column_of[*row] = column;
        }
    }
    solution
}

/// An assignment with its proof.
pub(super) struct Solution {
    pub(super) column_of: Vec<usize>,
    pub(super) rows: Vec<f64>,
    pub(super) columns: Vec<f64>,
}

/// Rows of one cell that may be matched: those whose effect is meant, and the others.
pub(super) struct Pool<'a> {
    pub(super) space: &'a Space,
    pub(super) focal: Vec<u32>,
    pub(super) others: Vec<u32>,
}

impl Pool<'_> {
    /// Distances, infinite where a match is not allowed; those of a row follow each other.
    fn distances(&self) -> Vec<f64> {
        let pairs = self
            .focal
            .iter()
            .flat_map(|a| self.others.iter().map(move |b| (*a as usize, *b as usize)));
        pairs
            .map(|(a, b)| {
                if self.space.allows(a, b) {
                    self.space.squared(a, b).sqrt()
                } else {
                    f64::INFINITY
                }
            })
            .collect()
    }

    /// Each focal row in turn takes its nearest row that is left, `ratio` times around; the rows are in the order in which they choose. Pairs.
    pub(super) fn greedy(&self, ratio: usize) -> Vec<[u32; 2]> {
        let tree = Tree::new(&self.space.points, self.space.width, self.others.clone());
        let ones = vec![1.0; self.space.cells.len()];
        let mut taken = vec![false; ones.len()];
        let (mut pairs, mut found) = (Vec::new(), Vec::new());
        for _ in 0..ratio {
            for &row in &self.focal {
                let query = Query {
                    at: self.space.point(row as usize),
                    need: 1.0,
                    radius: f64::INFINITY,
                    weights: &ones,
                    accept: |other: u32| {
                        !taken[other as usize] && self.space.allows(row as usize, other as usize)
                    },
                };
                tree.nearest(&query, &mut found);
                // Of those that are tied the first in the data.
                if let Some(other) = found.iter().map(|(_, other)| *other).min() {
                    taken[other as usize] = true;
                    pairs.push([row, other]);
                }
            }
        }
        pairs
    }

    /// Each focal row gets `ratio` others: as many as possible, at the least sum of distances.
    pub(super) fn optimal(&self, ratio: usize) -> Vec<[u32; 2]> {
        let (distances, width) = (self.distances(), self.others.len());
        let far = self.forbidden(&distances);
        let cost = |focal: usize, other: usize| distances[focal / ratio * width + other].min(far);
        let (rows, columns) = (self.focal.len() * ratio, width);
        let pairs: Vec<(usize, usize)> = if rows <= columns {
            least_cost(rows, columns, cost)
                .column_of
                .into_iter()
                .enumerate()
                .collect()
        } else {
            let found = least_cost(columns, rows, |other, focal| cost(focal, other)).column_of;
            found
                .into_iter()
                .enumerate()
                .map(|(other, focal)| (focal, other))
                .collect()
        };
        (pairs.into_iter())
            .filter(|(focal, other)| cost(*focal, *other) < far)
            .map(|(focal, other)| [self.focal[focal / ratio], self.others[other]])
            .collect()
    }

    /// Between `least` and `most` others for each focal row, `total` in all, at the least sum of distances: first the least ones, as many as can be, then one more pair at a time.
    pub(super) fn variable(&self, least: usize, most: usize, total: usize) -> Vec<[u32; 2]> {
        let (distances, width) = (self.distances(), self.others.len());
        let far = self.forbidden(&distances);
        let first = self.focal.len() * least;
        // Who can have no match that is allowed stays with a column of its own.
        let spare = if first > width || distances.iter().any(|d| d.is_infinite()) {
            first
        } else {
            0
        };
        let cost = |place: usize, other: usize| {
            if other < width {
                distances[place / least * width + other].min(2.0 * far)
            } else {
                far
            }
        };
        let found = least_cost(first, width + spare, cost);
        let focal_of = Flow::grown(&distances, width, [least, most], total, found);
        (focal_of.iter().enumerate())
            .filter_map(|(other, focal)| Some([self.focal[(*focal)?], self.others[other]]))
            .collect()
    }

    /// Everybody in a set of one focal row with others, or of one other with focal rows, at the least sum of distances to the one: the edge cover of
    /// least weight, which is a matching of the pairs that are nearer than both to their nearest, and the nearest of the rest.
    pub(super) fn full(&self) -> Vec<[u32; 2]> {
        let (distances, width) = (self.distances(), self.others.len());
        let (mut of_focal, mut of_other) = (
            vec![(f64::INFINITY, 0); self.focal.len()],
            vec![(f64::INFINITY, 0); width],
        );
        for (at, d) in distances.iter().enumerate() {
            let (focal, other) = (at / width, at % width);
            if *d < of_focal[focal].0 {
                of_focal[focal] = (*d, other);
            }
            if *d < of_other[other].0 {
                of_other[other] = (*d, focal);
            }
        }
        let cost = |focal: usize, other: usize| {
            let own = focal >= self.focal.len() || other >= width;
            if own || distances[focal * width + other].is_infinite() {
                return 0.0;
            }
            (distances[focal * width + other] - of_focal[focal].0 - of_other[other].0).min(0.0)
        };
        // A column of its own lets a row of the smaller side stay out of the matching.
        let small = self.focal.len().min(width);
        let matching: Vec<(usize, usize)> = if small < width {
            let found = least_cost(small, width + small, cost).column_of;
            found.into_iter().enumerate().collect()
        } else {
            let columns = self.focal.len() + small;
            let found = least_cost(small, columns, |other, focal| cost(focal, other)).column_of;
            (found.into_iter().enumerate())
                .map(|(other, focal)| (focal, other))
                .collect()
        };
        let mut edges = Vec::new();
        let mut covered = [vec![false; self.focal.len()], vec![false; width]];
        for (focal, other) in matching {
            if cost(focal, other) < 0.0 {
                edges.push((focal, other));
                (covered[0][focal], covered[1][other]) = (true, true);
            }
        }
        let nearest =
            (of_focal.iter().enumerate()).map(|(focal, (d, other))| (0, *d, (focal, *other)));
        let nearest = nearest.chain(
            of_other
                .iter()
                .enumerate()
                .map(|(other, (d, focal))| (1, *d, (*focal, other))),
        );
        for (side, d, edge) in nearest {
            let own = if side == 0 { edge.0 } else { edge.1 };
            if !covered[side][own] && d.is_finite() {
                edges.push(edge);
            }
        }
        edges.sort_unstable();
        edges.dedup();
        // An edge whose ends both have others is of length zero, and superfluous.
        let mut degree = [vec![0_usize; self.focal.len()], vec![0_usize; width]];
        for (focal, other) in &edges {
            degree[0][*focal] += 1;
            degree[1][*other] += 1;
        }
        edges.retain(|(focal, other)| {
            let keep = degree[0][*focal] == 1 || degree[1][*other] == 1;
            if !keep {
                degree[0][*focal] -= 1;
                degree[1][*other] -= 1;
            }
            keep
        });
        edges
            .into_iter()
            .map(|(focal, other)| [self.focal[focal], self.others[other]])
            .collect()
    }
    /// A cost that no sum of allowed distances reaches.
    fn forbidden(&self, distances: &[f64]) -> f64 {
        let largest = distances
            .iter()
            .filter(|d| d.is_finite())
            .fold(0.0_f64, |m, d| m.max(*d));
        (1.0 + largest) * (1 + self.focal.len() + self.others.len()) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;
    use rand::RngExt;

    #[test]
    fn potentials_prove_the_least_cost() {
        let mut random = Seed::new(5).stream(0);
        for (rows, columns) in [(1, 1), (7, 7), (20, 31), (60, 60)] {
            let costs: Vec<f64> = (0..rows * columns)
                .map(|i| {
                    if i % 3 > 0 {
                        random.random()
                    } else {
                        f64::from((i % 5) as u32) - 1.0
                    }
                })
                .collect();
            let cost = |i: usize, j: usize| costs[i * columns + j];
            let found = least_cost(rows, columns, cost);
            let mut used = vec![false; columns];
            for i in 0..rows {
                assert!(!std::mem::replace(&mut used[found.column_of[i]], true));
                for j in 0..columns {
                    let reduced = cost(i, j) - found.rows[i] - found.columns[j];
                    assert!(reduced > -1e-12);
                    assert!(found.column_of[i] != j || reduced < 1e-12);
                }
            }
            // Columns that nobody needs have no price.
            assert!((0..columns).all(|j| if used[j] {
                found.columns[j] <= 1e-12
            } else {
                found.columns[j].abs() < 1e-12
            }));
        }
    }
}
