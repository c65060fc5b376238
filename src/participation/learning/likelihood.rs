//! The likelihood of each customer, with its score: beliefs seen, or averaged over paths.

use super::layout::{Layout, TAIL, of};
use super::paths::{Beliefs, Paths};
use super::prepare::{MOST_PATTERNS, Panel};
use super::search::not_finite;
use crate::decision::{LookAhead, Participations, STRUCTURE, share};
use crate::error::Result;
use crate::numeric::blocks;
use crate::numeric::jet::Jet;
use crate::numeric::special::normal;

/// Customers of a parallel task.
const BLOCK: usize = 16;

/// Below it the probability of a path goes over to its logarithm, and of a row too; the square of neither underflows.
const SMALL: f64 = 1e-150;

/// ½ ln 2π.
const HALF_LN_TAU: f64 = 0.918_938_533_204_672_8;

/// Customers who look ahead.
#[derive(Clone, Debug)]
pub(super) struct Foresight {
    pub(super) horizon: usize,
    pub(super) discount: f64,
    /// Distinct regressors that change, with their shares.
    pub(super) patterns: Vec<(Vec<f64>, f64)>,
}

/// The panel with what is estimated from it.
#[derive(Clone, Debug)]
pub(super) struct Learning {
    pub(super) panel: Panel,
    pub(super) layout: Layout,
    pub(super) foresight: Option<Foresight>,
}

/// What is the same for all customers at a point.
pub(super) struct At<'a> {
    beta: &'a [f64],
    pub(super) q: [f64; of::COUNT],
    jets: [Jet<TAIL>; of::COUNT],
    weights: &'a [f64],
    sets: Vec<Beliefs<'a>>,
    ahead: Option<LookAhead>,
}

/// What a row is worth apart from paths.
pub(super) struct Base {
    /// z, of which customers think that it stays.
    pub(super) level: f64,
    /// What changes, less the premium.
    pub(super) rest: f64,
    /// The belief's mean, and its derivative by κ.
    mean: [f64; 2],
    /// ρ_n and its derivative by κ.
    left: [f64; 2],
}

/// The most columns of C: its value, its derivatives by what it is made of, and those by regressors that change, of which no more than patterns are independent.
const MOST: usize = 36;
const _: () = assert!(1 + STRUCTURE + MOST_PATTERNS <= MOST);

/// Paths that are worked out at once.
const LANES: usize = 128;

/// Buffers of a customer; W is the value of looking ahead and its derivatives.
struct Work<const W: usize> {
    /// Path by path: ln p, less what is still in `factor`.
    ln_p: Vec<f64>,
    factor: Vec<f64>,
    /// Row by row, path by path: the derivatives of ln p by what is added to v, and by z.
    slopes: Vec<[f64; 2]>,
    /// Path by path: sums over rows of derivatives by s, κ and the deviation of the intercept.
    by_path: Vec<[f64; 3]>,
    /// Path by path: sums of derivatives through C; the first place is not used.
    by_ahead: Vec<[f64; W]>,
    /// What all paths have in common: ln p, and sums of derivatives through C.
    common: [f64; W],
    /// Of the paths at once: the index, C and 1 + dC/dz, Φ and its slope.
    index: [f64; LANES],
    c: [[f64; W]; LANES],
    grow: [f64; LANES],
    p: [f64; LANES],
    slope: [f64; LANES],
}

impl Learning {
    pub(super) fn parameters(&self) -> usize {
        self.panel.width + self.layout.names().len()
    }

    /// Log-likelihood and score of each customer: `parameters + 1` numbers a customer, not weighted.
    ///
    /// # Errors
    /// [`crate::Error::NotFinite`] where the value of looking ahead does not exist.
    pub(super) fn customers(&self, point: &[f64], paths: &Paths) -> Result<Vec<f64>> {
        let at = self.at(point, paths)?;
        Ok(match at.ahead.as_ref().map_or(1, LookAhead::width) {
            1 => self.at_point::<1>(&at),
            4 => self.at_point::<4>(&at),
            5 => self.at_point::<5>(&at),
            6 => self.at_point::<6>(&at),
            8 => self.at_point::<8>(&at),
            12 => self.at_point::<12>(&at),
            20 => self.at_point::<20>(&at),
            _ => self.at_point::<MOST>(&at),
        })
    }

