//! The fast wild bootstrap of a t statistic: after one pass over the rows, a draw costs as much as there are clusters.
//!
//! For `H₀: c'β = r` let `B = (X'X)⁻¹`, `κ = c'Bc`, `δ = c'β̂ − r`. Restricted residuals are `ũ = û + X B c δ/κ`, so with the cluster
//! sums `s_g = X_g'û_g` and `q_g = X_g'X_g B c` their scores are `s_g + q_g δ/κ`. With weights `v_g` the bootstrap estimate moves by
//! `w = B Σ v_g (s_g + q_g δ/κ)`, and the cluster scores of its t statistic are `v_g c'B(s_g + q_g δ/κ) − q_g'w`. All is linear in δ: the
//! square of the standard error is a quadratic, kept for every draw, so that inverting the test draws nothing again
//! (Roodman, MacKinnon, Nielsen & Webb 2019, section 5).

use super::weights::WeightSource;
use crate::error::{Error, Result};
use crate::inference::covariance::ScoreRows;
use crate::numeric::blocks;
use crate::numeric::linalg::Cholesky;
use crate::summary::gram::{TILE, Tile};
use nalgebra::{DMatrix, DVector};

/// Draws that are computed together, so that the numbers of a cluster are read once for all of them.
const LANES: usize = 8;

/// Draws of one piece of parallel work.
const PIECE: usize = 32 * LANES;

/// A statistic this close to the observed one, relative to it, equals it but for rounding (the observed signs are among those
/// enumerated).
const TIE: f64 = 1e-9;

/// Steps outwards from the estimate, doubling each time, after which a side of the interval is unbounded.
const MOST_DOUBLINGS: usize = 30;

/// Halvings of a bracket of the end of an interval: 1e-15 of it is left.
const HALVINGS: usize = 50;

/// What one pass over the rows leaves: whitened sums by unit (cluster or row).
#[derive(Clone, Debug)]
pub(crate) struct UnitSums {
    units: usize,
    k: usize,
    /// `R's_g`, unit after unit, with `B = R R'`.
    scores: Vec<f64>,
    /// `R'q_g`.
    loads: Vec<f64>,
    /// `R'c`.
    contrast: DVector<f64>,
}

impl UnitSums {
    /// One pass over the rows. `codes` gives the cluster of each row; without it every row is a unit.
    pub(crate) fn new(
        source: &dyn ScoreRows,
        contrast: &DVector<f64>,
        codes: Option<(&[u32], usize)>,
    ) -> Result<Self> {
        let k = source.parameters();
        let root = Cholesky::full_rank(source.bread(), "the bread of the covariance")?.root();
        let whitened = root.transpose() * contrast;
        let direction = &root * &whitened; // B c
        let units = codes.map_or(source.rows(), |(_, count)| count);
        let (mut scores, mut loads) = (vec![0.0; units * k], vec![0.0; units * k]);
        let mut tile = Tile::new(k);
        let mut residual = [0.0; TILE];
        for rows in blocks::ranges(source.rows(), TILE) {
            let residual = &mut residual[..rows.len()];
            source.fill(rows.clone(), &mut tile, residual);
            let mut along = [0.0; TILE];
            for j in 0..k {
                for (z, x) in along.iter_mut().zip(tile.column(j)) {
                    *z += x * direction[j];
                }
            }
            for j in 0..k {
                let column = tile.column(j);
                for (r, row) in rows.clone().enumerate() {
                    let unit = codes.map_or(row, |(codes, _)| codes[row] as usize);
                    scores[unit * k + j] += column[r] * residual[r];
                    loads[unit * k + j] += column[r] * along[r];
                }
            }
        }
        let turn = |sums: &mut [f64]| {
            for unit in sums.chunks_exact_mut(k.max(1)) {
                let turned = root.transpose() * DVector::from_column_slice(unit);
                unit.copy_from_slice(turned.as_slice());
            }
        };
        turn(&mut scores);
        turn(&mut loads);
        Ok(Self {
            units,
            k,
            scores,
            loads,
            contrast: whitened,
        })
    }

    pub(crate) fn units(&self) -> usize {
        self.units
    }

    /// `c'B s_g` of every unit: what it adds to the error of the estimate.
    pub(crate) fn own(&self) -> Vec<f64> {
        self.along(&self.scores)
    }

