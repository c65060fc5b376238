//! How many needs there are, without a model: Chao's bounds, Good and Turing's coverage.

use super::VoicedNeeds;
use crate::error::{Error, Result};
use crate::inference::{Estimate, Interval, check_level};
use crate::numeric::derivative::gradient;
use crate::numeric::special::normal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which form of Chao's estimator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChaoForm {
    /// `S + a Q_1²/(2 Q_2)`, the form with its correction where no need was voiced in exactly two interviews.
    Classic,
    /// `S + a Q_1(Q_1 − 1)/(2(Q_2 + 1))`, unbiased when all needs are equally likely.
    BiasCorrected,
}

/// A number of needs, those unseen included, with the needs seen and a log-normal interval, which does not go below them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeedsTotal {
    /// Needs voiced.
    pub observed: f64,
    /// Needs there are.
    pub estimate: Estimate,
    /// `[S + U/K, S + U K]`, U the needs unseen, `K = exp(z √ln(1 + Var/U²))` (Chao 1987).
    pub interval: Interval,
}

impl NeedsTotal {
    /// The log-normal interval around an estimate above what was observed.
    pub(super) fn new(observed: f64, estimate: Estimate, level: f64) -> Result<Self> {
        check_level(level)?;
        let unseen = estimate.estimate - observed;
        let variance = estimate.std_error.powi(2);
        let spread = (1.0 + variance / (unseen * unseen)).ln().sqrt();
        let factor = (normal::quantile(0.5 + level / 2.0) * spread).exp();
        Ok(Self {
            observed,
            interval: Interval {
                name: estimate.name.clone(),
                level,
                lower: observed + unseen / factor,
                upper: observed + unseen * factor,
            },
            estimate,
        })
    }
}

impl fmt::Display for NeedsTotal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; {} were voiced\n{}",
            self.estimate, self.observed, self.interval
        )
    }
}

crate::report::notebook_line!(NeedsTotal);

/// Chao's number of unseen classes from those seen once and twice; `a = 1 − 1/n`.
pub(super) fn unseen(form: ChaoForm, a: f64, once: f64, twice: f64) -> f64 {
    match form {
        ChaoForm::Classic if twice > 0.0 => a * once * once / (2.0 * twice),
        _ => a * once * (once - 1.0) / (2.0 * (twice + 1.0)),
    }
}

/// Its variance (Chao 1987; the variants are those of EstimateS 9.1, appendix B).
fn variance(form: ChaoForm, a: f64, once: f64, twice: f64, total: f64) -> f64 {
    let a2 = a * a;
    if form == ChaoForm::Classic && twice > 0.0 {
        let r = once / twice;
        return twice * (0.5 * a * r.powi(2) + a2 * r.powi(3) + 0.25 * a2 * r.powi(4));
    }
    let (f, g) = (once, twice + 1.0);
    let common = a * f * (f - 1.0) / (2.0 * g) + a2 * f * (2.0 * f - 1.0).powi(2) / (4.0 * g * g);
    if twice > 0.0 {
        common + a2 * f * f * twice * (f - 1.0).powi(2) / (4.0 * g.powi(4))
    } else {
        common - a2 * f.powi(4) / (4.0 * total)
    }
}

impl VoicedNeeds {
    /// Chao's lower bound of the number of needs from the interviews that voiced them: with `a = (T − 1)/T`, `S + a Q_1²/(2Q_2)` and its
    /// bias-corrected form. It is near the truth when needs voiced rarely are alike, below it otherwise.
    ///
    /// # Errors
    /// [`Error::Unidentified`] when no need, or one alone where the estimate then is zero, was voiced in a single interview;
    /// [`Error::InvalidOption`] for a level outside (0, 1).
    ///
    /// # References
    /// Chao, A. (1987). Estimating the population size for capture–recapture data with unequal catchability. *Biometrics* 43(4), 783–791.
    /// doi:10.2307/2531532
    pub fn chao2(&self, form: ChaoForm, level: f64) -> Result<NeedsTotal> {
        let t = self.interviews as f64;
        self.chao(
            "needs (Chao2)",
            form,
            (t - 1.0) / t,
            &self.frequencies,
            level,
        )
    }

    /// Chao's lower bound from how often needs were mentioned, repetitions within interviews included: `S + a f_1²/(2f_2)`, `a = (n − 1)/n` for n mentions.
    /// Mentions within an interview are rarely independent; prefer [`VoicedNeeds::chao2`].
    ///
    /// # Errors
    /// [`Error::DataNotKept`] when mentions were not given row by row; those of [`VoicedNeeds::chao2`].
    ///
    /// # References
    /// Chao, A. (1984). Nonparametric estimation of the number of classes in a population. *Scandinavian Journal of Statistics* 11(4), 265–270.
    pub fn chao1(&self, form: ChaoForm, level: f64) -> Result<NeedsTotal> {
        let mentions = self.mentions.as_ref().ok_or_else(|| Error::DataNotKept {
            what: "Chao1".to_owned(),
            remedy: "give one row a mention (NeedsDiscovery::mentions), or use Chao2".to_owned(),
        })?;
        let all = (1_usize..).zip(mentions);
        let n: f64 = all.map(|(k, f)| k as f64 * f).sum();
        self.chao("needs (Chao1)", form, (n - 1.0) / n, mentions, level)
    }

