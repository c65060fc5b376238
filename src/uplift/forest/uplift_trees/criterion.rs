//! What a split of an uplift tree is worth.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Probabilities in a logarithm or a denominator stay this far from 0 and 1.
const EDGE: f64 = 1e-6;
/// Gains of less than this share of what node and sides are worth are rounding.
const ROUNDING: f64 = 1e-12;

/// What a split of an [`UpliftTree`](crate::uplift::UpliftTree) maximises. `P_k` is the mean outcome of arm k (of K, without control 0) in a node, shrunk as
/// the tree says; `N` counts rows; `L` and `R` are the sides.
///
/// | criterion | gain | outcome | source |
/// |---|---|---|---|
/// | `KullbackLeibler` | `Σ_s N_s/N D(s) − D(node)`, `D = 1/K Σ_k Σ_y P_k(y) ln(P_k(y)/P_0(y))` | 0, 1 | Rzepakowski & Jaroszewicz |
/// | `Euclidean` | the same, `D = 1/K Σ_k 2 (P_k − P_0)²` | any | the same |
/// | `ChiSquared` | the same, `D = 1/K Σ_k Σ_y (P_k(y) − P_0(y))²/P_0(y)` | 0, 1 | the same |
/// | `ContextualTreatment` | `Σ_s N_s/N max_k P_k(s) − max_k P_k(node)`, control among the arms | any | Zhao, Fang & Simchi-Levi |
/// | `Interaction` | the F statistic of the arms' interactions with the side; of one arm t² of `(ȳ_L1 − ȳ_L0) − (ȳ_R1 − ȳ_R0)` | any | Su et al. |
///
/// The first three can be divided by what the split tells about the arm ([`UpliftTree::normalized`](crate::uplift::UpliftTree::normalized)), so that unequal
/// arms on the two sides do not count as effects. With `p_k(s)` the share of arm k that goes to side s,
///
/// `1/K Σ_k H(n_k/(n_k + n_0)) D(p_k : p_0) + Σ_k n_k/N H(p_k) + n_0/N H(p_0) + ½`,
///
/// H being the entropy for Kullback–Leibler and the Gini index else. Logarithms are natural.
///
/// With weights, `N` and `n` are sums of weights, which are scaled to mean 1; only the F statistic's σ̂² has the number of rows less cells below it.
///
/// Python's causalml has the same divergences with these differences, which matter when results are compared. Its gains of several arms are sums, not
/// means, over the arms. Its normaliser is not the paper's: it looks at one side only, adds 0.1 to denominators, and has entropies for all criteria.
/// A node where no control row has the outcome counts as having no divergence; here probabilities stay 1e-6 away from 0 and 1. An arm with exactly
/// the smallest number of rows gets its parent's mean. Its interaction statistic takes p(1 − p) of shrunken rates for the variance; here it is
/// the unbiased variance, which makes t² that of the regression with interactions.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpliftCriterion {
    /// The Kullback–Leibler divergence of the outcome between arms.
    KullbackLeibler,
    /// The squared Euclidean distance.
    Euclidean,
    /// The χ² divergence.
    ChiSquared,
    /// The expected outcome when every customer gets the best arm of the node.
    ContextualTreatment,
    /// The test statistic of an interaction between arm and side.
    Interaction,
}

/// Numbers that are kept of an arm: weight, the weighted sum of the outcome, for interactions the weighted sum of its squares, and with weights the
/// number of rows; without, the weight is that number.
pub(super) const WEIGHT: usize = 0;
pub(super) const SUM: usize = 1;
pub(super) const SQUARES: usize = 2;
pub(super) const ROWS: usize = 3;

/// Which of so many numbers is that of rows.
pub(super) fn rows_lane(lanes: usize) -> usize {
    if lanes > ROWS { ROWS } else { WEIGHT }
}

impl UpliftCriterion {
    /// Whether outcomes have to be 0 or 1.
    pub(super) fn needs_classes(self) -> bool {
        matches!(self, Self::KullbackLeibler | Self::ChiSquared)
    }

