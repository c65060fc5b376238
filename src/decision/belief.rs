//! What a customer believes about the own ability: Bayesian updating, and the two laws of the belief that is to come.

use serde::{Deserialize, Serialize};

use super::normal_rule::expectation;
use crate::error::{Error, Result};

/// A customer's belief about the own ability: `a ~ N(mean, variance)`, in units of ability (the task noise ξ of
/// `q = a + γ ln(1+e) − d + ξ` has variance one).
///
/// After signals `s = a + ε`, `ε ~ N(0, σ_s²)`, Bayes' rule gives the belief again a normal law:
///
/// ```text
/// 1/v' = 1/v + n/σ_s²,   m' = m + K (s̄ − m),   K = n v / (n v + σ_s²)
/// ```
///
/// Before the signals are seen, *two different laws* describe `m'`: the customer's own [`forecast`](Self::forecast), which
/// decides, and the [`objective`](Self::objective) law given the true ability, which generates data. They are types that cannot
/// be mixed.
///
/// ```
/// use cocreate::participation::{Belief, Signals};
/// let belief = Belief::new(0.0, 1.0)?;
/// let learned = belief.update(Signals::new(1, 1.0)?, 2.0); // one signal, s = 2
/// assert_eq!((learned.mean(), learned.variance()), (1.0, 0.5));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Belief {
    mean: f64,
    variance: f64,
}

impl Belief {
    /// The belief `N(mean, variance)`; variance zero is a customer who is sure.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a variance that is negative, infinite or not a number, or a mean that is not finite.
    #[inline]
    pub fn new(mean: f64, variance: f64) -> Result<Self> {
        if mean.is_finite() && variance >= 0.0 && variance.is_finite() {
            Ok(Self { mean, variance })
        } else {
            Err(refused(mean, variance))
        }
    }

    /// The mean m.
    #[inline]
    pub const fn mean(self) -> f64 {
        self.mean
    }

    /// The variance v ≥ 0.
    #[inline]
    pub const fn variance(self) -> f64 {
        self.variance
    }

    /// The standard deviation √v.
    #[inline]
    pub fn standard_deviation(self) -> f64 {
        self.variance.sqrt()
    }

    /// The same uncertainty about another mean: persuasion moves `m` by `b_E` while the ability stays.
    #[inline]
    pub fn shifted(self, by: f64) -> Self {
        Self {
            mean: self.mean + by,
            variance: self.variance,
        }
    }

    /// m − a: how far the belief lies above the true ability. Its mean given x is the page's b(x).
    #[inline]
    pub fn overconfidence(self, ability: f64) -> f64 {
        self.mean - ability
    }

    /// The weight K = n v/(n v + σ_s²) of the signals' average in the posterior mean; zero without signals or uncertainty.
    #[inline]
    pub fn gain(self, signals: Signals) -> f64 {
        let information = f64::from(signals.count) * self.variance;
        if information > 0.0 {
            information / (information + signals.variance)
        } else {
            0.0
        }
    }

    /// v' after the signals; it does not depend on what they say.
    #[inline]
    pub fn posterior_variance(self, signals: Signals) -> f64 {
        let information = f64::from(signals.count) * self.variance;
        if information > 0.0 {
            // v σ²/(n v + σ²) = v (1 − K) without the difference.
            self.variance * (signals.variance / (information + signals.variance))
        } else {
            self.variance
        }
    }

    /// The posterior after signals of average `average` (a sufficient statistic).
    #[inline]
    pub fn update(self, signals: Signals, average: f64) -> Self {
        if signals.count == 0 {
            return self;
        }
        Self {
            mean: self.mean + self.gain(signals) * (average - self.mean),
            variance: self.posterior_variance(signals),
        }
    }

    /// The path of the belief as signals of variance `signals.variance()` arrive one by one, the prior first.
    pub fn path(self, signals: Signals, contents: &[f64]) -> Vec<Self> {
        let one = signals.with_count(1);
        let mut path = vec![self];
        let mut now = self;
        for content in contents {
            now = now.update(one, *content);
            path.push(now);
        }
        path
    }

