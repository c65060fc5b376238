//! Counterparts by nearest neighbours: the effect of Abadie and Imbens, its bias correction and its variance.

use super::sites::{Matches, Sites, Trees};
use super::space::Space;
use crate::causal::weighting::Estimand;
use crate::causal::weighting::observed::{Basis, Observed};
use crate::causal::weighting::tilt::Tilted;
use crate::error::{Error, Result};
use crate::numeric::linalg::{Cholesky, quadratic_form};
use nalgebra::{DMatrix, DVector};

/// What is asked of the neighbours.
pub(super) struct Question<'a> {
    pub(super) observed: &'a Observed,
    pub(super) basis: &'a Basis,
    pub(super) space: &'a Space,
    pub(super) estimand: Estimand,
    /// Matches of a row.
    pub(super) neighbours: f64,
    /// Others of its arm from which the variance of a row is estimated.
    pub(super) variance_neighbours: f64,
    pub(super) correct: bool,
    /// Whether the distance is that of an estimated propensity.
    pub(super) of_score: bool,
    /// Sampling weights of the rows.
    pub(super) sampling: Option<&'a [f64]>,
}

/// What was found.
pub(super) struct Imputation {
    pub(super) estimate: f64,
    pub(super) variance: f64,
    /// Whether the adjustment for the estimated propensity left no variance, and was not made.
    pub(super) adjustment_failed: bool,
    /// For every row how often it counts: as itself, and as a match.
    pub(super) weights: Vec<f64>,
    /// Rows whose effect is meant and that have a match.
    pub(super) matched: Vec<bool>,
}

