//! The sixteen scenarios of Powers et al.

/// Features that the functions read.
pub(super) const FEWEST_FEATURES: usize = 9;
/// How many scenarios there are.
pub(super) const SCENARIOS: u8 = 16;

/// A scenario: sizes, noise, and the numbers of the functions that are its mean and its effect.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) customers: usize,
    pub(super) features: usize,
    pub(super) variance: f64,
    mean: u8,
    effect: u8,
    /// Whether those with higher outcomes without treatment are treated more often.
    biased: bool,
}

impl Scenario {
    /// Scenario 1 to 16; the last eight are the first eight without randomisation.
    pub(super) fn numbered(scenario: u8) -> Option<Self> {
        let biased = scenario > SCENARIOS / 2;
        let number = if biased {
            scenario - SCENARIOS / 2
        } else {
            scenario
        };
        let (customers, features, variance, mean) = match number {
            1 => (200, 400, 1.0, 8),
            2 => (200, 400, 0.25, 5),
            3 => (300, 300, 1.0, 4),
            4 => (300, 300, 0.25, 7),
            5 => (400, 200, 1.0, 3),
            6 => (400, 200, 1.0, 1),
            7 => (1_000, 100, 4.0, 2),
            8 => (1_000, 100, 4.0, 6),
            _ => return None,
        };
        Some(Self {
            customers,
            features,
            variance,
            mean,
            effect: number,
            biased,
        })
    }

    /// Mean of both potential outcomes, propensity and effect.
    pub(super) fn at(&self, x: &[f64]) -> [f64; 3] {
        let (mean, effect) = (function(self.mean, x), function(self.effect, x));
        let propensity = if self.biased {
            1.0 / (1.0 + (0.5 * effect - mean).exp())
        } else {
            0.5
        };
        [mean, propensity, effect]
    }
}

/// `f_1` to `f_8`; features count from one in the paper.
fn function(number: u8, x: &[f64]) -> f64 {
    let above = |value: f64, limit: f64| f64::from(u8::from(value > limit));
    match number {
        2 => 5.0 * above(x[0], 1.0) - 5.0,
        3 => 2.0 * x[0] - 4.0,
        // x₂, x₄ and x₆ are coins: their eight outcomes have the values 1 to 8.
        4 => {
            let tails = 4.0 * (1.0 - x[1]) + 2.0 * (1.0 - x[3]) + (1.0 - x[5]);
            1.0 + tails
        }
        5 => x[0] + x[2] + x[4] + x[6] + x[7] + x[8] - 2.0,
        6 => {
            4.0 * above(x[0], 1.0) * above(x[2], 0.0)
                + 4.0 * above(x[4], 1.0) * above(x[6], 0.0)
                + 2.0 * x[7] * x[8]
        }
        7 => {
            let squares: f64 = [0, 2, 4, 6, 8].iter().map(|j| x[*j] * x[*j]).sum();
            let coins: f64 = [1, 3, 5, 7].iter().map(|j| x[*j]).sum();
            0.5 * (squares + coins - 11.0)
        }
        8 => (function(4, x) + function(5, x)) * std::f64::consts::FRAC_1_SQRT_2,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_those_of_the_paper() {
        // By hand at x = (2, 1, 1, 0, −1, 1, 3, 1, −2).
        let x = [2.0, 1.0, 1.0, 0.0, -1.0, 1.0, 3.0, 1.0, -2.0];
        let f = |number| function(number, &x);
        assert_eq!((f(1), f(2), f(3)), (0.0, 0.0, 0.0));
        // Heads, tails, heads: 3 x₂ (1 − x₄) x₆.
        assert_eq!(f(4), 3.0);
        assert_eq!(f(5), 2.0 + 1.0 - 1.0 + 3.0 + 1.0 - 2.0 - 2.0);
        assert_eq!(f(6), 4.0 - 4.0);
        assert_eq!(f(7), 0.5 * (4.0 + 1.0 + 1.0 + 9.0 + 4.0 + 3.0 - 11.0));
        assert!((f(8) - 5.0 / 2.0_f64.sqrt()).abs() < 1e-12);
        // All eight outcomes of the coins, in the order of the paper's sum.
        for (value, coins) in (1..=8).zip([7, 6, 5, 4, 3, 2, 1, 0]) {
            let mut x = [0.0; 9];
            x[1] = f64::from(coins >> 2 & 1);
            x[3] = f64::from(coins >> 1 & 1);
            x[5] = f64::from(coins & 1);
            assert_eq!(function(4, &x), f64::from(value));
        }
        let [mean, propensity, effect] = Scenario::numbered(13).unwrap().at(&x);
        assert_eq!((mean, effect), (0.0, 2.0));
        assert!((propensity - 1.0 / (1.0 + 1.0_f64.exp())).abs() < 1e-12);
        assert_eq!(Scenario::numbered(5).unwrap().at(&x)[1], 0.5);
        assert!(Scenario::numbered(0).is_none() && Scenario::numbered(17).is_none());
    }
}