    /// The customer's own law of the posterior mean, before the signals are seen: `m' ~ N(m, v − v')`. Decisions use it.
    #[inline]
    pub fn forecast(self, signals: Signals) -> Forecast {
        Forecast {
            mean: self.mean,
            // v − v' = K v without the difference.
            variance: self.gain(signals) * self.variance,
            posterior_variance: self.posterior_variance(signals),
        }
    }

    /// The law of the posterior mean given the true ability: `m' ~ N(m + K(a − m), K² σ_s²/n)`. Simulators and likelihoods
    /// use it.
    #[inline]
    pub fn objective(self, ability: f64, signals: Signals) -> Objective {
        let gain = self.gain(signals);
        Objective {
            mean: self.mean + gain * (ability - self.mean),
            variance: if signals.count == 0 {
                0.0
            } else {
                gain * gain * signals.variance / f64::from(signals.count)
            },
            posterior_variance: self.posterior_variance(signals),
        }
    }
}

#[cold]
fn refused(mean: f64, variance: f64) -> Error {
    if mean.is_finite() {
        Error::invalid_option(
            "belief variance",
            variance,
            "zero or a positive finite number (a variance in squared units of ability)",
        )
    } else {
        Error::invalid_option("belief mean", mean, "a finite number")
    }
}

/// `count` independent signals about ability, each of variance σ_s² (in squared units of ability).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signals {
    count: u32,
    variance: f64,
}

impl Signals {
    /// No signal at all.
    pub const NONE: Self = Self {
        count: 0,
        variance: 1.0,
    };

    /// `count` signals of variance `variance`; zero variance is a signal that tells the ability itself.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a variance that is negative, infinite or not a number.
    #[inline]
    pub fn new(count: u32, variance: f64) -> Result<Self> {
        if variance >= 0.0 && variance.is_finite() {
            Ok(Self { count, variance })
        } else {
            Err(Error::invalid_option(
                "signal variance",
                variance,
                "zero or a positive finite number",
            ))
        }
    }

    /// The number of signals n.
    #[inline]
    pub const fn count(self) -> u32 {
        self.count
    }

    /// The variance σ_s² of one signal.
    #[inline]
    pub const fn variance(self) -> f64 {
        self.variance
    }

    /// Another number of signals of the same kind.
    #[inline]
    pub const fn with_count(self, count: u32) -> Self {
        Self {
            count,
            variance: self.variance,
        }
    }
}

/// The customer's own forecast of the posterior mean; see [`Belief::forecast`]. Its mean is the present belief: nobody expects to
/// be surprised in a known direction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    mean: f64,
    variance: f64,
    posterior_variance: f64,
}

/// The law of the posterior mean given the true ability; see [`Belief::objective`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    mean: f64,
    variance: f64,
    posterior_variance: f64,
}

macro_rules! law_of_the_posterior {
    ($law:ident) => {
        impl $law {
            /// The mean of m'.
            #[inline]
            pub const fn mean(self) -> f64 {
                self.mean
            }

            /// The variance of m'.
            #[inline]
            pub const fn variance(self) -> f64 {
                self.variance
            }

            /// The belief's variance v' once the signals are in, known in advance.
            #[inline]
            pub const fn posterior_variance(self) -> f64 {
                self.posterior_variance
            }

            /// The belief at the standard normal draw `z` of this law.
            #[inline]
            pub fn at(self, z: f64) -> Belief {
                Belief {
                    mean: self.mean + z * self.variance.sqrt(),
                    variance: self.posterior_variance,
                }
            }

            /// The mean of a function of the posterior under this law: piecewise Gauss–Legendre, split where `payoff` changes
            /// branch (it returns its value and which branch it took), to about 1e-10 for smooth branches.
            pub fn expect(self, payoff: impl Fn(Belief) -> (f64, bool)) -> f64 {
                expectation(|z| payoff(self.at(z)))
            }
        }
    };
}
law_of_the_posterior!(Forecast);
law_of_the_posterior!(Objective);