    fn at_point<const W: usize>(&self, at: &At<'_>) -> Vec<f64> {
        let size = self.parameters() + 1;
        let mut out = vec![0.0; size * self.panel.customers.len()];
        blocks::fill(&mut out, BLOCK * size, |first, chunk| {
            let mut work = Work::<W>::new();
            for (i, out) in chunk.chunks_mut(size).enumerate() {
                self.customer(first / size + i, at, &mut work, out);
            }
        });
        out
    }

    pub(super) fn at<'a>(&self, point: &'a [f64], paths: &'a Paths) -> Result<At<'a>> {
        let (beta, tail) = point.split_at(self.panel.width);
        let jets = self.layout.jacobian(tail);
        let q: [f64; of::COUNT] = std::array::from_fn(|j| jets[j].value);
        let outside = self.layout.is_outside(tail) || q.iter().any(|x| !x.is_finite());
        if outside {
            return Err(not_finite());
        }
        let ahead = self.foresight.as_ref().map(|f| {
            let of_pattern = |(x, p): &(Vec<f64>, f64)| [self.panel.changing(x, beta), *p];
            let problem = Participations {
                horizon: f.horizon,
                discount: f.discount,
                spread: q[of::SPREAD],
                ratio: q[of::RATIO],
                ambiguity: 2.0 * q[of::PREMIUM] / (q[of::SPREAD] * q[of::SPREAD]).max(1e-300),
                payoffs: f.patterns.iter().map(of_pattern).collect(),
            };
            let slopes: Vec<Vec<f64>> = (f.patterns.iter())
                .map(|(x, _)| self.panel.moving.iter().map(|k| x[*k]).collect())
                .collect();
            LookAhead::new(&problem, &slopes)
        });
        Ok(At {
            beta,
            q,
            jets,
            weights: &paths.weights,
            sets: paths.beliefs(q[of::RATIO]),
            ahead: ahead.transpose()?,
        })
    }

    pub(super) fn base(&self, i: usize, row: usize, at: &At<'_>) -> Base {
        let (panel, q) = (&self.panel, &at.q);
        let x = panel.regressors(row);
        let n = panel.signals[row];
        let left = share(q[of::RATIO], n);
        let prior = panel.priors.get(i).copied().unwrap_or(q[of::PRIOR]);
        let mean = if self.layout.seen() {
            let gap = panel.averages[row] - prior;
            [prior + (1.0 - left[0]) * gap, -left[1] * gap]
        } else {
            [prior, 0.0]
        };
        let changing = panel.changing(x, at.beta);
        let all: f64 = x.iter().zip(at.beta).map(|(x, b)| x * b).sum();
        Base {
            level: all - changing + q[of::TASTE] * mean[0] + q[of::DRIFT] * (1.0 - left[0]),
            rest: changing - q[of::PREMIUM] * left[0],
            mean,
            left,
        }
    }