    fn chao(
        &self,
        name: &str,
        form: ChaoForm,
        a: f64,
        counts: &[f64],
        level: f64,
    ) -> Result<NeedsTotal> {
        let at = |k: usize| counts.get(k - 1).copied().unwrap_or(0.0);
        let (once, twice) = (at(1), at(2));
        let unseen = unseen(form, a, once, twice);
        if unseen <= 0.0 {
            return Err(Error::Unidentified {
                what: "the number of needs that nobody voiced".to_owned(),
                needs: format!(
                    "at least two needs voiced just once; there are {once}, and nothing hints at needs beyond the {} that were voiced",
                    self.observed()
                ),
            });
        }
        let total = self.observed() + unseen;
        let estimate = Estimate {
            name: name.to_owned(),
            estimate: total,
            std_error: variance(form, a, once, twice, total).max(0.0).sqrt(),
            degrees_of_freedom: f64::INFINITY,
        };
        NeedsTotal::new(self.observed(), estimate, level)
    }

    /// The sample coverage of Good and Turing, in the form of Chao and Jost: of all that customers would voice, the share that belongs to needs already voiced,
    /// `1 − (Q_1/U) (T − 1)Q_1/[(T − 1)Q_1 + 2Q_2]`, U the number of (need, interview) pairs. One minus it is the unseen mass: the
    /// chance that the next thing voiced is a need not heard of before. Turing's own `1 − Q_1/U` is its leading part.
    ///
    /// # Errors
    /// [`Error::NotFinite`] should the derivative for the standard error fail.
    ///
    /// # References
    /// Good, I. J. (1953). The population frequencies of species and the estimation of population parameters. *Biometrika* 40(3–4), 237–264.
    /// doi:10.1093/biomet/40.3-4.237
    ///
    /// Chao, A. & Jost, L. (2012). Coverage-based rarefaction and extrapolation. *Ecology* 93(12), 2533–2547. doi:10.1890/11-1952.1
    pub fn coverage(&self) -> Result<Estimate> {
        let t = self.interviews as f64;
        self.delta("sample coverage", |q| {
            let pairs: f64 = (1_usize..).zip(q).map(|(k, q)| k as f64 * q).sum();
            let (once, twice) = (q[0], q[1]);
            // Where none was voiced twice, the corrected form (Chao & Jost 2012, equation 4b).
            let (top, rest) = if twice > 0.0 {
                ((t - 1.0) * once, 2.0 * twice)
            } else {
                ((t - 1.0) * (once - 1.0), 2.0)
            };
            if once <= 0.0 {
                return Ok(1.0);
            }
            Ok(1.0 - once / pairs * top / (top + rest))
        })
    }

    /// A function of Q_1, Q_2, … with its standard error by the delta method: given the number of needs, the counts are multinomial, so
    /// `Var = Σ g_k² Q_k − (Σ g_k Q_k)²/Ŝ` with g the gradient and Ŝ Chao's number of needs (Colwell et al. 2012). Counts of zero have no part in it.
    pub(super) fn delta(
        &self,
        name: &str,
        function: impl Fn(&[f64]) -> Result<f64>,
    ) -> Result<Estimate> {
        let q = &self.frequencies;
        let estimate = function(q)?;
        let used: Vec<usize> = (0..q.len()).filter(|k| q[*k] > 0.0).collect();
        let at: Vec<f64> = used.iter().map(|k| q[*k]).collect();
        let slope = gradient(
            |x: &[f64]| {
                let mut all = q.clone();
                for (k, v) in used.iter().zip(x) {
                    all[*k] = *v;
                }
                function(&all).unwrap_or(f64::NAN)
            },
            &at,
        )?;
        let total = self.observed() + self.unseen();
        let square: f64 = slope.iter().zip(&at).map(|(g, q)| g * g * q).sum();
        let sum: f64 = slope.iter().zip(&at).map(|(g, q)| g * q).sum();
        Ok(Estimate {
            name: name.to_owned(),
            estimate,
            std_error: (square - sum * sum / total).max(0.0).sqrt(),
            degrees_of_freedom: f64::INFINITY,
        })
    }

    /// Needs unseen, by the classic form.
    pub(super) fn unseen(&self) -> f64 {
        unseen_of(self.interviews, &self.frequencies)
    }
}

/// Needs unseen given Q, by the classic form, zero at least.
pub(super) fn unseen_of(interviews: usize, q: &[f64]) -> f64 {
    let t = interviews as f64;
    unseen(ChaoForm::Classic, (t - 1.0) / t, q[0], q[1]).max(0.0)
}
