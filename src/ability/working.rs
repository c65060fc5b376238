//! Log-probabilities of one item at one ability, with derivatives with respect to its lines and its guessing.

use super::item::{ItemModel, logistic, partial_credit};

/// For each answer `c`: `ln P_c`, its gradient and Hessian with respect to `(η_1, …, η_M, logit g)`, where `η_m = D a + t_m`. The chain
/// rule to discrimination and intercepts is `∂/∂t_m = ∂/∂η_m`, `∂/∂D = a Σ_m ∂/∂η_m`.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    lines: Vec<f64>,
    values: Vec<f64>,
    gradients: Vec<f64>,
    hessians: Vec<f64>,
}

impl Work {
    /// Room for an item with this many cuts.
    pub(crate) fn new(cuts: usize) -> Self {
        let (size, categories) = (cuts + 1, cuts + 1);
        Self {
            lines: vec![0.0; cuts],
            values: vec![0.0; categories],
            gradients: vec![0.0; categories * size],
            hessians: vec![0.0; categories * size * size],
        }
    }

    /// `ln P_c`.
    pub(crate) fn value(&self, category: usize) -> f64 {
        self.values[category]
    }

    /// Its gradient with respect to the lines and, last, logit guessing.
    pub(crate) fn gradient(&self, category: usize) -> &[f64] {
        let size = self.lines.len() + 1;
        &self.gradients[category * size..(category + 1) * size]
    }

    /// Its Hessian, row by row.
    pub(crate) fn hessian(&self, category: usize) -> &[f64] {
        let square = (self.lines.len() + 1).pow(2);
        &self.hessians[category * square..(category + 1) * square]
    }

    /// Computes all of them at the working coefficients `(D, t_1, …, t_M)`, followed by logit guessing in the three-parameter model.
    pub(crate) fn at(&mut self, model: ItemModel, coefficients: &[f64], ability: f64) {
        let cuts = self.lines.len();
        let logit = coefficients
            .get(cuts + 1)
            .copied()
            .unwrap_or(f64::NEG_INFINITY);
        self.derivatives(
            model,
            coefficients[0],
            &coefficients[1..=cuts],
            logit,
            ability,
        );
    }

    /// The derivative of `ln P_c` with respect to the `j`-th working coefficient.
    pub(crate) fn coefficient_gradient(&self, category: usize, j: usize, ability: f64) -> f64 {
        let gradient = self.gradient(category);
        match j {
            0 => ability * gradient[..self.lines.len()].iter().sum::<f64>(),
            _ => gradient[j - 1],
        }
    }

    /// The second derivative of `ln P_c` with respect to two working coefficients.
    pub(crate) fn coefficient_hessian(
        &self,
        category: usize,
        i: usize,
        j: usize,
        ability: f64,
    ) -> f64 {
        let cuts = self.lines.len();
        let size = cuts + 1;
        let hessian = self.hessian(category);
        let row = |i: usize| (0..cuts).map(|m| hessian[i * size + m]).sum::<f64>();
        match (i, j) {
            (0, 0) => ability * ability * (0..cuts).map(row).sum::<f64>(),
            (0, j) | (j, 0) => ability * row(j - 1),
            (i, j) => hessian[(i - 1) * size + j - 1],
        }
    }

    /// `∂ ln P_c/∂a` and `∂² ln P_c/∂a²`.
    pub(crate) fn by_ability(&self, category: usize, discrimination: f64) -> [f64; 2] {
        let cuts = self.lines.len();
        let size = cuts + 1;
        let hessian = self.hessian(category);
        let slope: f64 = self.gradient(category)[..cuts].iter().sum();
        let bend: f64 = (0..cuts)
            .map(|i| hessian[i * size..i * size + cuts].iter().sum::<f64>())
            .sum();
        [
            discrimination * slope,
            discrimination * discrimination * bend,
        ]
    }

    /// Computes all of them.
    pub(crate) fn derivatives(
        &mut self,
        model: ItemModel,
        discrimination: f64,
        intercepts: &[f64],
        logit_guessing: f64,
        ability: f64,
    ) {
        for (line, t) in self.lines.iter_mut().zip(intercepts) {
            *line = discrimination * ability + t;
        }
        self.gradients.fill(0.0);
        self.hessians.fill(0.0);
        match model {
            ItemModel::Rasch | ItemModel::TwoParameter => self.two_parameter(),
            ItemModel::ThreeParameter => self.three_parameter(logit_guessing),
            ItemModel::Graded => self.graded(),
            ItemModel::PartialCredit | ItemModel::GeneralizedPartialCredit => self.partial_credit(),
        }
    }

    fn two_parameter(&mut self) {
        let eta = self.lines[0];
        let (low, high) = (logistic(-eta), logistic(eta));
        self.values[0] = ln_logistic(-eta);
        self.values[1] = ln_logistic(eta);
        self.gradients[0] = -high;
        self.gradients[2] = low;
        self.hessians[0] = -low * high;
        self.hessians[4] = -low * high;
    }