    fn along(&self, sums: &[f64]) -> Vec<f64> {
        let c = self.contrast.as_slice();
        let dot = |unit: &[f64]| unit.iter().zip(c).map(|(s, c)| s * c).sum();
        sums.chunks_exact(self.k.max(1)).map(dot).collect()
    }

    /// All draws.
    pub(crate) fn draw(&self, source: &WeightSource, restricted: bool) -> Vec<Drawn> {
        let kappa = self.contrast.norm_squared();
        let load = self.along(&self.loads);
        let plan = Plan {
            own: self.own(),
            load: load.iter().map(|v| v / kappa).collect(),
            kappa,
            restricted,
        };
        let pieces: Vec<_> = blocks::ranges(source.draws, PIECE).collect();
        blocks::map(pieces.len(), |i| {
            let mut out = Vec::with_capacity(PIECE);
            let mut weights = vec![[0.0; LANES]; self.units];
            let mut moves = vec![[[0.0; LANES]; 2]; self.k];
            for lanes in blocks::ranges(pieces[i].len(), LANES) {
                for (lane, offset) in lanes.clone().enumerate() {
                    source.draw(pieces[i].start + offset, self.units, |g, v| {
                        weights[g][lane] = v;
                    });
                }
                self.lanes(&plan, &weights, &mut moves, &mut out);
                out.truncate(lanes.end);
            }
            out
        })
        .concat()
    }

    /// One draw in each lane.
    fn lanes(
        &self,
        plan: &Plan,
        weights: &[[f64; LANES]],
        moves: &mut [[[f64; LANES]; 2]],
        out: &mut Vec<Drawn>,
    ) {
        moves.fill([[0.0; LANES]; 2]);
        for (g, v) in weights.iter().enumerate() {
            let at = g * self.k..(g + 1) * self.k;
            for ((w, s), q) in moves
                .iter_mut()
                .zip(&self.scores[at.clone()])
                .zip(&self.loads[at])
            {
                for lane in 0..LANES {
                    w[0][lane] += s * v[lane];
                    w[1][lane] += q * v[lane];
                }
            }
        }
        let mut lanes = [Drawn::default(); LANES];
        for (g, v) in weights.iter().enumerate() {
            let mut score = [[0.0; LANES]; 2];
            for lane in 0..LANES {
                score[0][lane] = v[lane] * plan.own[g];
                score[1][lane] = v[lane] * plan.load[g];
                lanes[lane].change[0] += score[0][lane];
                lanes[lane].change[1] += score[1][lane];
            }
            for (w, q) in moves.iter().zip(&self.loads[g * self.k..(g + 1) * self.k]) {
                for lane in 0..LANES {
                    score[0][lane] -= q * w[0][lane];
                    score[1][lane] -= q / plan.kappa * w[1][lane];
                }
            }
            for (lane, drawn) in lanes.iter_mut().enumerate() {
                let [a, b] = [score[0][lane], score[1][lane]];
                drawn.square[0] += a * a;
                drawn.square[1] += a * b;
                drawn.square[2] += b * b;
            }
        }
        if !plan.restricted {
            for drawn in &mut lanes {
                drawn.change[1] = 0.0;
                drawn.square[1] = 0.0;
                drawn.square[2] = 0.0;
            }
        }
        out.extend(lanes);
    }
}

/// What all draws share: `c'B s_g` and `c'B q_g/κ` of every unit.
struct Plan {
    own: Vec<f64>,
    load: Vec<f64>,
    kappa: f64,
    restricted: bool,
}

/// One draw as a function of δ: the change of the estimate `n₀ + n₁δ` and its squared standard error `d₀ + 2d₁δ + d₂δ²`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Drawn {
    pub(crate) change: [f64; 2],
    pub(crate) square: [f64; 3],
}

impl Drawn {
    fn statistic(&self, delta: f64) -> f64 {
        let [a, b, c] = self.square;
        (self.change[0] + self.change[1] * delta) / (a + delta * (2.0 * b + delta * c)).sqrt()
    }
}

/// Which p-value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tails {
    Symmetric,
    Equal,
}

