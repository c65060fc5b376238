//! From the parameters of the model to the quantities of each customer: what beliefs are, and what signals make of them.

use super::integral::at;
use super::rows::JointRows;
use crate::regression::likelihood::Scalar;
use serde::{Deserialize, Serialize};

/// What may be estimated of a customer besides the items: two to four linear indices and the parameters that are the same for all.
pub(super) mod slot {
    /// x'β, the mean of ability.
    pub const ABILITY: usize = 0;
    /// b(x).
    pub const OVERCONFIDENCE: usize = 1;
    /// The index of success but for ability.
    pub const SUCCESS: usize = 2;
    /// The index of the choice but for the belief.
    pub const CHOICE: usize = 3;
    pub const BELIEF: usize = 4;
    /// What the variance of the belief counts in the choice.
    pub const UNCERTAINTY: usize = 5;
    pub const LN_SD_ABILITY: usize = 6;
    pub const LN_SD_BELIEF: usize = 7;
    pub const ATANH_RHO: usize = 8;
    /// ln (v_0/σ_s²).
    pub const LN_RATIO: usize = 9;
    pub const LN_SD_TOLD: usize = 10;
    pub const RATING_CONSTANT: usize = 11;
    pub const RATING_SLOPE: usize = 12;
    pub const LN_SD_SIGNAL: usize = 13;
    /// r.
    pub const RISK: usize = 14;
    /// What a unit of money counts in the choice, where guarantees make it a parameter of its own.
    pub const MONEY: usize = 15;
    /// The index of effort but for the belief.
    pub const EFFORT: usize = 16;
    /// κ.
    pub const RELIEF: usize = 17;
    pub const LN_SD_EFFORT: usize = 18;
    /// γ of success, what effort returns.
    pub const RETURN: usize = 19;
    pub const COUNT: usize = 20;
}

/// How beliefs are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    /// As a probability of success: Φ of it is m/√(1 + v).
    Probability,
    /// On a free scale.
    Rating,
}

/// What is known of the signals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum SignalKind {
    /// There are none.
    None,
    /// Their number is seen and the variance of each is known.
    Known(f64),
    /// Their number is seen alone.
    Counted,
    /// Their average is seen too.
    Seen,
}

/// What is assumed of beliefs before signals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Prior {
    /// The belief is the best forecast of ability from what the customer knows: m_0 = E a, v_0 = Var a, given that.
    Calibrated,
    /// Mean and spread of m_0 are free; v_0 follows from the signals.
    Free,
    /// The same with a known v_0.
    Known(f64),
}

fn sqrt<T: Scalar>(x: T) -> T {
    let root = x.value().sqrt();
    x.chain([root, 0.5 / root, -0.25 / (root * x.value())])
}

fn ln<T: Scalar>(x: T) -> T {
    let per = 1.0 / x.value();
    x.chain([x.value().ln(), per, -per * per])
}

fn tanh<T: Scalar>(x: T) -> T {
    let t = x.value().tanh();
    let slope = 1.0 - t * t;
    x.chain([t, slope, -2.0 * t * slope])
}

/// What the parameters say of beliefs, the same for all customers.
pub(super) struct Beliefs<T> {
    /// ρσ_m and σ_m√(1 − ρ²): m_0 = mean + c_1 u + c_2 e.
    loads: [T; 2],
    sd: T,
    /// ρσ_a and σ_a√(1 − ρ²), over σ_m the first: what a known m_0 says of ability.
    known: [T; 2],
    /// σ_m.
    spread: T,
    /// v_0.
    variance: T,
    /// v_0/σ_s².
    ratio: T,
}

/// What the parameters say of customers with so many signals.
pub(super) struct Shared<T> {
    pub(super) signals: f64,
    /// K and 1 − K.
    gain: T,
    rest: T,
    sd: T,
    m1: T,
    m2: T,
    constant: T,
    slope: T,
    r1: T,
    r2: T,
    ln_told: T,
    ln_signal: T,
    /// λ v_n.
    premium: T,
    /// √v_n.
    spread: T,
    /// What θ, r and α take off the belief's mean where a guarantee looks at failure, and α.
    shift: T,
    ambiguity: T,
    /// κ²v_n/2.
    relief: T,
    /// Where m_0 is told without error: what it says of ability and of the belief at the choice.
    exact: Option<Exact<T>>,
}