    /// Numbers that are kept of an arm.
    pub(super) fn lanes(self, weighted: bool) -> usize {
        match (weighted, self) {
            (true, _) => ROWS + 1,
            (false, Self::Interaction) => SQUARES + 1,
            _ => SUM + 1,
        }
    }

    /// Whether the paper divides the gain by what the split tells about the arm.
    fn normalizes(self) -> bool {
        !matches!(self, Self::ContextualTreatment | Self::Interaction)
    }

    /// Divergence of an arm from control, by the probabilities of the outcome.
    fn divergence(self, p: f64, q: f64) -> f64 {
        let inside = |v: f64| v.clamp(EDGE, 1.0 - EDGE);
        match self {
            Self::KullbackLeibler => {
                let (p, q) = (inside(p), inside(q));
                p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln()
            }
            Self::ChiSquared => {
                let q = inside(q);
                (p - q) * (p - q) * (1.0 / q + 1.0 / (1.0 - q))
            }
            _ => 2.0 * (p - q) * (p - q),
        }
    }

    /// Impurity of a share: entropy or Gini index.
    fn impurity(self, p: f64) -> f64 {
        if self == Self::KullbackLeibler {
            let part = |v: f64| if v > 0.0 { -v * v.ln() } else { 0.0 };
            part(p) + part(1.0 - p)
        } else {
            2.0 * p * (1.0 - p)
        }
    }

    /// What a node of these means is worth.
    fn worth(self, means: &[f64]) -> f64 {
        if self == Self::ContextualTreatment {
            return means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        }
        let divergences = means[1..].iter().map(|p| self.divergence(*p, means[0]));
        divergences.sum::<f64>() / (means.len() - 1) as f64
    }
}

impl fmt::Display for UpliftCriterion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::KullbackLeibler => "Kullback–Leibler divergence",
            Self::Euclidean => "Euclidean distance",
            Self::ChiSquared => "χ² divergence",
            Self::ContextualTreatment => "contextual treatment selection",
            Self::Interaction => "interaction statistic",
        })
    }
}

/// Judges the splits of one node.
pub(super) struct Judge<'a> {
    criterion: UpliftCriterion,
    normalized: bool,
    shrinkage: f64,
    /// Sums of the node, arm by arm.
    total: &'a [f64],
    /// The node's shrunken means.
    means: &'a [f64],
    worth: f64,
    /// The node's weight.
    rows: f64,
    /// Numbers kept of an arm.
    lanes: usize,
    /// Means of the side at hand.
    side: Vec<f64>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(
        criterion: UpliftCriterion,
        normalized: bool,
        shrinkage: f64,
        total: &'a [f64],
        means: &'a [f64],
    ) -> Self {
        let lanes = total.len() / means.len();
        Self {
            criterion,
            normalized: normalized && criterion.normalizes(),
            shrinkage,
            total,
            means,
            worth: criterion.worth(means),
            rows: total.iter().step_by(lanes).sum(),
            lanes,
            side: vec![0.0; means.len()],
        }
    }

    /// The gain of the split whose left side has these sums.
    pub(super) fn gain(&mut self, left: &[f64], right: &[f64]) -> f64 {
        if self.criterion == UpliftCriterion::Interaction {
            return interaction(left, right, self.lanes);
        }
        let rows_left: f64 = left.iter().step_by(self.lanes).sum();
        let share = rows_left / self.rows;
        let (near, far) = (self.worth_of(left), self.worth_of(right));
        let gain = share * near + (1.0 - share) * far - self.worth;
        if gain.abs() <= ROUNDING * (near.abs() + far.abs() + self.worth.abs()) {
            return 0.0;
        }
        if self.normalized {
            gain / self.information(left)
        } else {
            gain
        }
    }

    /// The effect of treatment, whatever its arm, on some of the node's rows, their means pulled towards those of the node as if by one row: what
    /// levels are put in order by.
    pub(super) fn pooled_effect(&self, sums: &[f64]) -> f64 {
        let lanes = self.lanes;
        let mean = |arms: &[f64], all: &[f64]| {
            let add =
                |sums: &[f64], lane: usize| sums.iter().skip(lane).step_by(lanes).sum::<f64>();
            let towards = add(all, SUM) / add(all, WEIGHT);
            shrunken(&[add(arms, WEIGHT), add(arms, SUM)], towards, 1.0)
        };
        let (control, treated) = sums.split_at(lanes);
        let (all_control, all_treated) = self.total.split_at(lanes);
        mean(treated, all_treated) - mean(control, all_control)
    }

    fn worth_of(&mut self, sums: &[f64]) -> f64 {
        for ((mean, arm), parent) in self
            .side
            .iter_mut()
            .zip(sums.chunks_exact(self.lanes))
            .zip(self.means)
        {
            *mean = shrunken(arm, *parent, self.shrinkage);
        }
        self.criterion.worth(&self.side)
    }

    /// What the split tells about the arm (eq. 9 and 11 of the paper; its multi-arm form with equal weights).
    fn information(&self, left: &[f64]) -> f64 {
        let criterion = self.criterion;
        let share = |arm: usize| left[self.lanes * arm] / self.total[self.lanes * arm];
        let count = |arm: usize| self.total[self.lanes * arm];
        let control = share(0);
        let arms = self.means.len();
        let mut information = 0.5 + count(0) / self.rows * criterion.impurity(control);
        for arm in 1..arms {
            let own = share(arm);
            let mixed = criterion.impurity(count(arm) / (count(arm) + count(0)));
            information += mixed * criterion.divergence(own, control) / (arms - 1) as f64
                + count(arm) / self.rows * criterion.impurity(own);
        }
        information
    }
}

