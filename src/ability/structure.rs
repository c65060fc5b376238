//! Which parameters are free, and how the working coefficients of items and population depend on them.

use super::item::{Item, ItemModel, logistic};
use super::population::{AbilityDistribution, GroupAbility};
use crate::numeric::linalg::Cholesky;
use nalgebra::{DMatrix, DVector};

/// A working coefficient as a linear function of the free parameters.
#[derive(Clone, Debug, Default)]
pub(super) struct Linear {
    pub(super) constant: f64,
    pub(super) terms: Vec<(usize, f64)>,
}

impl Linear {
    pub(super) fn free(parameter: usize) -> Self {
        Self {
            constant: 0.0,
            terms: vec![(parameter, 1.0)],
        }
    }

    pub(super) fn fixed(constant: f64) -> Self {
        Self {
            constant,
            terms: vec![],
        }
    }
}

/// A parameter as it is reported: a function of the working coefficients.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reported {
    /// A coefficient as it is: discrimination, mean, slope of ability.
    Plain(usize),
    /// `−t/D`: difficulty, threshold, step; positions of `t` and `D`.
    Cut(usize, usize),
    /// `Λ(γ)`.
    Guessing(usize),
    /// `e^(2λ)`.
    Variance(usize),
    /// A free parameter over `D`: a slope of difficulty; the parameter and the position of `D`.
    DifficultySlope(usize, usize),
}

/// The working coefficients φ are, item by item, `(D, t_1, …, t_M)` with `γ = logit g` in the three-parameter model, then
/// the means μ and the logarithms λ of standard deviations of the groups, then the slopes β. They are linear in the free
/// parameters θ: `φ = Aθ + b`.
#[derive(Clone, Debug)]
pub(super) struct Structure {
    pub(super) names: Vec<String>,
    pub(super) models: Vec<ItemModel>,
    /// Cuts of each item.
    pub(super) cuts: Vec<usize>,
    /// The first coefficient of each item, and after the last that of the population.
    pub(super) offsets: Vec<usize>,
    pub(super) groups: usize,
    pub(super) slopes: usize,
    pub(super) coefficients: Vec<Linear>,
    /// Number of free parameters.
    pub(super) size: usize,
    pub(super) reported: Vec<(String, Reported)>,
}

impl Structure {
    /// Number of items.
    pub(super) fn items(&self) -> usize {
        self.models.len()
    }

    /// Number of working coefficients of an item.
    pub(super) fn width(&self, item: usize) -> usize {
        self.offsets[item + 1] - self.offsets[item]
    }

    /// Where the population's coefficients begin.
    pub(super) fn population_start(&self) -> usize {
        self.offsets[self.items()]
    }

    /// The position of the mean of a group; its log standard deviation stands `groups` further.
    pub(super) fn mean_at(&self, group: usize) -> usize {
        self.population_start() + group
    }

    /// The position of the log standard deviation of a group.
    pub(super) fn scale_at(&self, group: usize) -> usize {
        self.population_start() + self.groups + group
    }

    /// The position of a slope of ability.
    pub(super) fn slope_at(&self, slope: usize) -> usize {
        self.population_start() + 2 * self.groups + slope
    }

    /// Whether anything of the population is estimated.
    pub(super) fn has_free_population(&self) -> bool {
        self.coefficients[self.population_start()..]
            .iter()
            .any(|c| !c.terms.is_empty())
    }

    /// `φ = Aθ + b`.
    pub(super) fn working(&self, theta: &[f64]) -> Vec<f64> {
        self.coefficients
            .iter()
            .map(|c| c.constant + c.terms.iter().map(|(j, a)| a * theta[*j]).sum::<f64>())
            .collect()
    }

    /// `A'g`.
    pub(super) fn pull_gradient(&self, gradient: &[f64]) -> DVector<f64> {
        let mut out = DVector::zeros(self.size);
        for (c, g) in self.coefficients.iter().zip(gradient) {
            for (j, a) in &c.terms {
                out[*j] += a * g;
            }
        }
        out
    }

    /// `A'HA`.
    pub(super) fn pull_matrix(&self, matrix: &DMatrix<f64>) -> DMatrix<f64> {
        let mut out = DMatrix::zeros(self.size, self.size);
        for (i, row) in self.coefficients.iter().enumerate() {
            for (r, a) in &row.terms {
                for (j, column) in self.coefficients.iter().enumerate() {
                    for (c, b) in &column.terms {
                        out[(*r, *c)] += a * b * matrix[(i, j)];
                    }
                }
            }
        }
        out
    }