/// What education does, through three channels that are kept apart: **information** (signals about ability), **productivity**
/// (ability itself rises) and **persuasion** (the belief's mean rises while ability stays).
///
/// Nothing here says whether education raises participation: information lowers it for those whose signal is worse than
/// their belief, and at a fixed mean a smaller variance lowers the success probability of those below the bar.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Education {
    /// n extra signals of variance σ_E².
    pub signals: Signals,
    /// Δ_E: ability rises by this much, and the customer knows it: the belief moves along.
    pub productivity: f64,
    /// b_E: the belief's mean rises by this much, ability stays.
    pub persuasion: f64,
}

impl Education {
    /// No education.
    pub const NONE: Self = Self {
        signals: Signals::NONE,
        productivity: 0.0,
        persuasion: 0.0,
    };

    /// Education that gives `count` signals of variance `variance`, raises ability by `productivity` and beliefs by `persuasion`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a negative signal variance or a shift that is not finite.
    pub fn new(count: u32, variance: f64, productivity: f64, persuasion: f64) -> Result<Self> {
        for (name, value) in [("productivity", productivity), ("persuasion", persuasion)] {
            if !value.is_finite() {
                return Err(Error::invalid_option(name, value, "a finite number"));
            }
        }
        Ok(Self {
            signals: Signals::new(count, variance)?,
            productivity,
            persuasion,
        })
    }

    /// The ability after education: a + Δ_E.
    #[inline]
    pub fn ability(self, ability: f64) -> f64 {
        ability + self.productivity
    }

    /// The belief after education. The customer expects to have learned Δ_E, so the prior moves along; the signals, of average
    /// `average` about the *new* ability, update it; persuasion comes on top.
    #[inline]
    pub fn belief(self, prior: Belief, average: f64) -> Belief {
        prior
            .shifted(self.productivity)
            .update(self.signals, average)
            .shifted(self.persuasion)
    }

    /// The law of the belief's mean after education given the true ability before it.
    #[inline]
    pub fn objective(self, prior: Belief, ability: f64) -> Objective {
        let mut law = prior
            .shifted(self.productivity)
            .objective(self.ability(ability), self.signals);
        law.mean += self.persuasion;
        law
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_beliefs_are_named() {
        for (mean, variance, name) in [
            (0.0, -0.1, "belief variance"),
            (0.0, f64::NAN, "belief variance"),
            (0.0, f64::INFINITY, "belief variance"),
            (f64::NAN, 1.0, "belief mean"),
        ] {
            let error = Belief::new(mean, variance).unwrap_err().to_string();
            assert!(error.contains(name), "{error}");
        }
        assert!(Signals::new(1, -1.0).is_err());
        assert!(Education::new(1, 1.0, f64::NAN, 0.0).is_err());
    }

    #[test]
    fn n_signals_at_once_are_n_signals_one_by_one() {
        let prior = Belief::new(0.3, 0.7).unwrap();
        let kind = Signals::new(3, 0.4).unwrap();
        let contents = [0.1, -0.9, 1.4];
        let path = prior.path(kind, &contents);
        let once = prior.update(kind, contents.iter().sum::<f64>() / 3.0);
        assert!((path[3].mean() - once.mean()).abs() < 1e-15);
        assert!((path[3].variance() - once.variance()).abs() < 1e-15);
    }

    #[test]
    fn limits_of_certainty() {
        let sure = Belief::new(1.0, 0.0).unwrap();
        let exact = Signals::new(2, 0.0).unwrap();
        assert_eq!(sure.update(exact, 5.0), sure);
        let unsure = Belief::new(1.0, 2.0).unwrap();
        assert_eq!(unsure.update(exact, 5.0), Belief::new(5.0, 0.0).unwrap());
        assert_eq!(unsure.update(Signals::NONE, 5.0), unsure);
        assert_eq!(unsure.forecast(Signals::NONE).variance(), 0.0);
        assert_eq!(unsure.objective(9.0, Signals::NONE).mean(), 1.0);
    }
}
