//! Omitted confounders of effects with learned nuisances: the long regression against the short one.

use super::contours::{contours, levels};
use super::{check_share, equal_share};
use crate::causal::arm_scores::position;
use crate::causal::units::Units;
use crate::causal::{DoublyRobustFit, PartiallyLinearFit};
use crate::error::{Error, Result};
use crate::inference::{Estimate, Inference, Interval, check_level};
use crate::numeric::optimize::brent_root;
use crate::numeric::special::student_t;
use crate::report::{Cell, Figure, Table};
use serde::{Deserialize, Serialize};

/// How an effect with learned nuisances would change had an unobserved confounder been among its features. With the regression residual `ε = Y − g(D, X)` and the Riesz
/// representer α of the effect (`θ = E[g α]`), both without the confounder,
///
/// `|bias| ≤ |ρ| C_Y C_D S`, `S² = E[ε²] E[α²]`, `C²_Y = R²_Y`, `C²_D = R²_D/(1 − R²_D)`:
///
/// `R²_Y` is the share of ε that the confounder explains, `1 − R²_D` is the share of the long representer's variance that the short one has (in the partially linear model, `R²_D` is the share of the
/// rest of the treatment that the confounder explains), and ρ is the correlation of what it adds to both, 1 in the worst case. S² has a score that first-step errors
/// move only to second order, so that bounds have standard errors and intervals.
///
/// The robustness value is the share `R²_Y = R²_D` that takes the nearer bound to the null; at a level, the one that takes the one-sided limit of the bound there.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `correlation` | 1 | ρ | −1 to 1, not 0 |
///
/// # Errors
/// [`Error::InvalidOption`] for shares outside [0, 1), a ρ of 0 or outside [−1, 1]; [`Error::Unidentified`] for scores by which the variance of the representer is negative
/// (no overlap); those of finding arms and columns.
///
/// # References
/// Chernozhukov, V., Cinelli, C., Newey, W., Sharma, A. & Syrgkanis, V. (2022). Long story short: omitted variable bias in causal machine learning. NBER working paper 30302.
/// doi:10.3386/w30302
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let x: Vec<f64> = (0..400).map(|i| f64::from(i % 20) / 10.0).collect();
/// let price: Vec<f64> = x.iter().enumerate().map(|(i, x)| x + ((i * 7) % 11) as f64 / 10.0).collect();
/// let orders: Vec<f64> = (0..400).map(|i| x[i] - 2.0 * price[i] + ((i * 5) % 7) as f64).collect();
/// let frame = Frame::new().with("x", x)?.with("price", price)?.with("orders", orders)?;
/// let fit = PartiallyLinear::new("orders", "price", &["x"]).learner(Learner::linear()).seed(7).fit(&frame)?;
/// let sensitivity = OmittedConfounder::partially_linear(&fit)?;
/// let effect = sensitivity.bounds(0.03, 0.03)?;
/// assert!(effect.lower.estimate < -2.0 && effect.upper.estimate > -2.2);
/// assert!(sensitivity.robustness_value(0.0)? > 0.25);
/// println!("{sensitivity}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OmittedConfounder {
    unadjusted: Estimate,
    correlation: f64,
    outcome_variance: f64,
    representer_variance: f64,
    /// Of the effect and of S.
    covariance: [[f64; 2]; 2],
}

/// An effect between its bounds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfoundedEffect {
    /// The share of the outcome explained.
    pub r2_outcome: f64,
    /// The share of the treatment.
    pub r2_treatment: f64,
    /// The lower bound of the effect with its standard error.
    pub lower: Estimate,
    /// The upper bound.
    pub upper: Estimate,
}

/// What some features added: the strength of a confounder like them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfounderGain {
    /// `R²_Y`: what they take from the outcome's residual variance, over what they leave of it; from 0, when they did not help, to 1.
    pub r2_outcome: f64,
    /// `R²_D`: what they add to the representer's variance, over what it is without them; from 0 to 1.
    pub r2_treatment: f64,
    /// ρ, with the sign of the change when they are left out.
    pub correlation: f64,
    /// The effect without them less the effect with them.
    pub change: f64,
}

/// What each row says of the effect, of `E[ε²]` and of `E[α²]`.
struct Scores {
    effect: Vec<f64>,
    outcome: Vec<f64>,
    representer: Vec<f64>,
}

