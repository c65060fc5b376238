//! The likelihood of funnels whose stages share what a customer is like: sequential hazards with a normal frailty, integrated by
//! quadrature.

use crate::numeric::blocks;
use crate::numeric::optimize::Objective;
use crate::numeric::quadrature::NormalFrailty;
use crate::participation::interval::LatentError;
use crate::summary::gram::{packed_index, packed_len, unpack};
use nalgebra::DMatrix;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Customers of a parallel block.
const BLOCK: usize = 256;

/// One stage over the rows: its regressors begin at parameter `at`.
pub(super) struct Stage {
    pub(super) at: usize,
    pub(super) columns: Vec<Vec<f64>>,
    pub(super) reached: Vec<bool>,
    pub(super) passed: Vec<f64>,
}

/// Funnels of customers: `P(pass stage k | reached, u) = F(x_k'β_k + w'γ + σu)` with standard normal u, one a customer.
pub(super) struct Funnels {
    pub(super) stages: Vec<Stage>,
    /// Regressors with one slope in all stages, from parameter `common_at` on.
    pub(super) common: Vec<Vec<f64>>,
    pub(super) common_at: usize,
    /// The rows of each customer.
    pub(super) customers: Vec<Vec<usize>>,
    /// One weight a customer.
    pub(super) weights: Vec<f64>,
    /// Customers of whom all regressors and outcomes are the same have the same likelihood.
    pub(super) kinds: Kinds,
    /// Whether weights count equal customers.
    pub(super) frequency: bool,
    pub(super) error: LatentError,
    /// Parameters, ln σ (the last) included when there is frailty.
    pub(super) parameters: usize,
    pub(super) frailty: bool,
    pub(super) last: RefCell<Option<(Vec<f64>, Pass)>>,
}

/// Customers who are alike: in an experiment without other regressors there are few kinds of them.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    /// One customer of each kind, and the weight of all.
    first: Vec<(usize, f64)>,
    /// The kind of each customer.
    of: Vec<usize>,
}

impl Kinds {
    pub(super) fn find(all: &Funnels) -> Self {
        let mut kinds = Self::default();
        let mut known: BTreeMap<u64, usize> = BTreeMap::new();
        for (customer, weight) in all.weights.iter().enumerate() {
            let mut hasher = DefaultHasher::new();
            all.values(customer).for_each(|v| v.hash(&mut hasher));
            let new = kinds.first.len();
            let kind = *known.entry(hasher.finish()).or_insert(new);
            // Two kinds with one hash: the second stands by itself.
            let same = kind < new && all.values(kinds.first[kind].0).eq(all.values(customer));
            if same {
                kinds.first[kind].1 += weight;
            } else {
                kinds.first.push((customer, *weight));
            }
            kinds.of.push(if same { kind } else { new });
        }
        kinds
    }
}

/// Log-likelihood, gradient and the lower triangle of the negative Hessian.
#[derive(Clone, Debug)]
pub(super) struct Pass {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    pub(super) information: Vec<f64>,
}

/// A stage that a customer reached: which row, its regressors and whether it was passed.
struct Event {
    regressors: Vec<f64>,
    sign: f64,
    index: f64,
}

impl Funnels {
    /// Everything that the likelihood of a customer depends on.
    fn values(&self, customer: usize) -> impl Iterator<Item = u64> {
        self.customers[customer].iter().flat_map(move |row| {
            let stages = (self.stages.iter().enumerate()).filter(|(_, s)| s.reached[*row]);
            let own = stages.flat_map(move |(k, stage)| {
                let at = [k as u64, stage.passed[*row].to_bits()];
                at.into_iter()
                    .chain(stage.columns.iter().map(|c| c[*row].to_bits()))
            });
            own.chain(self.common.iter().map(|c| c[*row].to_bits()))
        })
    }

    pub(super) fn pass(&self, point: &[f64]) -> Pass {
        let k = self.parameters;
        let empty = || Pass {
            value: 0.0,
            gradient: vec![0.0; k],
            information: vec![0.0; packed_len(k)],
        };
        let (view, kinds) = (View::of(self), &self.kinds.first);
        blocks::reduce(
            kinds.len(),
            BLOCK,
            |range| {
                let mut sums = empty();
                for (customer, weight) in &kinds[range] {
                    view.add(*customer, *weight, point, &mut sums);
                }
                sums
            },
            |total, part| {
                let add = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
                total.value += part.value;
                add(&mut total.gradient, &part.gradient);
                add(&mut total.information, &part.information);
            },
        )
        .unwrap_or_else(empty)
    }