/// Ability and the belief at the choice given m_0, and the law of what is told.
pub(super) struct Exact<T> {
    by: T,
    sd: T,
    news: T,
    ln_told: T,
}

/// What is seen of a customer besides the outcomes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    /// The average of the signals, NaN where it is not seen.
    pub(super) average: f64,
    /// What is told without error on the scale of its index; NaN otherwise.
    pub(super) told: f64,
    pub(super) money: f64,
    /// ln(1 + e); zero where it is not seen.
    pub(super) effort: f64,
}

impl JointRows {
    /// The parameters of beliefs.
    pub(super) fn beliefs<T: Scalar>(&self, x: &[T; slot::COUNT]) -> Beliefs<T> {
        let sd = x[slot::LN_SD_ABILITY].exp();
        let rho = tanh(x[slot::ATANH_RHO]);
        let unexplained = rho.square() * -1.0 + 1.0;
        let of_belief = match self.prior {
            Prior::Calibrated => rho * sd,
            Prior::Free | Prior::Known(_) => x[slot::LN_SD_BELIEF].exp(),
        };
        let free_ratio = || x[slot::LN_RATIO].exp();
        let of_signal = || match self.signals {
            SignalKind::Known(variance) => T::constant(variance),
            _ => (x[slot::LN_SD_SIGNAL] * 2.0).exp(),
        };
        let (variance, ratio) = match (self.prior, self.signals) {
            (Prior::Free, _) => {
                let ratio = free_ratio();
                (ratio * of_signal(), ratio)
            }
            (prior, signals) => {
                let variance = match prior {
                    Prior::Known(variance) => T::constant(variance),
                    _ => sd.square() * unexplained,
                };
                let ratio = match signals {
                    SignalKind::None => T::constant(0.0),
                    SignalKind::Counted => free_ratio(),
                    SignalKind::Known(_) | SignalKind::Seen => variance / of_signal(),
                };
                (variance, ratio)
            }
        };
        Beliefs {
            known: [rho * sd / of_belief, sd * sqrt(unexplained)],
            spread: of_belief,
            loads: [rho * of_belief, of_belief * sqrt(unexplained)],
            sd,
            variance,
            ratio,
        }
    }

    /// What the parameters say of customers with so many signals.
    pub(super) fn shared<T: Scalar>(
        &self,
        x: &[T; slot::COUNT],
        beliefs: &Beliefs<T>,
        signals: f64,
    ) -> Shared<T> {
        let zero = T::constant(0.0);
        let gain = if signals > 0.0 {
            let weight = beliefs.ratio * signals;
            weight / (weight + 1.0)
        } else {
            zero
        };
        let rest = -gain + 1.0;
        let [c1, c2] = beliefs.loads;
        let own = rest * c2;
        let seen = self.signals == SignalKind::Seen;
        let (m1, m2, share) = if seen || signals <= 0.0 {
            (rest * c1, own, T::constant(1.0))
        } else {
            // The news of signals that are not seen varies by K²σ_s²/n = v_0 K(1 − K).
            let m2 = sqrt(own.square() + beliefs.variance * gain * rest);
            (rest * c1 + gain * beliefs.sd, m2, own / m2)
        };
        let (constant, slope) = match self.told {
            Told::Nothing => (zero, zero),
            Told::Probability => (zero, T::constant(1.0) / sqrt(beliefs.variance + 1.0)),
            Told::Rating => (x[slot::RATING_CONSTANT], x[slot::RATING_SLOPE]),
        };
        // What t does not say of the first belief, and the error of telling.
        let hidden = slope.square() * c2.square() * (share.square() * -1.0 + 1.0);
        let noise = (x[slot::LN_SD_TOLD] * 2.0).exp();
        let variance = beliefs.variance * rest;
        let exact = (self.exact && self.told != Told::Nothing).then(|| {
            let none = self.signals == SignalKind::None || signals <= 0.0;
            let news = if seen || none {
                zero
            } else {
                sqrt(beliefs.variance * gain * rest)
            };
            Exact {
                by: beliefs.known[0],
                sd: beliefs.known[1],
                news,
                ln_told: ln((slope * beliefs.spread).square()) * 0.5,
            }
        });
        let ambiguity = self.ambiguity(x);
        Shared {
            signals,
            gain,
            rest,
            sd: beliefs.sd,
            m1,
            m2,
            constant,
            slope,
            r1: slope * c1,
            r2: slope * c2 * share,
            ln_told: if self.told == Told::Nothing || self.exact {
                zero
            } else {
                ln(hidden + noise) * 0.5
            },
            ln_signal: if seen && signals > 0.0 {
                x[slot::LN_SD_SIGNAL] - 0.5 * signals.ln()
            } else {
                zero
            },
            premium: x[slot::UNCERTAINTY] * beliefs.variance * rest,
            spread: if self.guarantee { sqrt(variance) } else { zero },
            shift: if self.guarantee {
                let taste = x[slot::BELIEF] / x[slot::MONEY];
                -(taste * (ambiguity * variance + x[slot::RISK]))
            } else {
                zero
            },
            ambiguity,
            relief: x[slot::RELIEF].square() * variance * 0.5,
            exact,
        }
    }