impl OmittedConfounder {
    /// Of a partially linear fit.
    ///
    /// # Errors
    /// See [`OmittedConfounder`].
    pub fn partially_linear(fit: &PartiallyLinearFit) -> Result<Self> {
        let (y, d) = (fit.outcome_residuals(), fit.treatment_residuals());
        let units = fit.units();
        let effect = fit.effect().estimate_at(0);
        let squares: Vec<f64> = d.iter().map(|d| d * d).collect();
        let square = units.mean(&squares);
        let error = |row: usize| y[row] - effect.estimate * d[row];
        let rows = 0..y.len();
        let scores = Scores {
            effect: rows.clone().map(|i| d[i] * error(i) / square).collect(),
            outcome: rows.map(|i| error(i).powi(2)).collect(),
            // 1/E[D̃²] by its own influence.
            representer: squares
                .iter()
                .map(|s| (2.0 - s / square) / square)
                .collect(),
        };
        Self::new(effect, &scores, &units)
    }

    /// Of the average effect of an arm against the control of a doubly robust fit.
    ///
    /// # Errors
    /// See [`OmittedConfounder`]; [`Error::InvalidOption`] with the arms that exist.
    pub fn doubly_robust(fit: &DoublyRobustFit, arm: &str) -> Result<Self> {
        let scores = fit.scores();
        let control = fit.arms()[0].clone();
        let contrast = scores.contrast(arm, &control)?;
        let units = Units::of(scores);
        let effect = fit.coefficient(arm)?;
        let n = contrast.len();
        // The representer is zero in other arms, and only residuals of the two arms can be correlated with it.
        let (mut outcome, mut representer) = (vec![0.0; n], vec![0.0; n]);
        let pair = [arm, control.as_str()];
        let [e, means, gamma] = [
            pair.map(|k| fit.propensities(k)),
            pair.map(|k| fit.outcome_means(k)),
            pair.map(|k| scores.arm(k)),
        ];
        let [e, means, gamma] = [all(e)?, all(means)?, all(gamma)?];
        for row in 0..n {
            representer[row] = 2.0 * (1.0 / e[0][row] + 1.0 / e[1][row]);
            let own = fit.arms()[fit.arm_of[row] as usize].as_str();
            let Some(k) = pair.iter().position(|arm| *arm == own) else {
                continue;
            };
            outcome[row] = ((gamma[k][row] - means[k][row]) * e[k][row]).powi(2);
            representer[row] -= (1.0 / e[k][row]).powi(2);
        }
        let scores = Scores {
            effect: contrast.iter().map(|s| s - effect.estimate).collect(),
            outcome,
            representer,
        };
        Self::new(effect, &scores, &units)
    }

    /// Of the average effect of an arm on those who had it, against the control, of a doubly robust fit: the representer is `1{W = k}/p − 1{W = 0} e_k/(e_0 p)`, p the share of the arm.
    ///
    /// # Errors
    /// As [`OmittedConfounder::doubly_robust`].
    pub fn doubly_robust_treated(fit: &DoublyRobustFit, arm: &str) -> Result<Self> {
        let effect = fit.effect_on_treated().coefficient(arm)?;
        let units = Units::of(fit.scores());
        let own = position(fit.arms(), arm)?;
        let n = fit.rows();
        let treated: Vec<f64> = (0..n)
            .map(|i| f64::from(u8::from(fit.arm_of[i] as usize == own)))
            .collect();
        let share = units.mean(&treated);
        let mut scores = Scores {
            effect: vec![0.0; n],
            outcome: vec![0.0; n],
            representer: vec![0.0; n],
        };
        for (row, treated) in treated.iter().enumerate() {
            let odds = fit.propensities[own][row] / fit.propensities[0][row];
            let y = fit.outcome[row];
            let gap = y - fit.means[0][row];
            if *treated > 0.0 {
                scores.effect[row] = (gap - effect.estimate) / share;
                scores.outcome[row] = (y - fit.means[own][row]).powi(2);
                scores.representer[row] = (1.0 + 2.0 * odds) / (share * share);
            } else if fit.arm_of[row] == 0 {
                scores.effect[row] = -gap * odds / share;
                scores.outcome[row] = gap * gap;
                scores.representer[row] = -(odds / share).powi(2);
            }
        }
        // It is over p², which is estimated.
        let variance = units.mean(&scores.representer);
        for (value, treated) in scores.representer.iter_mut().zip(&treated) {
            *value -= 2.0 * variance * (treated / share - 1.0);
        }
        Self::new(effect, &scores, &units)
    }