    fn customer<const W: usize>(&self, i: usize, at: &At<'_>, work: &mut Work<W>, out: &mut [f64]) {
        let (panel, q) = (&self.panel, &at.q);
        let rows = panel.customers[i].clone();
        let beliefs = &at.sets[i % at.sets.len()]; // customers take turns
        let paths = at.weights.len();
        work.start(paths, rows.len());
        for (k, row) in rows.clone().enumerate() {
            let base = self.base(i, row, at);
            let (t, n, sign) = (panel.periods[row], panel.signals[row], panel.signs[row]);
            let simulated = !self.layout.seen() && n > 0;
            let slopes = &mut work.slopes[k * paths..(k + 1) * paths];
            if !simulated && !self.layout.intercept {
                // The same on all paths.
                let (c, grow) = at.ahead::<W>(t, n, base.level);
                let v = sign * (base.level + base.rest + c[0]);
                let slope = sign * normal::cdf_and_slope(v).1;
                slopes.fill([slope, slope * grow]);
                work.common[0] += normal::ln_cdf(v);
                (work.common[1..].iter_mut().zip(&c[1..])).for_each(|(sum, c)| *sum += slope * c);
                continue;
            }
            let told = if simulated { n } else { 0 };
            for first in (0..paths).step_by(LANES) {
                let lanes = first..paths.min(first + LANES);
                let (w, u) = (
                    &beliefs.values[told][lanes.clone()],
                    &beliefs.intercept[lanes.clone()],
                );
                for (l, (w, u)) in w.iter().zip(u).enumerate() {
                    let z = base.level + q[of::SPREAD] * w + q[of::INTERCEPT] * u;
                    let (c, grow) = at.ahead::<W>(t, n, z);
                    work.index[l] = sign * (z + base.rest + c[0]);
                    (work.c[l], work.grow[l]) = (c, grow);
                }
                let len = lanes.len();
                let (p, slope) = (&mut work.p[..len], &mut work.slope[..len]);
                normal::cdfs_and_slopes(&work.index[..len], p, slope);
                for (l, r) in lanes.enumerate() {
                    let (ln_p, factor) = (&mut work.ln_p[r], &mut work.factor[r]);
                    if p[l] > SMALL {
                        *factor *= p[l];
                    } else {
                        *ln_p += normal::ln_cdf(work.index[l]);
                    }
                    if *factor < SMALL {
                        *ln_p += factor.ln();
                        *factor = 1.0;
                    }
                    let slope = sign * slope[l];
                    let by_z = slope * work.grow[l];
                    slopes[r] = [slope, by_z];
                    let sums = &mut work.by_path[r];
                    sums[0] += by_z * w[l];
                    sums[1] += by_z * q[of::SPREAD] * beliefs.by_ratio[told][r];
                    sums[2] += by_z * u[l];
                    let sums = work.by_ahead[r].iter_mut().zip(&work.c[l]);
                    sums.for_each(|(sum, c)| *sum += slope * c);
                }
            }
        }
        let mut value = work.weigh(at.weights) + work.common[0];
        let mut by = [0.0; of::COUNT];
        let of_beta = &mut out[1..=panel.width];
        of_beta.fill(0.0);
        // Now `ln_p` holds the weights of the paths.
        for (pi, [s, k, d]) in work.ln_p.iter().zip(&work.by_path) {
            by[of::SPREAD] += pi * s;
            by[of::RATIO] += pi * k;
            by[of::INTERCEPT] += pi * d;
        }
        if at.ahead.is_some() {
            let of_paths = work.ln_p.iter().zip(&work.by_ahead);
            for (pi, sums) in of_paths.chain([(&1.0, &work.common)]) {
                by[of::SPREAD] += pi * sums[1];
                by[of::RATIO] += pi * sums[2];
                by[of::PREMIUM] += pi * sums[3];
                for (k, s) in panel.moving.iter().zip(&sums[1 + STRUCTURE..]) {
                    of_beta[*k] += pi * s;
                }
            }
        }
        for (k, row) in rows.enumerate() {
            let base = self.base(i, row, at);
            let (mut slope, mut by_z) = (0.0, 0.0);
            for (pi, [a, b]) in work.ln_p.iter().zip(&work.slopes[k * paths..]) {
                slope += pi * a;
                by_z += pi * b;
            }
            for (j, (out, x)) in of_beta.iter_mut().zip(panel.regressors(row)).enumerate() {
                *out += x * if panel.is_moving[j] { slope } else { by_z };
            }
            let [left, left_by_ratio] = base.left;
            by[of::TASTE] += by_z * base.mean[0];
            by[of::RATIO] += by_z * (q[of::TASTE] * base.mean[1] - q[of::DRIFT] * left_by_ratio)
                - slope * q[of::PREMIUM] * left_by_ratio;
            by[of::PREMIUM] -= slope * left;
            by[of::DRIFT] += by_z * (1.0 - left);
            if self.layout.seen() {
                by[of::PRIOR] += by_z * q[of::TASTE] * left;
            }
        }
        if self.layout.seen() {
            value += self.contents(i, q, &mut by);
        }
        out[0] = value;
        for (j, out) in out[1 + panel.width..].iter_mut().enumerate() {
            *out = (by.iter().zip(&at.jets))
                .map(|(b, jet)| b * jet.gradient[j])
                .sum();
        }
    }

