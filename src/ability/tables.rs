//! Items at the nodes of a grid: what all persons share when they are scored.

use super::item::Item;
use super::responses::Responses;

/// Log-probabilities and their slopes of every answer to every item at the nodes, and the information and Warm's J of the items.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    pub(super) nodes: Vec<f64>,
    /// Where the answers of an item begin.
    offsets: Vec<usize>,
    /// `ln P` at the nodes, answer by answer.
    ln_probability: Vec<f64>,
    /// Its derivative with respect to ability.
    slope: Vec<f64>,
    /// Information of an item at the nodes, item by item.
    information: Vec<f64>,
    /// `J = Σ_c P′ P″/P` of an item at the nodes.
    warm: Vec<f64>,
}

/// Sums over the answered items at one ability.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    /// `ℓ = Σ ln P`.
    pub(super) value: f64,
    /// ℓ′.
    pub(super) slope: f64,
    /// ℓ″.
    pub(super) curvature: f64,
    /// Expected information.
    pub(super) information: f64,
    /// `J = Σ P′ P″/P`.
    pub(super) warm: f64,
}

impl Tables {
    pub(super) fn new(items: &[Item], nodes: Vec<f64>) -> Self {
        let mut offsets = vec![0];
        let (mut ln_probability, mut slope) = (vec![], vec![]);
        let (mut information, mut warm) = (vec![], vec![]);
        for item in items {
            for c in 0..item.categories() {
                for a in &nodes {
                    let [value, first, _] = item.ln_probability(c, *a);
                    ln_probability.push(value);
                    slope.push(first);
                }
            }
            for a in &nodes {
                let [i, j] = information_and_warm(item, *a);
                information.push(i);
                warm.push(j);
            }
            offsets.push(offsets[offsets.len() - 1] + item.categories());
        }
        Self {
            nodes,
            offsets,
            ln_probability,
            slope,
            information,
            warm,
        }
    }

    fn answer(&self, item: usize, category: usize) -> std::ops::Range<usize> {
        let at = (self.offsets[item] + category) * self.nodes.len();
        at..at + self.nodes.len()
    }

    /// The log-likelihood of answers at the nodes.
    pub(super) fn ln_likelihood(&self, answers: impl Iterator<Item = (usize, usize)>) -> Vec<f64> {
        let mut out = vec![0.0; self.nodes.len()];
        for (item, category) in answers {
            let column = &self.ln_probability[self.answer(item, category)];
            out.iter_mut().zip(column).for_each(|(o, v)| *o += v);
        }
        out
    }

    /// ℓ′ at the nodes, and with `weighted` Warm's correction `J/2I` added.
    pub(super) fn score(
        &self,
        answers: impl Iterator<Item = (usize, usize)>,
        weighted: bool,
    ) -> Vec<f64> {
        let count = self.nodes.len();
        let mut out = vec![0.0; count];
        let (mut i, mut j) = (vec![0.0; count], vec![0.0; count]);
        for (item, category) in answers {
            let column = &self.slope[self.answer(item, category)];
            out.iter_mut().zip(column).for_each(|(o, v)| *o += v);
            if weighted {
                let own = item * count..(item + 1) * count;
                let pairs = self.information[own.clone()].iter().zip(&self.warm[own]);
                for ((i, j), (own_i, own_j)) in i.iter_mut().zip(&mut j).zip(pairs) {
                    *i += own_i;
                    *j += own_j;
                }
            }
        }
        if weighted {
            for (o, (i, j)) in out.iter_mut().zip(i.iter().zip(&j)) {
                *o += 0.5 * j / i;
            }
        }
        out
    }
}

impl Sums {
    /// Sums at one ability.
    pub(super) fn at(
        items: &[Item],
        answers: impl Iterator<Item = (usize, usize)>,
        ability: f64,
    ) -> Self {
        let mut out = Self::default();
        for (item, category) in answers {
            let [value, slope, curvature] = items[item].ln_probability(category, ability);
            let [information, warm] = information_and_warm(&items[item], ability);
            out.value += value;
            out.slope += slope;
            out.curvature += curvature;
            out.information += information;
            out.warm += warm;
        }
        out
    }
}

/// `Σ P′²/P` and `Σ P′ P″/P` of an item.
fn information_and_warm(item: &Item, ability: f64) -> [f64; 2] {
    let mut out = [0.0; 2];
    for c in item.curves(ability) {
        if c.probability > 0.0 {
            out[0] += c.slope * c.slope / c.probability;
            out[1] += c.slope * c.curvature / c.probability;
        }
    }
    out
}

/// Which abilities the items tell apart: a range around their difficulties, wide enough that curves are flat at its ends.
pub(super) fn range(items: &[Item]) -> [f64; 2] {
    /// `Λ(±12)` is within 1e-5 of 0 and 1.
    const FLAT: f64 = 12.0;
    let mut out = [0.0_f64; 2];
    for item in items {
        let d = item.discrimination().abs().max(LEAST_DISCRIMINATION);
        for b in item.thresholds().into_iter().filter(|b| b.is_finite()) {
            out[0] = out[0].min(b - FLAT / d);
            out[1] = out[1].max(b + FLAT / d);
        }
    }
    out
}

/// An item with a smaller discrimination says nothing of where persons are.
const LEAST_DISCRIMINATION: f64 = 0.2;

/// The answered items of a pattern.
pub(super) fn answers_of(responses: &Responses, pattern: usize) -> Vec<(usize, usize)> {
    responses.answers(pattern).collect()
}