    /// The score of each customer.
    pub(super) fn scores(&self, point: &[f64]) -> Vec<Vec<f64>> {
        let (view, k, kinds) = (View::of(self), self.parameters, &self.kinds.first);
        let scores = blocks::map(kinds.len(), |kind| {
            let mut sums = Pass {
                value: 0.0,
                gradient: vec![0.0; k],
                information: vec![0.0; packed_len(k)],
            };
            view.add(kinds[kind].0, 1.0, point, &mut sums);
            sums.gradient
        });
        let each = self.kinds.of.iter().zip(&self.weights);
        each.map(|(kind, weight)| scores[*kind].iter().map(|s| s * weight).collect())
            .collect()
    }

    pub(super) fn pass_at(&self, point: &[f64]) -> Pass {
        if let Some((known, pass)) = &*self.last.borrow()
            && known == point
        {
            return pass.clone();
        }
        let pass = self.pass(point);
        *self.last.borrow_mut() = Some((point.to_vec(), pass.clone()));
        pass
    }
}

/// What threads share: everything but the memory of the last pass.
struct View<'a> {
    stages: &'a [Stage],
    common: &'a [Vec<f64>],
    common_at: usize,
    customers: &'a [Vec<usize>],
    error: LatentError,
    parameters: usize,
    frailty: bool,
    /// How ln σ enters: by itself.
    unit: Vec<f64>,
}

impl<'a> View<'a> {
    fn of(all: &'a Funnels) -> Self {
        Self {
            stages: &all.stages,
            common: &all.common,
            common_at: all.common_at,
            customers: &all.customers,
            error: all.error,
            parameters: all.parameters,
            frailty: all.frailty,
            unit: (0..all.parameters)
                .map(|j| if j + 1 == all.parameters { 1.0 } else { 0.0 })
                .collect(),
        }
    }

    fn events(&self, customer: usize, point: &[f64]) -> Vec<Event> {
        let mut events = Vec::new();
        for row in &self.customers[customer] {
            for stage in self.stages.iter().filter(|s| s.reached[*row]) {
                let mut regressors = vec![0.0; self.parameters];
                for (j, column) in stage.columns.iter().enumerate() {
                    regressors[stage.at + j] = column[*row];
                }
                for (j, column) in self.common.iter().enumerate() {
                    regressors[self.common_at + j] = column[*row];
                }
                let index = regressors.iter().zip(point).map(|(x, b)| x * b).sum();
                let sign = if stage.passed[*row] > 0.5 { 1.0 } else { -1.0 };
                events.push(Event {
                    regressors,
                    sign,
                    index,
                });
            }
        }
        events
    }

    /// `ln F(±(η + shift))` of an event with two derivatives by η.
    fn derivatives(&self, event: &Event, shift: f64) -> [f64; 3] {
        let [value, slope, curvature] = (self.error).ln_cdf_at(event.sign * (event.index + shift));
        [value, event.sign * slope, curvature]
    }

    /// Adds a customer, so many times: `ln ∫ φ(u) Π_e F(±(η_e + σu)) du`, from the indices of its events and ln σ to the parameters.
    fn add(&self, customer: usize, weight: f64, point: &[f64], sums: &mut Pass) {
        let k = self.parameters;
        let events = self.events(customer, point);
        let mut gradient = vec![0.0; k];
        let mut add = |i: usize, j: usize, second: f64| {
            sums.information[packed_index(i, j)] -= weight * second;
        };
        if self.frailty {
            let sigma = point[k - 1].exp();
            let Some(shared) = NormalFrailty::new(events.len(), sigma, |e, shift| {
                self.derivatives(&events[e], shift)
            }) else {
                sums.value = f64::NAN;
                return;
            };
            let size = events.len() + 1;
            sums.value += weight * shared.value;
            // Σ_f H_ef x_f by event, then Σ_e x_e (Σ_f H_ef x_f)'.
            for (e, row) in shared.hessian.chunks_exact(size).enumerate() {
                let mut mixed = vec![0.0; k];
                for (event, h) in events.iter().zip(row) {
                    mixed
                        .iter_mut()
                        .zip(&event.regressors)
                        .for_each(|(m, x)| *m += h * x);
                }
                mixed[k - 1] = row[size - 1];
                let own = if e < events.len() {
                    &events[e].regressors
                } else {
                    &self.unit
                };
                for (i, x) in own.iter().enumerate() {
                    gradient[i] += shared.gradient[e] * x;
                    for (j, m) in mixed[..=i].iter().enumerate() {
                        add(i, j, x * m);
                    }
                }
            }
        } else {
            for event in &events {
                let [value, first, second] = self.derivatives(event, 0.0);
                sums.value += weight * value;
                for (i, x) in event.regressors.iter().enumerate() {
                    gradient[i] += first * x;
                    for (j, other) in event.regressors[..=i].iter().enumerate() {
                        add(i, j, second * x * other);
                    }
                }
            }
        }
        for (sum, g) in sums.gradient.iter_mut().zip(gradient) {
            *sum += weight * g;
        }
    }
}

