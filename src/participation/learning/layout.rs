//! Which parameters a learning panel has, and what they come to.

use crate::error::{Error, Result};
use crate::numeric::jet::{Jet, Scalar};
use serde::{Deserialize, Serialize};

/// Whether what signals say is seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Contents {
    Seen,
    Unseen,
}

/// Whether prior means are seen.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Prior {
    Elicited,
    /// The same for all.
    Common,
}

/// What is known of customers and signals, and what is estimated beside the formula.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Layout {
    pub(super) contents: Contents,
    pub(super) prior: Prior,
    /// σ_s², where it is known.
    pub(super) variance: Option<f64>,
    pub(super) biased: bool,
    pub(super) ambiguity: bool,
    pub(super) intercept: bool,
}

/// The most parameters after those of the formula.
pub(super) const TAIL: usize = 6;

/// What the parameters come to.
pub(super) mod of {
    /// θ; zero where prior means are neither seen nor estimated.
    pub(in super::super) const TASTE: usize = 0;
    /// s = θ√v_0.
    pub(in super::super) const SPREAD: usize = 1;
    /// κ = v_0/σ_s².
    pub(in super::super) const RATIO: usize = 2;
    /// (α/2)s².
    pub(in super::super) const PREMIUM: usize = 3;
    /// θb, where contents are not seen.
    pub(in super::super) const DRIFT: usize = 4;
    /// Deviation of the intercept.
    pub(in super::super) const INTERCEPT: usize = 5;
    /// ln σ_s.
    pub(in super::super) const LN_SD: usize = 6;
    /// m_0, where it is the same for all and estimated.
    pub(in super::super) const PRIOR: usize = 7;
    /// b, where contents are seen.
    pub(in super::super) const BIAS: usize = 8;
    pub(in super::super) const COUNT: usize = 9;
}