    fn new(unadjusted: Estimate, scores: &Scores, units: &Units) -> Result<Self> {
        let outcome_variance = units.mean(&scores.outcome);
        let representer_variance = units.mean(&scores.representer);
        if !(outcome_variance > 0.0 && representer_variance > 0.0) {
            return Err(Error::Unidentified {
                what: format!(
                    "the sensitivity of the effect of {}: the variances of outcome residual and representer are {outcome_variance:.3} and {representer_variance:.3}",
                    unadjusted.name
                ),
                needs: "residuals that vary and overlap; trim the rows whose propensities are near zero".to_owned(),
            });
        }
        let bias = (outcome_variance * representer_variance).sqrt();
        let both = scores.outcome.iter().zip(&scores.representer);
        let moves: Vec<f64> = both
            .map(|(s, v)| {
                (outcome_variance * (v - representer_variance)
                    + representer_variance * (s - outcome_variance))
                    / (2.0 * bias)
            })
            .collect();
        let sums = [&scores.effect, &moves].map(|values| units.sums(values));
        let covariance = [0, 1].map(|a: usize| {
            [0, 1].map(|b: usize| {
                let pairs = sums[a].iter().zip(&sums[b]);
                units.correction() * pairs.map(|(a, b)| a * b).sum::<f64>()
            })
        });
        Ok(Self {
            unadjusted,
            correlation: 1.0,
            outcome_variance,
            representer_variance,
            covariance,
        })
    }

    /// The correlation ρ of what the confounder adds to outcome and representer.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for 0, or outside [−1, 1].
    pub fn correlation(mut self, correlation: f64) -> Result<Self> {
        if !(correlation.abs() > 0.0 && correlation.abs() <= 1.0) {
            return Err(Error::invalid_option(
                "correlation",
                correlation,
                "from −1 to 1 and not 0, for which there is no bias",
            ));
        }
        self.correlation = correlation;
        Ok(self)
    }

    /// The effect without the confounder.
    pub fn unadjusted(&self) -> &Estimate {
        &self.unadjusted
    }

    /// `S`, the bias for `|ρ| C_Y C_D = 1`.
    pub fn scale(&self) -> f64 {
        (self.outcome_variance * self.representer_variance).sqrt()
    }

    /// The bounds of the effect when the confounder explains these shares of outcome and treatment.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for shares outside [0, 1).
    pub fn bounds(&self, r2_outcome: f64, r2_treatment: f64) -> Result<ConfoundedEffect> {
        check_share("r2_outcome", r2_outcome, false)?;
        check_share("r2_treatment", r2_treatment, false)?;
        let strength = self.strength(r2_outcome, r2_treatment);
        Ok(ConfoundedEffect {
            r2_outcome,
            r2_treatment,
            lower: self.bound(-strength),
            upper: self.bound(strength),
        })
    }

    /// The share of both that takes the nearer bound to the null.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a null that is not finite.
    pub fn robustness_value(&self, null: f64) -> Result<f64> {
        check_null(null)?;
        let gap = (self.unadjusted.estimate - null).abs();
        Ok(equal_share(gap / self.scale() / self.correlation.abs()))
    }

    /// The share of both that takes the one-sided limit of the nearer bound to the null; 0 when it is there without a confounder, 1 when no share does.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a null that is not finite or a level outside (0, 1).
    pub fn robustness_value_at(&self, null: f64, level: f64) -> Result<f64> {
        /// Shares nearer to one are not told from it.
        const MOST: f64 = 1.0 - 1e-9;
        check_null(null)?;
        check_level(level)?;
        let side = if self.unadjusted.estimate > null {
            -1.0
        } else {
            1.0
        };
        let short = |share: f64| {
            let bound = self.bound(side * self.strength(share, share));
            side * (null - limit(&bound, side, level))
        };
        if short(0.0) <= 0.0 {
            return Ok(0.0);
        }
        if short(MOST) >= 0.0 {
            return Ok(1.0);
        }
        Ok(brent_root(short, 0.0, MOST, 1e-14)?.point)
    }

    /// What features add that the other effect, fitted without them, lacks: the strength, beside them, of a confounder that is like them. As with
    /// [`OmittedVariable::benchmark`](super::OmittedVariable::benchmark) their shares `R²` become `R²/(1 − R²)`, since such a confounder explains what they leave.
    pub fn gain_over(&self, short: &Self) -> ConfounderGain {
        let outcome = (short.outcome_variance - self.outcome_variance).max(0.0);
        let representer = (self.representer_variance - short.representer_variance).max(0.0);
        let change = short.unadjusted.estimate - self.unadjusted.estimate;
        let largest = (outcome * representer).sqrt();
        ConfounderGain {
            r2_outcome: (outcome / self.outcome_variance).min(1.0),
            r2_treatment: (representer / short.representer_variance).min(1.0),
            correlation: if largest > 0.0 {
                (change / largest).clamp(-1.0, 1.0)
            } else {
                0.0
            },
            change,
        }
    }