    /// α of form 4 by the weight λ of uncertainty; r, as in form 3, where λ is not in the model. Zero without guarantees.
    fn ambiguity<T: Scalar>(&self, x: &[T; slot::COUNT]) -> T {
        if !self.guarantee {
            return T::constant(0.0);
        }
        if self.free.contains(&slot::UNCERTAINTY) {
            x[slot::UNCERTAINTY] * x[slot::MONEY] * -2.0 / x[slot::BELIEF].square()
        } else {
            x[slot::RISK]
        }
    }

    /// The quantities of a customer.
    pub(super) fn quantities<T: Scalar>(
        &self,
        x: &[T; slot::COUNT],
        of: &Shared<T>,
        known: &Known,
    ) -> [T; at::COUNT] {
        let average = known.average;
        let zero = T::constant(0.0);
        let mean = x[slot::ABILITY] + x[slot::OVERCONFIDENCE];
        let [mut ability, mut sd] = [x[slot::ABILITY], of.sd];
        let m0 = if self.signals == SignalKind::Seen && of.signals > 0.0 {
            of.rest * mean + of.gain * average
        } else {
            x[slot::ABILITY] + of.rest * x[slot::OVERCONFIDENCE]
        };
        let mut belief = [m0, of.m1, of.m2];
        let center = of.constant + of.slope * mean;
        let mut told = [center, of.r1, of.r2, of.ln_told];
        if let Some(exact) = &of.exact
            && !known.told.is_nan()
        {
            // m_0 is known: u is what it does not say of ability, and t the news of signals that are not seen.
            let first = (-of.constant + known.told) / of.slope;
            ability = ability + exact.by * (first - mean);
            sd = exact.sd;
            let kept = of.rest * first;
            belief = if self.signals == SignalKind::Seen && of.signals > 0.0 {
                [kept + of.gain * average, zero, zero]
            } else {
                [kept + of.gain * ability, of.gain * sd, exact.news]
            };
            told = [center, zero, zero, exact.ln_told];
        }
        let [m0, m1, m2] = belief;
        let [r0, r1, r2, ln_told] = told;
        let mut success = x[slot::SUCCESS];
        let mut choice = x[slot::CHOICE] + of.premium;
        if self.effort {
            success = success + x[slot::RETURN] * known.effort;
        }
        if self.guarantee {
            choice = choice + x[slot::MONEY] * known.money;
        }
        [
            ability,
            sd,
            success,
            choice,
            x[slot::BELIEF],
            m0,
            m1,
            m2,
            r0,
            r1,
            r2,
            ln_told,
            of.ln_signal,
            of.shift + x[slot::SUCCESS],
            of.spread,
            x[slot::RISK],
            of.ambiguity,
            x[slot::MONEY],
            x[slot::EFFORT] - of.relief,
            x[slot::RELIEF],
            x[slot::LN_SD_EFFORT],
            x[slot::RETURN],
        ]
    }
}