    /// The free parameters whose coefficients are nearest to some, by least squares.
    pub(super) fn nearest(&self, working: &[f64]) -> Vec<f64> {
        let mut cross = DMatrix::zeros(self.size, self.size);
        let mut right = DVector::zeros(self.size);
        for (c, value) in self.coefficients.iter().zip(working) {
            for (j, a) in &c.terms {
                right[*j] += a * (value - c.constant);
                for (l, b) in &c.terms {
                    cross[(*j, *l)] += a * b;
                }
            }
        }
        let factor = Cholesky::new(&cross);
        let kept = DVector::from_iterator(factor.rank(), factor.kept().iter().map(|j| right[*j]));
        let solved = factor.solve_vector(&kept);
        let mut theta = vec![0.0; self.size];
        for (j, value) in factor.kept().iter().zip(solved.iter()) {
            theta[*j] = *value;
        }
        theta
    }

    /// Sets of items whose free parameters are their own, each with its parameters: one set of all items where they share some.
    pub(super) fn components(&self) -> Vec<(Vec<usize>, Vec<usize>)> {
        let mut owner: Vec<Option<usize>> = vec![None; self.size];
        let mut shared = false;
        let mut own: Vec<Vec<usize>> = vec![vec![]; self.items()];
        for (item, own) in own.iter_mut().enumerate() {
            for c in &self.coefficients[self.offsets[item]..self.offsets[item + 1]] {
                for (j, _) in &c.terms {
                    shared |= owner[*j].is_some_and(|other| other != item);
                    owner[*j] = Some(item);
                    if !own.contains(j) {
                        own.push(*j);
                    }
                }
            }
        }
        if shared {
            let mut all: Vec<usize> = own.into_iter().flatten().collect();
            all.sort_unstable();
            all.dedup();
            return vec![((0..self.items()).collect(), all)];
        }
        own.into_iter()
            .enumerate()
            .map(|(item, parameters)| (vec![item], parameters))
            .collect()
    }

    /// The reported parameters, and their derivatives with respect to the free ones.
    pub(super) fn report(&self, theta: &[f64]) -> (DVector<f64>, DMatrix<f64>) {
        let phi = self.working(theta);
        let mut values = DVector::zeros(self.reported.len());
        let mut slopes = DMatrix::zeros(self.reported.len(), self.size);
        for (r, (_, what)) in self.reported.iter().enumerate() {
            let mut by = |position: usize, slope: f64| {
                for (j, a) in &self.coefficients[position].terms {
                    slopes[(r, *j)] += slope * a;
                }
            };
            match *what {
                Reported::Plain(at) => {
                    values[r] = phi[at];
                    by(at, 1.0);
                }
                Reported::Cut(t, d) => {
                    values[r] = -phi[t] / phi[d];
                    by(t, -1.0 / phi[d]);
                    by(d, phi[t] / (phi[d] * phi[d]));
                }
                Reported::Guessing(at) => {
                    values[r] = logistic(phi[at]);
                    by(at, values[r] * (1.0 - values[r]));
                }
                Reported::Variance(at) => {
                    values[r] = (2.0 * phi[at]).exp();
                    by(at, 2.0 * values[r]);
                }
                Reported::DifficultySlope(parameter, d) => {
                    values[r] = theta[parameter] / phi[d];
                    by(d, -values[r] / phi[d]);
                    slopes[(r, parameter)] += 1.0 / phi[d];
                }
            }
        }
        (values, slopes)
    }

    /// The items at some working coefficients.
    pub(super) fn items_at(&self, phi: &[f64]) -> Vec<Item> {
        (0..self.items())
            .map(|k| {
                let at = self.offsets[k];
                let cuts = self.cuts[k];
                let guessing = match self.models[k] {
                    ItemModel::ThreeParameter => logistic(phi[at + 1 + cuts]),
                    _ => 0.0,
                };
                Item::from_intercepts(
                    self.names[k].clone(),
                    self.models[k],
                    phi[at],
                    phi[at + 1..=at + cuts].to_vec(),
                    guessing,
                )
            })
            .collect()
    }

    /// The population at some working coefficients.
    pub(super) fn population_at(
        &self,
        phi: &[f64],
        groups: &[String],
        regressors: &[String],
    ) -> AbilityDistribution {
        AbilityDistribution {
            groups: groups
                .iter()
                .enumerate()
                .map(|(g, name)| GroupAbility {
                    name: name.clone(),
                    mean: phi[self.mean_at(g)],
                    variance: (2.0 * phi[self.scale_at(g)]).exp(),
                })
                .collect(),
            regressors: regressors.to_vec(),
            slopes: (0..self.slopes).map(|r| phi[self.slope_at(r)]).collect(),
        }
    }
}