    /// Level curves of the bound nearer to the null over the shares of treatment and outcome.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a null that is not finite or when there is no finite level to draw.
    pub fn contours(&self, null: f64) -> Result<Figure> {
        let limit = (2.2 * self.robustness_value(null)?).clamp(0.02, 0.95);
        let side = if self.unadjusted.estimate > null {
            -1.0
        } else {
            1.0
        };
        let value = |x: f64, y: f64| self.bound(side * self.strength(y, x)).estimate;
        let levels = levels(self.unadjusted.estimate, value(limit, limit), null, 8);
        let which = if side < 0.0 { "lower" } else { "upper" };
        contours(
            [
                &format!(
                    "{} with an omitted confounder: {which} bound",
                    self.unadjusted.name
                ),
                "share of the treatment explained",
                "share of the outcome explained",
            ],
            &levels,
            limit,
            &[],
            value,
        )
    }

    /// The bounds for a few shares, and the robustness values for a null of zero.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 5;
        const LEVEL: f64 = 0.95;
        let mut table = Table::new(format!("Omitted confounders and {}", self.unadjusted.name))
            .columns([
                "share of both",
                "Lower bound",
                "Std. error",
                "Upper bound",
                "Std. error",
                "from",
                "to",
            ]);
        for share in [0.0, 0.01, 0.03, 0.05, 0.1] {
            let strength = self.strength(share, share);
            let [low, high] = [-strength, strength].map(|s| self.bound(s));
            table = table.row([
                Cell::fixed(share, 2),
                Cell::significant(low.estimate, DIGITS),
                Cell::significant(low.std_error, DIGITS),
                Cell::significant(high.estimate, DIGITS),
                Cell::significant(high.std_error, DIGITS),
                Cell::significant(limit(&low, -1.0, LEVEL), DIGITS),
                Cell::significant(limit(&high, 1.0, LEVEL), DIGITS),
            ]);
        }
        let percent = |value: Result<f64>| Cell::percent(value.unwrap_or(0.0), 2).to_string();
        table
            .note(format!(
                "A confounder must explain {} of outcome and treatment to take the effect to zero, {} to take its one-sided 95 % limit there.",
                percent(self.robustness_value(0.0)),
                percent(self.robustness_value_at(0.0, LEVEL))
            ))
            .note(format!(
                "Correlation {}; one-sided limits at 95 %.",
                Cell::significant(self.correlation, 3)
            ))
    }

    /// `|ρ| C_Y C_D`.
    fn strength(&self, r2_outcome: f64, r2_treatment: f64) -> f64 {
        self.correlation.abs() * (r2_outcome * r2_treatment / (1.0 - r2_treatment)).sqrt()
    }

    fn bound(&self, strength: f64) -> Estimate {
        let [[own, cross], [_, scale]] = self.covariance;
        let variance = own + 2.0 * strength * cross + strength * strength * scale;
        Estimate {
            estimate: self.unadjusted.estimate + strength * self.scale(),
            std_error: variance.max(0.0).sqrt(),
            ..self.unadjusted.clone()
        }
    }
}

crate::report::notebook::shown!(OmittedConfounder);

impl ConfoundedEffect {
    /// From the one-sided limit of the lower to that of the upper bound, so that each is missed at most as often as one minus the level.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a level outside (0, 1).
    pub fn confidence_interval(&self, level: f64) -> Result<Interval> {
        check_level(level)?;
        Ok(Interval {
            name: self.lower.name.clone(),
            level,
            lower: limit(&self.lower, -1.0, level),
            upper: limit(&self.upper, 1.0, level),
        })
    }
}

/// The one-sided limit of a bound.
fn limit(bound: &Estimate, side: f64, level: f64) -> f64 {
    bound.estimate + side * student_t::quantile(level, bound.degrees_of_freedom) * bound.std_error
}

fn all<T>(pair: [Result<T>; 2]) -> Result<[T; 2]> {
    let [a, b] = pair;
    Ok([a?, b?])
}

fn check_null(null: f64) -> Result<()> {
    if null.is_finite() {
        return Ok(());
    }
    Err(Error::invalid_option("null", null, "finite"))
}