impl Objective for Funnels {
    fn value(&self, x: &[f64]) -> f64 {
        -self.pass_at(x).value
    }

    fn gradient(&self, x: &[f64], gradient: &mut [f64]) {
        for (out, g) in gradient.iter_mut().zip(self.pass_at(x).gradient) {
            *out = -g;
        }
    }

    fn hessian(&self, x: &[f64]) -> DMatrix<f64> {
        unpack(&self.pass_at(x).information, self.parameters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::derivative::{gradient, hessian};

    #[test]
    fn derivatives_are_those_of_the_value() {
        let x = vec![0.4, -0.2, 1.0, 0.7];
        let ones = vec![1.0; 4];
        let mut all = Funnels {
            stages: vec![
                Stage {
                    at: 0,
                    columns: vec![ones.clone(), x.clone()],
                    reached: vec![true; 4],
                    passed: vec![1.0, 1.0, 0.0, 1.0],
                },
                Stage {
                    at: 2,
                    columns: vec![ones],
                    reached: vec![true, true, false, true],
                    passed: vec![1.0, 0.0, 0.0, 1.0],
                },
            ],
            common: vec![x],
            common_at: 3,
            customers: vec![vec![0, 2], vec![1], vec![3]],
            weights: vec![1.0, 2.0, 0.5],
            kinds: Kinds::default(),
            frequency: false,
            error: LatentError::Logistic,
            parameters: 5,
            frailty: true,
            last: RefCell::new(None),
        };
        all.kinds = Kinds::find(&all);
        let at = [0.3, -0.4, 0.1, 0.8, -0.2];
        let pass = all.pass(&at);
        let value = |p: &[f64]| all.pass(p).value;
        let (g, h) = (gradient(value, &at).unwrap(), hessian(value, &at).unwrap());
        let summed: Vec<f64> = (0..5)
            .map(|j| all.scores(&at).iter().map(|s| s[j]).sum())
            .collect();
        for i in 0..5 {
            assert!((pass.gradient[i] - g[i]).abs() < 1e-8, "{i}");
            assert!((summed[i] - g[i]).abs() < 1e-8, "{i}");
            for j in 0..=i {
                let ours = -pass.information[packed_index(i, j)];
                assert!(
                    (ours - h[(i, j)]).abs() < 1e-5,
                    "{i} {j}: {ours} {}",
                    h[(i, j)]
                );
            }
        }
    }

    #[test]
    fn customers_who_are_alike_are_counted() {
        let ones = vec![1.0; 6];
        let mut all = Funnels {
            stages: vec![Stage {
                at: 0,
                columns: vec![ones.clone(), vec![1.0, 0.0, 1.0, 0.0, 1.0, 1.0]],
                reached: vec![true; 6],
                passed: vec![1.0, 0.0, 1.0, 1.0, 1.0, 0.0],
            }],
            common: vec![],
            common_at: 2,
            customers: (0..6).map(|i| vec![i]).collect(),
            weights: vec![1.0, 2.0, 0.5, 1.0, 3.0, 1.0],
            kinds: Kinds::default(),
            frequency: false,
            error: LatentError::Normal,
            parameters: 3,
            frailty: true,
            last: RefCell::new(None),
        };
        all.kinds = Kinds::find(&all);
        assert_eq!(all.kinds.of, [0, 1, 0, 2, 0, 3]);
        assert_eq!(all.kinds.first, [(0, 4.5), (1, 2.0), (3, 1.0), (5, 1.0)]);
        let at = [0.2, 0.4, -0.3];
        let pass = all.pass(&at);
        let summed: f64 = all.scores(&at).iter().map(|s| s[1]).sum();
        assert!((summed - pass.gradient[1]).abs() < 1e-12);
        all.kinds.first = (0..6).map(|i| (i, all.weights[i])).collect();
        let each = all.pass(&at);
        assert!((each.value - pass.value).abs() < 1e-12);
        assert!((each.information[4] - pass.information[4]).abs() < 1e-12);
    }
}
