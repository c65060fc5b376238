//! The likelihood of each customer, with its score: beliefs seen, or averaged over paths.

use super::layout::{Layout, TAIL, of};
use super::paths::{Beliefs, Paths};
use super::prepare::Panel;
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

/// Buffers of a customer.
#[derive(Default)]
struct Work {
    /// Path by path: ln p, less what is still in `factor`.
    ln_p: Vec<f64>,
    factor: Vec<f64>,
    /// Row by row, path by path: the derivatives of ln p by what is added to v, and by z.
    slopes: Vec<[f64; 2]>,
    /// Path by path: sums over rows of derivatives by s, κ and the deviation of the intercept.
    by_path: Vec<[f64; 3]>,
    /// Path by path: sums of derivatives through C.
    by_ahead: Vec<f64>,
    /// C and its derivatives.
    c: Vec<f64>,
    /// What all paths have in common: ln p, and sums of derivatives through C.
    common: Vec<f64>,
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
        let size = self.parameters() + 1;
        let mut out = vec![0.0; size * self.panel.customers.len()];
        blocks::fill(&mut out, BLOCK * size, |first, chunk| {
            let mut work = Work::default();
            for (i, out) in chunk.chunks_mut(size).enumerate() {
                self.customer(first / size + i, &at, &mut work, out);
            }
        });
        Ok(out)
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

    fn customer(&self, i: usize, at: &At<'_>, work: &mut Work, out: &mut [f64]) {
        let (panel, q) = (&self.panel, &at.q);
        let rows = panel.customers[i].clone();
        let beliefs = &at.sets[i % at.sets.len()]; // customers take turns
        let paths = at.weights.len();
        let looks = at.ahead.as_ref().map_or(0, |ahead| ahead.width() - 1);
        work.start(paths, rows.len(), looks);
        for (k, row) in rows.clone().enumerate() {
            let base = self.base(i, row, at);
            let (t, n, sign) = (panel.periods[row], panel.signals[row], panel.signs[row]);
            let Work {
                ln_p,
                factor,
                slopes,
                by_path,
                by_ahead,
                c,
                common,
            } = work;
            let slopes = &mut slopes[k * paths..(k + 1) * paths];
            let step = |z: f64, c: &mut [f64]| {
                let mut grow = 1.0;
                if let Some(ahead) = &at.ahead {
                    grow += ahead.read(t, n, z, c);
                }
                let (p, slope) = normal::cdf_and_slope(sign * (z + base.rest + c[0]));
                (p, [sign * slope, sign * slope * grow])
            };
            let simulated = !self.layout.seen() && n > 0;
            if !simulated && !self.layout.intercept {
                // The same on all paths.
                let (_, slope) = step(base.level, c);
                common[0] += normal::ln_cdf(sign * (base.level + base.rest + c[0]));
                slopes.fill(slope);
                (common[1..].iter_mut().zip(&c[1..])).for_each(|(sum, c)| *sum += slope[0] * c);
                continue;
            }
            for r in 0..paths {
                let (w, by_ratio) = if simulated {
                    (beliefs.values[n][r], beliefs.by_ratio[n][r])
                } else {
                    (0.0, 0.0)
                };
                let u = beliefs.intercept[r];
                let z = base.level + q[of::SPREAD] * w + q[of::INTERCEPT] * u;
                let (p, slope) = step(z, c);
                if p > SMALL {
                    factor[r] *= p;
                } else {
                    ln_p[r] += normal::ln_cdf(sign * (z + base.rest + c[0]));
                }
                if factor[r] < SMALL {
                    ln_p[r] += factor[r].ln();
                    factor[r] = 1.0;
                }
                slopes[r] = slope;
                let sums = &mut by_path[r];
                sums[0] += slope[1] * w;
                sums[1] += slope[1] * q[of::SPREAD] * by_ratio;
                sums[2] += slope[1] * u;
                let sums = &mut by_ahead[r * looks..(r + 1) * looks];
                (sums.iter_mut().zip(&c[1..])).for_each(|(sum, c)| *sum += slope[0] * c);
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
        if looks > 0 {
            let of_paths = work.ln_p.iter().zip(work.by_ahead.chunks(looks));
            for (pi, sums) in of_paths.chain([(&1.0, &work.common[1..])]) {
                by[of::SPREAD] += pi * sums[0];
                by[of::RATIO] += pi * sums[1];
                by[of::PREMIUM] += pi * sums[2];
                for (k, s) in panel.moving.iter().zip(&sums[STRUCTURE..]) {
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
                    let mut c = [0.0];
                    if let Some(ahead) = &at.ahead {
                        ahead.read(panel.periods[row], n, z, &mut c);
                    }
                    let p = normal::cdf(z + base.rest + c[0]);
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

impl Work {
    fn start(&mut self, paths: usize, rows: usize, looks: usize) {
        fn zero<T: Copy>(buffer: &mut Vec<T>, len: usize, value: T) {
            buffer.clear();
            buffer.resize(len, value);
        }
        zero(&mut self.ln_p, paths, 0.0);
        zero(&mut self.factor, paths, 1.0);
        zero(&mut self.slopes, paths * rows, [0.0; 2]);
        zero(&mut self.by_path, paths, [0.0; 3]);
        zero(&mut self.by_ahead, paths * looks, 0.0);
        zero(&mut self.c, 1 + looks, 0.0);
        zero(&mut self.common, 1 + looks, 0.0);
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
