//! A portfolio of many tests, and what peeking at them does.

use super::closed::{flag, process, seeded, share};
use super::generate::{data, generate, oracle, summed};
use super::oracle::{Oracle, Simulated};
use crate::error::{Error, Result};
use crate::numeric::Seed;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};

/// Many A/B tests whose true effects are a mixture of normals: most do next to nothing, some do something.
///
/// An estimate is the effect plus N(0, std_error²); at look k of K, equally spaced in information, the estimate has
/// variance K/k times that of the last, and the statistics z_k have the correlation √(j/k) of a Brownian motion. All
/// levels are **assumed**.
///
/// | field | default | meaning |
/// |---|---|---|
/// | `tests` | 1,000 | |
/// | `share_large` | .2 | of the second component |
/// | `deviations` | .002, .01 | of the two components, mean zero |
/// | `std_error` | .004 | at the end of the test |
/// | `looks` | 1 | K |
/// | `alpha` | .05 | nominal two-sided level |
///
/// **Data**: `estimate`, `std_error`, `z_1` … `z_K`. **Oracle**: `effect`, `large`; effects: `effect_variance`,
/// `significant` (share at the end, in expectation), `winners_estimate` and `winners_effect` (means of |estimate| and
/// of effect·sign(estimate) among the significant, over these tests: the winner's curse is their difference),
/// `peeking_size` (probability under no effect that any look is significant, by the recursion of Armitage, McPherson
/// & Rowe 1969) and `any_look` (its share among these tests).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestPortfolio {
    /// How many tests.
    pub tests: usize,
    /// Share of the second component.
    pub share_large: f64,
    /// Deviations of the components.
    pub deviations: [f64; 2],
    /// Standard error at the end.
    pub std_error: f64,
    /// K.
    pub looks: usize,
    /// Nominal level.
    pub alpha: f64,
    /// Whether the oracle's rows are kept.
    pub keep_oracle: bool,
    /// The seed; without one the process refuses to run.
    pub seed: Option<Seed>,
}

impl Default for TestPortfolio {
    fn default() -> Self {
        Self {
            tests: 1_000,
            share_large: 0.2,
            deviations: [0.002, 0.01],
            std_error: 0.004,
            looks: 1,
            alpha: 0.05,
            keep_oracle: true,
            seed: None,
        }
    }
}

process!(TestPortfolio, tests, "tests");

impl TestPortfolio {
    /// The portfolio at its defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The preset in which stopping at the first significant of five looks rejects a true hypothesis of no effect
    /// with probability .142 and not .05.
    pub fn peeking_fails() -> Self {
        Self {
            deviations: [0.0, 0.0],
            looks: 5,
            ..Self::default()
        }
    }

    /// Draws the tests.
    ///
    /// # Errors
    /// [`Error::SeedRequired`], [`Error::InvalidOption`].
    pub fn simulate(&self) -> Result<Simulated> {
        let seed = seeded(self.seed, "the portfolio of tests")?.child("test portfolio");
        share("share_large", self.share_large)?;
        share("alpha", self.alpha)?;
        let fine = |v: f64| v >= 0.0 && v.is_finite();
        if !(self.deviations.iter().all(|d| fine(*d)) && fine(self.std_error))
            || self.std_error <= 0.0
            || self.looks == 0
        {
            return Err(Error::invalid_option(
                "deviations, std_error, looks",
                format!("{:?}, {}, {}", self.deviations, self.std_error, self.looks),
                "deviations that are not negative, a positive standard error, at least one look",
            ));
        }
        let critical = normal::upper_quantile(0.5 * self.alpha);
        let looks = self.looks;
        let mut fields = vec![data("estimate"), data("std_error")];
        fields.extend((1..=looks).map(|k| data(format!("z_{k}"))));
        fields.extend(["effect", "large"].map(oracle));
        fields.extend(["significant", "won_estimate", "won_effect", "any_look"].map(summed));
        let made = generate(
            self.tests,
            seed,
            &fields,
            self.keep_oracle,
            |draws, _, out| {
                let large = draws.chance(self.share_large);
                let effect = self.deviations[usize::from(large)] * draws.normal();
                let drift = effect / self.std_error;
                // The score process B(t) + drift·t at t = k/K; z_k = B(t)/√t + drift·√t.
                let (mut walk, mut any) = (0.0, false);
                for k in 1..=looks {
                    walk += draws.normal() / (looks as f64).sqrt();
                    let t = k as f64 / looks as f64;
                    let z = (walk + drift * t) / t.sqrt();
                    any |= z.abs() > critical;
                    out[1 + k] = z;
                }
                let estimate = (walk + drift) * self.std_error;
                let significant = flag(out[1 + looks].abs() > critical);
                out[..2].copy_from_slice(&[estimate, self.std_error]);
                out[2 + looks..].copy_from_slice(&[
                    effect,
                    flag(large),
                    significant,
                    significant * estimate.abs(),
                    significant * effect * estimate.signum(),
                    flag(any),
                ]);
            },
        )?;
        let expected: f64 = [1.0 - self.share_large, self.share_large]
            .iter()
            .zip(self.deviations)
            .map(|(share, d)| {
                let total = (1.0 + (d / self.std_error).powi(2)).sqrt();
                2.0 * share * normal::sf(critical / total)
            })
            .sum();
        let variance = (1.0 - self.share_large) * self.deviations[0].powi(2)
            + self.share_large * self.deviations[1].powi(2);
        let truths = [
            ("effect_variance", variance),
            ("significant", expected),
            (
                "winners_estimate",
                made.ratio("won_estimate", "significant"),
            ),
            ("winners_effect", made.ratio("won_effect", "significant")),
            ("peeking_size", peeking_size(looks, critical)),
            ("any_look", made.mean("any_look")),
        ];
        let oracle =
            (truths.into_iter()).fold(Oracle::new(made.oracle), |o, (name, v)| o.with(name, v));
        Ok(Simulated {
            data: made.data,
            oracle,
        })
    }
}

/// Probability that any of `looks` equally spaced looks at a Brownian motion without drift has |z| above the critical
/// value: the density of the score among those not stopped is carried from look to look on a grid.
fn peeking_size(looks: usize, critical: f64) -> f64 {
    /// Points on each side of zero; the error of the trapezoid rule is below 1e-5.
    const POINTS: i32 = 400;
    // In units in which each stretch between looks adds variance one, the bound at look k is critical·√k.
    let grid = |k: usize| {
        let end = critical * (k as f64).sqrt();
        let step = end / f64::from(POINTS);
        (-POINTS..=POINTS)
            .map(move |i| {
                let edge = if i.abs() == POINTS { 0.5 } else { 1.0 };
                (f64::from(i) * step, edge * step)
            })
            .collect::<Vec<(f64, f64)>>()
    };
    let mut density: Vec<f64> = grid(1).iter().map(|(x, _)| normal::pdf(*x)).collect();
    for k in 2..=looks {
        let from = grid(k - 1);
        density = (grid(k).iter())
            .map(|(x, _)| {
                (from.iter().zip(&density))
                    .map(|((y, weight), f)| weight * f * normal::pdf(x - y))
                    .sum()
            })
            .collect();
    }
    let stays: f64 = (grid(looks).iter().zip(&density))
        .map(|((_, weight), f)| weight * f)
        .sum();
    1.0 - stays
}