/// A mean pulled towards another as if that had been seen in so many more rows.
pub(super) fn shrunken(arm: &[f64], towards: f64, rows: f64) -> f64 {
    let n = arm[WEIGHT] + rows;
    if n > 0.0 {
        (arm[SUM] + rows * towards) / n
    } else {
        towards
    }
}

/// `F = Σ_k w_k (u_k − ū)²/(K σ̂²)` over all arms, control too, with `u_k = ȳ_Lk − ȳ_Rk`, `1/w_k = 1/n_Lk + 1/n_Rk`, ū their weighted mean and σ̂² pooled over
/// the cells: the F statistic of the interactions in the regression on cells, and for one arm Su et al.'s t².
fn interaction(left: &[f64], right: &[f64], lanes: usize) -> f64 {
    let (mut weights, mut sum, mut squares) = (0.0, 0.0, 0.0);
    let (mut within, mut free, mut total) = (0.0, 0.0, 0.0);
    for (l, r) in left.chunks_exact(lanes).zip(right.chunks_exact(lanes)) {
        let apart = l[SUM] / l[WEIGHT] - r[SUM] / r[WEIGHT];
        let weight = 1.0 / (1.0 / l[WEIGHT] + 1.0 / r[WEIGHT]);
        weights += weight;
        sum += weight * apart;
        squares += weight * apart * apart;
        for cell in [l, r] {
            within += (cell[SQUARES] - cell[SUM] * cell[SUM] / cell[WEIGHT]).max(0.0);
            free += cell[rows_lane(lanes)] - 1.0;
            total += cell[SQUARES];
        }
    }
    let between = (squares - sum * sum / weights).max(0.0);
    // Outcomes that do not vary within cells: what is left is rounding.
    let variance = (within / free).max(f64::EPSILON * total / (free + 1.0));
    let contrasts = (left.len() / lanes - 1) as f64;
    if variance > 0.0 {
        between / (contrasts * variance)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows and successes of an arm.
    type Cell = (f64, f64);

    /// Sums of arms with so many rows and successes.
    fn sums(cells: &[Cell], lanes: usize) -> Vec<f64> {
        let cell = |(n, s): &Cell| [*n, *s, *s][..lanes].to_vec();
        cells.iter().flat_map(cell).collect()
    }

    fn plus(a: &[f64], b: &[f64]) -> Vec<f64> {
        a.iter().zip(b).map(|(a, b)| a + b).collect()
    }

    fn gain(criterion: UpliftCriterion, normalized: bool, l: &[Cell], r: &[Cell]) -> f64 {
        let lanes = criterion.lanes(false);
        let (l, r) = (sums(l, lanes), sums(r, lanes));
        let total = plus(&l, &r);
        let means: Vec<f64> = total
            .chunks_exact(lanes)
            .map(|arm| shrunken(arm, 0.0, 0.0))
            .collect();
        Judge::new(criterion, normalized, 0.0, &total, &means).gain(&l, &r)
    }

    #[test]
    fn gains_are_those_of_the_formulas() {
        // Control 20 of 40 on both sides; treated 30 of 40 left, 10 of 40 right: no effect in the node.
        let (l, r) = ([(40.0, 20.0), (40.0, 30.0)], [(40.0, 20.0), (40.0, 10.0)]);
        let euclidean = gain(UpliftCriterion::Euclidean, false, &l, &r);
        assert!((euclidean - 0.125).abs() < 1e-12);
        // Arms are split alike: entropies of ½ in every term but the divergence, which is none. Gini ½ + ½.
        let normalized = gain(UpliftCriterion::Euclidean, true, &l, &r);
        assert!((normalized - 0.125 / (0.5 + 0.5)).abs() < 1e-12);
        let kl = 0.75 * 1.5_f64.ln() + 0.25 * 0.5_f64.ln();
        let found = gain(UpliftCriterion::KullbackLeibler, false, &l, &r);
        assert!((found - kl).abs() < 1e-12);
        let normalized = gain(UpliftCriterion::KullbackLeibler, true, &l, &r);
        assert!((normalized - kl / (0.5 + 2.0_f64.ln())).abs() < 1e-12);
        let chi = gain(UpliftCriterion::ChiSquared, false, &l, &r);
        assert!((chi - 0.25).abs() < 1e-12);
        let best = gain(UpliftCriterion::ContextualTreatment, false, &l, &r);
        assert!((best - (0.5 * 0.75 + 0.5 * 0.5 - 0.5)).abs() < 1e-12);
        // Effects ¼ and −¼; σ̂² = Σ n p (1 − p)/(160 − 4).
        let variance = (2.0 * 40.0 * 0.25 + 2.0 * 40.0 * 0.1875) / 156.0;
        let t2 = 0.25 / (variance * 4.0 / 40.0);
        let found = gain(UpliftCriterion::Interaction, false, &l, &r);
        assert!((found / t2 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn unequal_arms_on_the_sides_cost_gain() {
        // The same means; nearly all control rows go left and nearly all treated ones right.
        let even = [[(50.0, 25.0), (50.0, 40.0)], [(50.0, 25.0), (50.0, 10.0)]];
        let odd = [[(90.0, 45.0), (10.0, 8.0)], [(10.0, 5.0), (90.0, 18.0)]];
        for criterion in [
            UpliftCriterion::KullbackLeibler,
            UpliftCriterion::Euclidean,
            UpliftCriterion::ChiSquared,
        ] {
            let price = |cells: &[[Cell; 2]; 2]| {
                let plain = gain(criterion, false, &cells[0], &cells[1]);
                plain / gain(criterion, true, &cells[0], &cells[1])
            };
            assert!(price(&odd) > 1.2 * price(&even), "{criterion:?}");
        }
    }

    #[test]
    fn certain_outcomes_have_finite_gains() {
        let (l, r) = ([(30.0, 0.0), (30.0, 30.0)], [(30.0, 0.0), (30.0, 0.0)]);
        for criterion in [
            UpliftCriterion::KullbackLeibler,
            UpliftCriterion::Euclidean,
            UpliftCriterion::ChiSquared,
            UpliftCriterion::ContextualTreatment,
            UpliftCriterion::Interaction,
        ] {
            let gain = gain(criterion, true, &l, &r);
            // The best arm has 1 and 0 on the sides, ½ in the node: choosing arms by side gains nothing.
            let none = criterion == UpliftCriterion::ContextualTreatment;
            assert!(
                gain.is_finite() && (gain > 0.0) != none,
                "{criterion:?} {gain}"
            );
        }
        // Nothing differs: no gain, not NaN.
        let flat = [(30.0, 0.0), (30.0, 0.0)];
        for criterion in [
            UpliftCriterion::Interaction,
            UpliftCriterion::KullbackLeibler,
        ] {
            assert_eq!(gain(criterion, false, &flat, &flat), 0.0);
        }
    }
}