    /// The log-density of what a customer's signals say, given that they are about an ability of law N(m_0 + b, v_0).
    pub(super) fn contents(
        &self,
        i: usize,
        q: &[f64; of::COUNT],
        by: &mut [f64; of::COUNT],
    ) -> f64 {
        let [n, average, squares] = self.panel.contents[i];
        if n < 0.5 {
            return 0.0;
        }
        let prior = self.panel.priors.get(i).copied().unwrap_or(q[of::PRIOR]);
        let precision = (-2.0 * q[of::LN_SD]).exp();
        let total = 1.0 + n * q[of::RATIO];
        let gap = average - prior - q[of::BIAS];
        let between = n * gap * gap / total;
        let sum = precision * (squares + between);
        by[of::LN_SD] += sum - n;
        by[of::RATIO] += 0.5 * n / total * (precision * between - 1.0);
        by[of::PRIOR] += precision * n * gap / total;
        by[of::BIAS] += precision * n * gap / total;
        -n * (HALF_LN_TAU + q[of::LN_SD]) - 0.5 * (total.ln() + sum)
    }

    /// How likely each row's customer takes part, given what they did before.
    pub(super) fn forecasts(&self, point: &[f64], paths: &Paths) -> Result<Vec<f64>> {
        let at = self.at(point, paths)?;
        let (panel, q) = (&self.panel, &at.q);
        let of_customer = |i: usize| -> Vec<f64> {
            let beliefs = &at.sets[i % at.sets.len()];
            let mut pi = at.weights.to_vec();
            let mut found = vec![];
            for row in panel.customers[i].clone() {
                let base = self.base(i, row, &at);
                let n = panel.signals[row];
                let mut chance = [0.0; 2];
                for (r, pi) in pi.iter_mut().enumerate() {
                    let w = if self.layout.seen() {
                        0.0
                    } else {
                        beliefs.values[n][r]
                    };
                    let z =
                        base.level + q[of::SPREAD] * w + q[of::INTERCEPT] * beliefs.intercept[r];
                    let ([c], _) = at.ahead::<1>(panel.periods[row], n, z);
                    let p = normal::cdf(z + base.rest + c);
                    chance[0] += *pi * p;
                    chance[1] += *pi;
                    *pi *= if panel.signs[row] > 0.0 { p } else { 1.0 - p };
                }
                found.push(chance[0] / chance[1]);
                let total: f64 = pi.iter().sum();
                for p in &mut pi {
                    *p /= total;
                }
            }
            found
        };
        let all = blocks::map(panel.customers.len(), of_customer);
        Ok(all.into_iter().flatten().collect())
    }
}

impl At<'_> {
    /// C at an index with its derivatives, and what a unit of the index is worth.
    #[inline]
    fn ahead<const W: usize>(&self, t: usize, n: usize, z: f64) -> ([f64; W], f64) {
        let Some(ahead) = &self.ahead else {
            return ([0.0; W], 1.0);
        };
        let (c, slope) = ahead.read(t, n, z);
        (c, 1.0 + slope)
    }
}

impl<const W: usize> Work<W> {
    fn new() -> Self {
        Self {
            ln_p: vec![],
            factor: vec![],
            slopes: vec![],
            by_path: vec![],
            by_ahead: vec![],
            common: [0.0; W],
            index: [0.0; LANES],
            c: [[0.0; W]; LANES],
            grow: [0.0; LANES],
            p: [0.0; LANES],
            slope: [0.0; LANES],
        }
    }

    fn start(&mut self, paths: usize, rows: usize) {
        fn zero<T: Copy>(buffer: &mut Vec<T>, len: usize, value: T) {
            buffer.clear();
            buffer.resize(len, value);
        }
        zero(&mut self.ln_p, paths, 0.0);
        zero(&mut self.factor, paths, 1.0);
        zero(&mut self.slopes, paths * rows, [0.0; 2]);
        zero(&mut self.by_path, paths, [0.0; 3]);
        zero(&mut self.by_ahead, paths, [0.0; W]);
        self.common = [0.0; W];
    }

    /// The logarithm of the mean of p over paths; what each has of it replaces ln p.
    fn weigh(&mut self, weights: &[f64]) -> f64 {
        for (l, factor) in self.ln_p.iter_mut().zip(&self.factor) {
            *l += factor.ln();
        }
        let most = self.ln_p.iter().fold(f64::NEG_INFINITY, |m, l| m.max(*l));
        let mut total = 0.0;
        for (l, w) in self.ln_p.iter_mut().zip(weights) {
            *l = w * (*l - most).exp();
            total += *l;
        }
        self.ln_p.iter_mut().for_each(|l| *l /= total);
        most + total.ln()
    }
}