    /// `P_0 = (1 − g) Λ(−η)`; the derivatives of `ln(1 − P_0)` follow from those of `ln P_0`.
    fn three_parameter(&mut self, logit: f64) {
        let eta = self.lines[0];
        let (low, high) = (logistic(-eta), logistic(eta));
        let (rest, guess) = (logistic(-logit), logistic(logit));
        let (fail, pass) = (rest * low, guess + rest * high);
        self.values[0] = ln_logistic(-eta) + ln_logistic(-logit);
        self.values[1] = pass.ln();
        let (g, h) = ([-high, -guess], [-low * high, -guess * rest]);
        let odds = fail / pass;
        for i in 0..2 {
            self.gradients[i] = g[i];
            self.gradients[2 + i] = -odds * g[i];
            for j in 0..2 {
                let second = if i == j { h[i] } else { 0.0 };
                self.hessians[2 * i + j] = second;
                self.hessians[4 + 2 * i + j] = -odds * second - (odds + odds * odds) * g[i] * g[j];
            }
        }
    }

    /// `ln[Λ(x) − Λ(y)] = ln Λ(x) + ln Λ(−y) + ln(1 − e^(y − x))`, for the lines `x > y` on both sides of the category.
    fn graded(&mut self) {
        let cuts = self.lines.len();
        let size = cuts + 1;
        for c in 0..=cuts {
            let mut value = 0.0;
            let gradient = &mut self.gradients[c * size..(c + 1) * size];
            let hessian = &mut self.hessians[c * size * size..(c + 1) * size * size];
            if c > 0 {
                let x = self.lines[c - 1];
                let (low, high) = (logistic(-x), logistic(x));
                value += ln_logistic(x);
                gradient[c - 1] += low;
                hessian[(c - 1) * size + c - 1] -= low * high;
            }
            if c < cuts {
                let y = self.lines[c];
                let (low, high) = (logistic(-y), logistic(y));
                value += ln_logistic(-y);
                gradient[c] -= high;
                hessian[c * size + c] -= low * high;
            }
            if c > 0 && c < cuts {
                let gap = self.lines[c - 1] - self.lines[c];
                if gap <= 0.0 {
                    value = f64::NEG_INFINITY;
                } else {
                    value += (-(-gap).exp_m1()).ln();
                    let slope = 1.0 / gap.exp_m1();
                    // e^d/(e^d − 1)² = s(1 + s) with s = 1/(e^d − 1).
                    let bend = slope * (1.0 + slope);
                    gradient[c - 1] += slope;
                    gradient[c] -= slope;
                    hessian[(c - 1) * size + c - 1] -= bend;
                    hessian[c * size + c] -= bend;
                    hessian[(c - 1) * size + c] += bend;
                    hessian[c * size + c - 1] += bend;
                }
            }
            self.values[c] = value;
        }
    }

    /// `ln P_c = Σ_{j ≤ c} η_j − ln Σ_m exp Σ_{j ≤ m} η_j`.
    fn partial_credit(&mut self) {
        let cuts = self.lines.len();
        let size = cuts + 1;
        let p = partial_credit(self.lines.iter().copied());
        // P(y ≥ j) for j = 1 … M.
        let mut above = vec![0.0; cuts];
        let mut tail = 0.0;
        for j in (0..cuts).rev() {
            tail += p[j + 1];
            above[j] = tail;
        }
        let mut sum = 0.0;
        let mut sums = vec![0.0];
        for eta in &self.lines {
            sum += eta;
            sums.push(sum);
        }
        let largest = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let ln_total = sums.iter().map(|s| (s - largest).exp()).sum::<f64>().ln() + largest;
        for (c, sum) in sums.iter().enumerate() {
            self.values[c] = sum - ln_total;
            for j in 0..cuts {
                let reached = if c > j { 1.0 } else { 0.0 };
                self.gradients[c * size + j] = reached - above[j];
                for l in 0..cuts {
                    self.hessians[c * size * size + j * size + l] =
                        above[j] * above[l] - above[j.max(l)];
                }
            }
        }
    }
}

/// `ln Λ(z)`, without overflow.
fn ln_logistic(z: f64) -> f64 {
    if z >= 0.0 {
        -(-z).exp().ln_1p()
    } else {
        z - z.exp().ln_1p()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_agree_with_differences() {
        const STEP: f64 = 1e-5;
        let cases = [
            (ItemModel::TwoParameter, vec![0.4]),
            (ItemModel::ThreeParameter, vec![-0.7]),
            (ItemModel::Graded, vec![1.3, 0.2, -0.9]),
            (ItemModel::GeneralizedPartialCredit, vec![0.3, 0.9, -1.1]),
        ];
        for (model, intercepts) in cases {
            let cuts = intercepts.len();
            let size = cuts + 1;
            let at = |point: &[f64]| {
                let mut work = Work::new(cuts);
                work.derivatives(model, 1.3, &point[..cuts], point[cuts], 0.6);
                work
            };
            let point: Vec<f64> = intercepts.iter().copied().chain([-1.2]).collect();
            let here = at(&point);
            for i in 0..size {
                let moved = |step: f64| {
                    let mut p = point.clone();
                    p[i] += step;
                    at(&p)
                };
                let (low, high) = (moved(-STEP), moved(STEP));
                for c in 0..=cuts {
                    let slope = (high.value(c) - low.value(c)) / (2.0 * STEP);
                    assert!(
                        (here.gradient(c)[i] - slope).abs() < 1e-9,
                        "{model} {c} {i}"
                    );
                    for j in 0..size {
                        let bend = (high.gradient(c)[j] - low.gradient(c)[j]) / (2.0 * STEP);
                        assert!(
                            (here.hessian(c)[i * size + j] - bend).abs() < 1e-8,
                            "{model} {c} {i} {j}"
                        );
                    }
                }
            }
        }
    }
}