/// A test of `c'β = r` for any `r` from the same draws.
#[derive(Clone, Debug)]
pub(crate) struct WildTest {
    pub(crate) estimate: f64,
    /// Without small-sample factors, which cancel.
    pub(crate) std_error: f64,
    pub(crate) draws: Vec<Drawn>,
    /// Whether the observed statistic is among the draws: all signs are enumerated, of restricted residuals.
    pub(crate) enumerated: bool,
}

impl WildTest {
    /// The p-value of `c'β = r`. The observed statistic counts as one of the draws, so the test never rejects too often because
    /// draws are few; it is among the draws when all signs of restricted residuals are enumerated.
    pub(crate) fn p_value(&self, r: f64, tails: Tails) -> f64 {
        let delta = self.estimate - r;
        let t = delta / self.std_error;
        let slack = TIE * t.abs();
        let (mut low, mut high, mut beyond) = (0_usize, 0_usize, 0_usize);
        for drawn in &self.draws {
            let s = drawn.statistic(delta);
            // A draw without a standard error counts against rejection.
            low += usize::from(s.is_nan() || s <= t + slack);
            high += usize::from(s.is_nan() || s >= t - slack);
            beyond += usize::from(s.is_nan() || s.abs() >= t.abs() - slack);
        }
        let extra = usize::from(!self.enumerated);
        let share = |count: usize| (count + extra) as f64 / (self.draws.len() + extra) as f64;
        match tails {
            Tails::Symmetric => share(beyond),
            Tails::Equal => (2.0 * share(low.min(high))).min(1.0),
        }
    }

    /// The statistic of each draw under `c'β = r`.
    pub(crate) fn statistics(&self, r: f64) -> Vec<f64> {
        self.draws
            .iter()
            .map(|d| d.statistic(self.estimate - r))
            .collect()
    }

    /// The hypotheses around the estimate that are not rejected at `1 − level`; an end is infinite where none is.
    pub(crate) fn interval(&self, level: f64, tails: Tails) -> Result<[f64; 2]> {
        if self.std_error <= 0.0 || self.std_error.is_nan() {
            return Err(Error::Unidentified {
                what: "the interval".to_owned(),
                needs: "a positive standard error".to_owned(),
            });
        }
        let alpha = 1.0 - level;
        let kept = |r: f64| self.p_value(r, tails) > alpha;
        let end = |side: f64| {
            let mut inside = self.estimate;
            let mut step = self.std_error;
            for _ in 0..MOST_DOUBLINGS {
                let mut outside = self.estimate + side * step;
                if kept(outside) {
                    inside = outside;
                    step *= 2.0;
                    continue;
                }
                for _ in 0..HALVINGS {
                    let middle = 0.5 * (inside + outside);
                    if kept(middle) {
                        inside = middle;
                    } else {
                        outside = middle;
                    }
                }
                return 0.5 * (inside + outside);
            }
            side * f64::INFINITY
        };
        Ok([end(-1.0), end(1.0)])
    }
}

/// Refuses rows that each stand for many equal ones where rows are the units: the equal ones have errors of their own.
pub(crate) fn refuse_frequencies(source: &dyn ScoreRows, what: &str) -> Result<()> {
    if source.frequencies(0..0).is_none() {
        return Ok(());
    }
    Err(Error::invalid_option(
        "weights",
        "frequencies",
        format!(
            "other weights, none, or clusters, for {what}: equal rows have errors of their own"
        ),
    ))
}

/// `map B s_g` of every unit, one row each: what each unit adds to the error of the coefficients.
pub(crate) fn influence(
    source: &dyn ScoreRows,
    map: &DMatrix<f64>,
    codes: Option<(&[u32], usize)>,
) -> DMatrix<f64> {
    let k = source.parameters();
    let units = codes.map_or(source.rows(), |(_, count)| count);
    let mut sums = DMatrix::<f64>::zeros(units, k);
    let mut tile = Tile::new(k);
    let mut residual = [0.0; TILE];
    for rows in blocks::ranges(source.rows(), TILE) {
        let residual = &mut residual[..rows.len()];
        source.fill(rows.clone(), &mut tile, residual);
        for j in 0..k {
            for (r, row) in rows.clone().enumerate() {
                let unit = codes.map_or(row, |(codes, _)| codes[row] as usize);
                sums[(unit, j)] += tile.column(j)[r] * residual[r];
            }
        }
    }
    sums * (map * source.bread()).transpose()
}