impl Question<'_> {
    fn asks(&self, treated: bool) -> bool {
        match self.estimand {
            Estimand::Att => treated,
            Estimand::Atc => !treated,
            Estimand::Ate | Estimand::Ato => true,
        }
    }

    /// `h(e)` and its slope: whose effect it is.
    fn tilt(&self, propensity: f64) -> (f64, f64) {
        match self.estimand {
            Estimand::Att => (propensity, 1.0),
            Estimand::Atc => (1.0 - propensity, -1.0),
            Estimand::Ate | Estimand::Ato => (1.0, 0.0),
        }
    }

    fn share(&self, row: usize) -> f64 {
        self.sampling.map_or(1.0, |weights| weights[row])
    }

    /// # Errors
    /// `Unidentified` when a regression for the bias has fewer rows than columns; `NoRows` when nobody has a match.
    pub(super) fn answer(&self) -> Result<Imputation> {
        let observed = self.observed;
        let sites = Sites::new(observed, self.space, self.sampling);
        let trees = sites.trees(self.space.cell_count);
        let matches = sites.opposite(&trees, self.space, self.neighbours, |site| {
            self.asks(sites.treated[site])
        });
        let mut uses = vec![[0.0; 2]; sites.len()];
        for site in 0..sites.len() {
            let own = matches.of(site);
            let total: f64 = own.iter().map(|m| sites.mass[*m as usize][0]).sum();
            for m in own {
                uses[*m as usize][0] += sites.mass[site][0] / total;
                uses[*m as usize][1] += sites.mass[site][1] / (total * total);
            }
        }
        let matched: Vec<bool> = (sites.of_row.iter())
            .map(|site| !matches.of(*site as usize).is_empty())
            .collect();
        if !matched.contains(&true) {
            return Err(Error::NoRows {
                reason:
                    "no row has a match within its calipers; widen them, or match on fewer columns"
                        .to_owned(),
            });
        }
        let used: Vec<f64> = sites
            .of_row
            .iter()
            .map(|site| uses[*site as usize][0])
            .collect();
        let mut effects = self.differences(&sites, &matches, &observed.y);
        if self.correct {
            let predicted = self.predicted(&used)?;
            for arm in [false, true].into_iter().filter(|arm| self.asks(!arm)) {
                // The regression of the arm of the matches tells what the distance to them means.
                let moved = self.differences(&sites, &matches, &predicted[usize::from(arm)]);
                for row in (0..observed.len()).filter(|row| observed.treated[*row] != arm) {
                    effects[row] -= moved[row];
                }
            }
        }
        let mass = |row: usize| observed.weights[row] * self.share(row);
        let over = |f: &dyn Fn(usize) -> f64| -> f64 {
            let rows = (0..observed.len()).filter(|row| matched[*row]);
            rows.map(|row| mass(row) * f(row)).sum::<f64>()
        };
        let total = over(&|_| 1.0);
        let estimate = over(&|row| effects[row]) / total;
        let spread = over(&|row| self.share(row) * (effects[row] - estimate).powi(2));
        let around = sites.around(&trees, self.variance_neighbours + 1.0, true, |site| {
            uses[site][0] > 0.0 || self.of_score
        });
        let noise = self.noise(&sites, &around, &uses);
        let variance = (spread + noise) / (total * total);
        let adjusted = variance
            + match &self.space.score {
                Some(score) if self.of_score => {
                    self.adjustment(score, &sites, &trees, &around, estimate)
                }
                _ => 0.0,
            };
        let adjustment_failed = adjusted <= 0.0 && variance > 0.0;
        Ok(Imputation {
            estimate,
            variance: if adjustment_failed {
                variance
            } else {
                adjusted
            },
            adjustment_failed,
            weights: (0..observed.len())
                .map(|row| mass(row) * (f64::from(u8::from(matched[row])) + used[row]))
                .collect(),
            matched,
        })
    }

    /// Treated less untreated outcome of every matched row, one of them that of its matches; zero of others.
    fn differences(&self, sites: &Sites, matches: &Matches, values: &[f64]) -> Vec<f64> {
        let sums = self.sums(sites, values, true);
        let other: Vec<f64> = (0..sites.len())
            .map(|site| mean_of(sites, matches.of(site), &sums))
            .collect();
        (0..values.len())
            .map(|row| {
                let site = sites.of_row[row] as usize;
                let sign = if self.observed.treated[row] {
                    1.0
                } else {
                    -1.0
                };
                if matches.of(site).is_empty() {
                    0.0
                } else {
                    sign * (values[row] - other[site])
                }
            })
            .collect()
    }

    /// `Σ w v` of the rows of each site, with sampling weights or without.
    fn sums(&self, sites: &Sites, values: &[f64], sampled: bool) -> Vec<f64> {
        let mut sums = vec![0.0; sites.len()];
        for (row, site) in sites.of_row.iter().enumerate() {
            let share = if sampled { self.share(row) } else { 1.0 };
            sums[*site as usize] += self.observed.weights[row] * share * values[row];
        }
        sums
    }

    /// Predictions for all rows by regressions among the rows of each arm that are matches, as often as they are.
    fn predicted(&self, used: &[f64]) -> Result<[Vec<f64>; 2]> {
        let mut out = [Vec::new(), Vec::new()];
        for arm in [false, true] {
            if !self.asks(!arm) {
                continue;
            }
            let rows: Vec<usize> = self
                .observed
                .of_arm(arm)
                .filter(|row| used[*row] > 0.0)
                .collect();
            if rows.len() <= self.basis.width {
                return Err(Error::Unidentified {
                    what: format!(
                        "the regression of arm `{}` for the bias correction",
                        self.observed.arms[usize::from(arm)]
                    ),
                    needs: format!(
                        "more than {} rows that are matches, and has {}; correct for fewer covariates or leave the correction out",
                        self.basis.width,
                        rows.len()
                    ),
                });
            }
            let q = self.basis.width;
            let (mut gram, mut cross) = (DMatrix::zeros(q, q), DVector::zeros(q));
            for row in rows {
                let mass = self.observed.weights[row] * self.share(row);
                let (x, weight) = (self.basis.row(row), used[row] * mass);
                for a in 0..q {
                    cross[a] += weight * x[a] * self.observed.y[row];
                    for b in 0..q {
                        gram[(a, b)] += weight * x[a] * x[b];
                    }
                }
            }
            let factor = Cholesky::new(&gram);
            let right =
                DVector::from_iterator(factor.rank(), factor.kept().iter().map(|k| cross[*k]));
            let mut beta = DVector::zeros(q);
            for (at, value) in factor.kept().iter().zip(factor.solve_vector(&right).iter()) {
                beta[*at] = *value;
            }
            out[usize::from(arm)] = self.basis.times(&beta);
        }
        Ok(out)
    }

    /// `Σ σ² (K² + 2 K − K')`, without `2 K` for rows whose own effect is not meant.
    fn noise(&self, sites: &Sites, around: &Matches, uses: &[[f64; 2]]) -> f64 {
        let y = &self.observed.y;
        let mut weighted = self.sums(sites, y, false);
        for (sum, weight) in weighted.iter_mut().zip(&sites.weights) {
            *sum /= weight;
        }
        let means = weighted;
        let mut within = vec![0.0; sites.len()];
        for (row, site) in sites.of_row.iter().enumerate() {
            within[*site as usize] +=
                self.observed.weights[row] * (y[row] - means[*site as usize]).powi(2);
        }
        let each = (0..sites.len())
            .filter(|site| uses[*site][0] > 0.0)
            .map(|site| {
                let near = around.of(site);
                let over =
                    |f: &dyn Fn(usize) -> f64| -> f64 { near.iter().map(|s| f(*s as usize)).sum() };
                let total = over(&|s| sites.weights[s]);
                let mean = over(&|s| sites.weights[s] * means[s]) / total;
                let variance = over(&|s| within[s] + sites.weights[s] * (means[s] - mean).powi(2))
                    / (total - 1.0);
                let [times, squares] = uses[site];
                let own = if self.asks(sites.treated[site]) {
                    2.0 * times
                } else {
                    0.0
                };
                sites.mass[site][1] * variance * (times * times + own - squares)
            });
        each.sum()
    }

    /// What estimating the propensity does to the variance (Abadie & Imbens 2016): `−c'I⁻¹c + ∂'I⁻¹∂`.
    fn adjustment(
        &self,
        score: &Tilted,
        sites: &Sites,
        trees: &Trees,
        own: &Matches,
        estimate: f64,
    ) -> f64 {
        let (observed, q) = (self.observed, self.basis.width);
        let opposite = sites.around(trees, self.variance_neighbours + 1.0, false, |_| true);
        // Sums of y, x and x y of the sites; y around its mean, x around that of all rows.
        let total: f64 = observed.weights.iter().sum();
        let mean = observed
            .y
            .iter()
            .zip(&observed.weights)
            .map(|(y, w)| y * w)
            .sum::<f64>()
            / total;
        let stride = 1 + 2 * q;
        let mut site_sums = vec![0.0; sites.len() * stride];
        for (row, site) in sites.of_row.iter().enumerate() {
            let (sums, y) = (
                &mut site_sums[*site as usize * stride..][..stride],
                observed.y[row] - mean,
            );
            sums[0] += observed.weights[row] * y;
            for (k, x) in self.basis.row(row).iter().enumerate() {
                sums[1 + k] += observed.weights[row] * x;
                sums[1 + q + k] += observed.weights[row] * x * y;
            }
        }
        let set = |near: &[u32]| {
            let (mut sums, mut weight) = (vec![0.0; stride], 0.0);
            for site in near {
                weight += sites.weights[*site as usize];
                for (sum, own) in sums.iter_mut().zip(&site_sums[*site as usize * stride..]) {
                    *sum += own;
                }
            }
            (sums, weight)
        };
        // Effects given all covariates, for the part of the estimand that depends on the propensity.
        let given_all = match self.estimand {
            Estimand::Ate | Estimand::Ato => None,
            _ => {
                let space = Space::of_covariates(observed, self.basis);
                let sites = Sites::new(observed, &space, self.sampling);
                let matches =
                    sites.opposite(&sites.trees(1), &space, self.variance_neighbours, |_| true);
                Some(self.differences(&sites, &matches, &observed.y))
            }
        };
        let (mut c, mut slope, mut mass) = (DVector::zeros(q), DVector::zeros(q), 0.0);
        let propensities = score.propensities();
        let sets: Vec<[(Vec<f64>, f64); 2]> = (0..sites.len())
            .map(|site| [set(own.of(site)), set(opposite.of(site))])
            .collect();
        for (row, site) in sites.of_row.iter().enumerate() {
            let (e, weight, y) = (
                propensities[row],
                observed.weights[row],
                observed.y[row] - mean,
            );
            let (h, dh) = self.tilt(e);
            let x = self.basis.row(row);
            let density = weight * e * (1.0 - e);
            mass += weight * h;
            let [(a, in_own), (b, in_other)] = &sets[*site as usize];
            let sign = if observed.treated[row] { 1.0 } else { -1.0 };
            let shares = if observed.treated[row] {
                [e, 1.0 - e]
            } else {
                [1.0 - e, e]
            };
            let effect = sign * ((a[0] - y) / (in_own - 1.0) - b[0] / in_other);
            for k in 0..q {
                let covariance =
                    |s: &[f64], w: f64| (s[1 + q + k] - s[1 + k] * s[0] / w) / (w - 1.0);
                let both =
                    covariance(a, *in_own) / shares[0] + covariance(b, *in_other) / shares[1];
                c[k] += density * (h * both + dh * x[k] * (effect - estimate));
                if let Some(effects) = &given_all {
                    slope[k] += density * dh * x[k] * (effects[row] - estimate);
                }
            }
        }
        (quadratic_form(&score.inverse, &slope) - quadratic_form(&score.inverse, &c))
            / (mass * mass)
    }
}

/// The mean over some sites; zero over none.
fn mean_of(sites: &Sites, some: &[u32], sums: &[f64]) -> f64 {
    let total: f64 = some.iter().map(|s| sites.mass[*s as usize][0]).sum();
    if total > 0.0 {
        some.iter().map(|s| sums[*s as usize]).sum::<f64>() / total
    } else {
        0.0
    }
}