/// Beyond these a parameter runs to a bound: its name, the lowest and the highest value, what it is, what would help.
type Bound = (&'static str, f64, f64, &'static str, &'static str);
const BOUNDS: [Bound; 4] = [
    (
        "ln_spread",
        -5.0,
        4.0,
        "the spread of beliefs s, which runs to a bound of its range,",
        "customers whose participation changes after they have taken part, or more of them",
    ),
    (
        "ln_ratio",
        -6.0,
        6.0,
        "what a signal tells (κ), which runs to a bound of its range,",
        "more customers, more periods, or signals whose contents are seen",
    ),
    (
        "ln_sd_intercept",
        -4.0,
        4.0,
        "the spread of the intercept, which runs to a bound of its range,",
        "a model without it (LearningPanelModel::random_intercept), or more periods",
    ),
    (
        "ln_sd_signal",
        -20.0,
        20.0,
        "the variance of signals, which runs to a bound of its range,",
        "signals that differ",
    ),
];

impl Layout {
    pub(super) fn seen(self) -> bool {
        self.contents == Contents::Seen
    }

    pub(super) fn elicited(self) -> bool {
        self.prior == Prior::Elicited
    }

    pub(super) fn check(self) -> Result<()> {
        let refuse = |what: &str, needs: &str| {
            Err(Error::Unidentified {
                what: what.to_owned(),
                needs: needs.to_owned(),
            })
        };
        if let Some(variance) = self.variance {
            let name = "signal_variance";
            if self.seen() {
                let expected = "left out where signals are seen: it is estimated from them";
                return Err(Error::invalid_option(name, variance, expected));
            }
            if !(variance > 0.0 && variance.is_finite()) {
                let expected = "a positive finite number, in squared units of ability";
                return Err(Error::invalid_option(name, variance, expected));
            }
            if !self.elicited() {
                let expected =
                    "given together with prior means in its units (LearningPanelModel::elicited)";
                return Err(Error::invalid_option(name, variance, expected));
            }
        }
        if self.ambiguity && !self.elicited() {
            return refuse(
                "ambiguity aversion from participation without elicited prior means: it gives one combination of the prior mean and the premium of ambiguity, and it",
                "prior means in units of ability (LearningPanelModel::elicited), and the known variance of signals or their contents (signal_variance, signals_seen)",
            );
        }
        if self.ambiguity && !self.seen() && self.variance.is_none() {
            return refuse(
                "ambiguity aversion without the unit of signals, and it",
                "the known variance of signals or their contents (LearningPanelModel::signal_variance, signals_seen)",
            );
        }
        if self.ambiguity && self.biased && !self.seen() {
            return refuse(
                "ambiguity aversion beside overconfidence where signals are not seen: the fall of the premium and the drift from belief to ability have one form, and each",
                "the contents of signals (LearningPanelModel::signals_seen), or customers who are calibrated",
            );
        }
        Ok(())
    }

    /// The parameters after those of the formula.
    pub(super) fn names(self) -> Vec<&'static str> {
        let tied = self.seen() || self.variance.is_some();
        let all = [
            ("taste", self.seen() || self.elicited()),
            ("ln_spread", !tied),
            ("ln_ratio", true),
            ("ln_sd_signal", self.seen()),
            ("prior_mean", self.seen() && !self.elicited()),
            ("bias", self.seen() && self.biased),
            ("drift", !self.seen() && self.biased),
            ("ambiguity", self.ambiguity),
            ("ln_sd_intercept", self.intercept),
        ];
        let kept = all.into_iter().filter(|(_, here)| *here);
        kept.map(|(name, _)| name).collect()
    }

    /// What the parameters come to.
    pub(super) fn quantities<T: Scalar>(self, tail: &[T]) -> [T; of::COUNT] {
        let names = self.names();
        let get = |name: &str| {
            let at = names.iter().position(|n| *n == name);
            at.map_or_else(|| T::constant(0.0), |j| tail[j])
        };
        let (taste, ln_ratio, ln_sd) = (get("taste"), get("ln_ratio"), get("ln_sd_signal"));
        let spread = if self.seen() {
            taste * (ln_ratio * 0.5 + ln_sd).exp()
        } else if let Some(variance) = self.variance {
            taste * (ln_ratio * 0.5).exp() * variance.sqrt()
        } else {
            get("ln_spread").exp()
        };
        let premium = get("ambiguity") * spread.square() * 0.5;
        let intercept = if self.intercept {
            get("ln_sd_intercept").exp()
        } else {
            T::constant(0.0)
        };
        let (ratio, prior, bias) = (ln_ratio.exp(), get("prior_mean"), get("bias"));
        [
            taste,
            spread,
            ratio,
            premium,
            get("drift"),
            intercept,
            ln_sd,
            prior,
            bias,
        ]
    }

    /// The same with their derivatives by the parameters.
    pub(super) fn jacobian(self, tail: &[f64]) -> [Jet<TAIL>; of::COUNT] {
        let mut values = [0.0; TAIL];
        values.iter_mut().zip(tail).for_each(|(v, x)| *v = *x);
        self.quantities(&Jet::variables(values))
    }

    /// Where the searches begin; `about` says where signals lie and how they spread.
    pub(super) fn starts(self, about: [f64; 2]) -> Vec<(String, Vec<f64>)> {
        [(0.6_f64, 1.0_f64), (1.5, 0.5)]
            .into_iter()
            .map(|(s, k)| {
                let sd = self.variance.map_or(about[1] / (1.0 + k).sqrt(), f64::sqrt);
                let unit = if self.seen() || self.variance.is_some() {
                    s / (k.sqrt() * sd)
                } else {
                    0.5
                };
                let of = |name: &&str| match *name {
                    "taste" => unit,
                    "ln_spread" => s.ln(),
                    "ln_ratio" => k.ln(),
                    "ln_sd_signal" => sd.ln(),
                    "prior_mean" => about[0],
                    "ln_sd_intercept" => -0.7,
                    _ => 0.0,
                };
                let tail = self.names().iter().map(of).collect();
                (format!("s = {s}, κ = {k}"), tail)
            })
            .collect()
    }

    /// The error for a point where a parameter is at a bound.
    pub(super) fn refuse(self, tail: &[f64]) -> Option<Error> {
        let (.., what, needs) = self.beyond(tail, 0.0)?;
        Some(Error::Unidentified {
            what: (*what).to_owned(),
            needs: (*needs).to_owned(),
        })
    }

    /// Whether a point is so far out that a search need not go there.
    pub(super) fn is_outside(self, tail: &[f64]) -> bool {
        self.beyond(tail, 1.0).is_some()
    }

    /// A bound that a parameter is beyond by more than `by`.
    fn beyond(self, tail: &[f64], by: f64) -> Option<&'static Bound> {
        let names = self.names();
        BOUNDS.iter().find(|(name, low, high, ..)| {
            let at = names.iter().position(|n| n == name);
            at.is_some_and(|j| !(low - by..=high + by).contains(&tail[j]))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_what_may_be_estimated() {
        let plain = Layout {
            contents: Contents::Unseen,
            prior: Prior::Common,
            variance: None,
            biased: false,
            ambiguity: false,
            intercept: false,
        };
        assert_eq!(plain.names(), ["ln_spread", "ln_ratio"]);
        assert!(plain.check().is_ok());
        let told = Layout {
            prior: Prior::Elicited,
            ..plain
        };
        let known = Layout {
            variance: Some(0.5),
            ..told
        };
        let seen = Layout {
            contents: Contents::Seen,
            ..plain
        };
        let needs = |layout: Layout, words: &str| {
            let error = layout.check().unwrap_err();
            assert!(matches!(error, Error::Unidentified { .. }), "{error}");
            assert!(error.to_string().contains(words), "{error}");
        };
        let averse = |layout: Layout| Layout {
            ambiguity: true,
            ..layout
        };
        let biased = |layout: Layout| Layout {
            biased: true,
            ..layout
        };
        needs(averse(plain), "elicited");
        needs(averse(seen), "elicited");
        needs(averse(told), "signal_variance");
        needs(averse(biased(known)), "signals_seen");
        assert!(averse(known).check().is_ok());
        let all = Layout {
            contents: Contents::Seen,
            intercept: true,
            ..averse(biased(told))
        };
        assert!(all.check().is_ok() && all.names().len() == TAIL);
        for wrong in [
            Layout {
                variance: Some(-1.0),
                ..told
            },
            Layout {
                variance: Some(1.0),
                ..plain
            },
            Layout {
                contents: Contents::Seen,
                ..known
            },
        ] {
            assert!(matches!(wrong.check(), Err(Error::InvalidOption { .. })));
        }
    }
}
