//! The items tabulated at the nodes of the quadrature.

use super::responses::Responses;
use super::structure::Structure;
use super::working::Work;

/// Standard deviations of ability that the nodes cover on each side of all means: the normal density beyond is 10⁻¹¹.
const REACH: f64 = 7.0;

/// More nodes than this are not used: groups so different, or ability so precise, need adaptive quadrature.
const MOST_NODES: usize = 1001;

/// Equally spaced abilities. For integrands that fall off like a normal density the rectangle rule is exact up to
/// `2 exp(−2π² s²/h²)`, with the spacing `h` and the standard deviation `s` of the integrand: 5·10⁻⁹ where `h = s`.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub(super) nodes: Vec<f64>,
    pub(super) step: f64,
}

impl Grid {
    /// Nodes that cover the population, at most `step` apart.
    pub(super) fn covering(
        structure: &Structure,
        phi: &[f64],
        responses: &Responses,
        step: f64,
    ) -> Self {
        let (low, high) = span(structure, phi, responses);
        let count = ((high - low) / step).ceil() as usize + 1;
        Self::between(low, high, count.clamp(3, MOST_NODES))
    }

    /// A given number of nodes that cover the population.
    pub(super) fn of_size(
        structure: &Structure,
        phi: &[f64],
        responses: &Responses,
        count: usize,
    ) -> Self {
        let (low, high) = span(structure, phi, responses);
        Self::between(low, high, count)
    }

    /// Whether this grid reaches as far as another and is as fine, up to a twentieth.
    pub(super) fn serves(&self, other: &Self) -> bool {
        const SLACK: f64 = 0.05;
        let ends = |grid: &Self| [grid.nodes[0], grid.nodes[grid.nodes.len() - 1]];
        let ([low, high], [lower, higher]) = (ends(self), ends(other));
        let slack = SLACK * (higher - lower) / 2.0;
        low <= lower + slack && high >= higher - slack && self.step <= other.step * (1.0 + SLACK)
    }

    fn between(low: f64, high: f64, count: usize) -> Self {
        let step = (high - low) / (count - 1) as f64;
        Self {
            nodes: (0..count).map(|q| low + step * q as f64).collect(),
            step,
        }
    }
}

/// The lowest and highest ability that matter.
fn span(structure: &Structure, phi: &[f64], responses: &Responses) -> (f64, f64) {
    let mut ends = (f64::INFINITY, f64::NEG_INFINITY);
    for pattern in 0..responses.patterns() {
        let group = responses.group(pattern);
        let reach = REACH * phi[structure.scale_at(group)].exp();
        let mean = prior_mean(structure, phi, responses, pattern);
        ends = (ends.0.min(mean - reach), ends.1.max(mean + reach));
        if structure.slopes == 0 && structure.groups == 1 {
            break;
        }
    }
    ends
}

/// `μ_g + x'β` of a pattern.
pub(super) fn prior_mean(
    structure: &Structure,
    phi: &[f64],
    responses: &Responses,
    pattern: usize,
) -> f64 {
    let slope: f64 = (responses.covariates(pattern).iter().enumerate())
        .map(|(r, x)| x * phi[structure.slope_at(r)])
        .sum();
    phi[structure.mean_at(responses.group(pattern))] + slope
}

/// Log-probabilities of all answers at all nodes, and their gradients with respect to the item's coefficients. Row `row(k, c)` is
/// answer `c` of item `k`; where persons skip the item it has one more answer, the missing one, of log-probability 0.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    /// The first row of each item, and the number of rows.
    pub(super) rows: Vec<usize>,
    /// The first gradient row of each item.
    gradient_rows: Vec<usize>,
    nodes: usize,
    ln: Vec<f64>,
    gradients: Vec<f64>,
}

impl Tables {
    /// Tabulates; without gradients where they are not needed.
    pub(super) fn new(
        structure: &Structure,
        phi: &[f64],
        answers: &[usize],
        grid: &Grid,
        gradients: bool,
    ) -> Self {
        let nodes = grid.nodes.len();
        let (mut rows, mut gradient_rows) = (vec![0], vec![0]);
        for (k, count) in answers.iter().enumerate() {
            rows.push(rows[k] + count);
            gradient_rows.push(gradient_rows[k] + count * structure.width(k));
        }
        let mut out = Self {
            ln: vec![0.0; rows[answers.len()] * nodes],
            gradients: vec![
                0.0;
                if gradients {
                    gradient_rows[answers.len()] * nodes
                } else {
                    0
                }
            ],
            rows,
            gradient_rows,
            nodes,
        };
        for k in 0..answers.len() {
            out.tabulate(structure, phi, k, grid, gradients);
        }
        out
    }

    fn tabulate(
        &mut self,
        structure: &Structure,
        phi: &[f64],
        item: usize,
        grid: &Grid,
        gradients: bool,
    ) {
        let cuts = structure.cuts[item];
        let width = structure.width(item);
        let own = &phi[structure.offsets[item]..structure.offsets[item + 1]];
        let mut work = Work::new(cuts);
        for (q, a) in grid.nodes.iter().enumerate() {
            work.at(structure.models[item], own, *a);
            for c in 0..=cuts {
                self.ln[(self.rows[item] + c) * self.nodes + q] = work.value(c);
                if !gradients {
                    continue;
                }
                let row = self.gradient_rows[item] + c * width;
                for j in 0..width {
                    self.gradients[(row + j) * self.nodes + q] =
                        work.coefficient_gradient(c, j, *a);
                }
            }
        }
    }

    /// `ln P(y = c | a_q)` of an item over all nodes.
    pub(super) fn ln(&self, item: usize, category: usize) -> &[f64] {
        let row = self.rows[item] + category;
        &self.ln[row * self.nodes..(row + 1) * self.nodes]
    }

    /// The derivative of that with respect to the `j`-th coefficient of the item.
    pub(super) fn gradient(&self, item: usize, width: usize, category: usize, j: usize) -> &[f64] {
        let row = self.gradient_rows[item] + category * width + j;
        &self.gradients[row * self.nodes..(row + 1) * self.nodes]
    }
}
