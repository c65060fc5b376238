//! Theories of choice under risk and ambiguity, and how choices err.

use crate::error::Error;
use crate::numeric::jet::Scalar;
use serde::{Deserialize, Serialize};

/// The form of utility.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum UtilityForm {
    /// `(x^(1−r) − 1)/(1 − r)`: constant relative risk aversion r.
    #[default]
    Crra,
    /// `[1 − exp(−a x^(1−r))]/a`: relative risk aversion `r + a(1 − r)x^(1−r)` (Saha 1993).
    ExpoPower,
}

/// How probabilities are weighted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Weighting {
    /// `exp(−(−ln p)^γ)`.
    #[default]
    Prelec,
    /// `exp(−η(−ln p)^γ)`.
    PrelecTwo,
    /// `p^γ/(p^γ + (1 − p)^γ)^(1/γ)`.
    TverskyKahneman,
}

/// What a lottery is worth.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RiskTheory {
    /// Expected utility.
    ExpectedUtility(UtilityForm),
    /// Rank-dependent utility, CRRA (Quiggin 1982).
    RankDependent(Weighting),
    /// Cumulative prospect theory with the same power and weights for gains and losses.
    ProspectTheory(Weighting),
    /// Smooth ambiguity with constant absolute aversion over expected CRRA utility.
    SmoothAmbiguity,
}

impl Default for RiskTheory {
    fn default() -> Self {
        Self::ExpectedUtility(UtilityForm::Crra)
    }
}

/// How errors of choice enter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChoiceError {
    /// In units of the range of utility of the pair (Wilcox 2011).
    #[default]
    Contextual,
    /// In units of utility.
    Fechner,
    /// Ratios of values (Luce 1959; Holt & Laury 2002).
    Luce,
}

impl ChoiceError {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Contextual => "contextual",
            Self::Fechner => "Fechner",
            Self::Luce => "Luce",
        }
    }

    /// The smallest payoff that the values of the theory allow.
    pub(super) fn least_payoff(self, theory: RiskTheory) -> f64 {
        match (self, theory) {
            (Self::Luce, _) => f64::MIN_POSITIVE,
            (_, RiskTheory::ProspectTheory(_)) => f64::NEG_INFINITY,
            _ => 0.0,
        }
    }
}

impl Weighting {
    /// `w(p)` with γ and η.
    fn weight<T: Scalar>(self, p: f64, gamma: T, eta: T) -> T {
        if p <= 0.0 || p >= 1.0 {
            return T::constant(if p >= 1.0 { 1.0 } else { 0.0 });
        }
        match self {
            Self::Prelec | Self::PrelecTwo => {
                let bent = (gamma * (-p.ln()).ln()).exp();
                (-(eta * bent)).exp()
            }
            Self::TverskyKahneman => {
                let (a, b) = ((gamma * p.ln()).exp(), (gamma * (-p).ln_1p()).exp());
                let sum = a + b;
                let at = sum.value();
                let ln = sum.chain([at.ln(), 1.0 / at, -1.0 / (at * at)]);
                a * (-(ln / gamma)).exp()
            }
        }
    }
}

/// `(e^(kl) − 1)/k`, l = ln x, for numbers k with derivatives; near k = 0 by its series.
fn power<T: Scalar>(k: T, l: f64) -> T {
    /// Terms until the rest is below 1e-17 where `|kl|` < ½.
    const TERMS: i32 = 18;
    let at = k.value();
    let kl = at * l;
    if kl.abs() < 0.5 {
        // Σ l^(j+1) k^j/(j+1)!
        let (mut f, mut term) = ([0.0; 3], l);
        let mut slope = [0.0, 0.5 * l * l];
        for j in 0..TERMS {
            let n = f64::from(j);
            f[0] += term;
            term *= kl / (n + 2.0);
            // (j+1) l^(j+2) k^j/(j+2)!
            f[1] += slope[1];
            slope[1] *= kl * (n + 2.0) / ((n + 1.0) * (n + 3.0));
        }
        slope[0] = l * l * l / 3.0;
        for j in 0..TERMS {
            // (j+2)(j+1) l^(j+3) k^j/(j+3)!
            let n = f64::from(j);
            f[2] += slope[0];
            slope[0] *= kl * (n + 3.0) / ((n + 1.0) * (n + 4.0));
        }
        return k.chain(f);
    }
    let e = kl.exp();
    let value = (e - 1.0) / at;
    let first = (l * e - value) / at;
    k.chain([value, first, (l * l * e - 2.0 * first) / at])
}

/// The parameters that follow r, in order, and ln μ at the end.
impl RiskTheory {
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::ExpectedUtility(UtilityForm::Crra) => "Expected utility (CRRA)",
            Self::ExpectedUtility(UtilityForm::ExpoPower) => "Expected utility (expo-power)",
            Self::RankDependent(_) => "Rank-dependent utility",
            Self::ProspectTheory(_) => "Prospect theory",
            Self::SmoothAmbiguity => "Smooth ambiguity",
        }
    }

    pub(super) fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::ExpectedUtility(UtilityForm::Crra) => &[],
            Self::ExpectedUtility(UtilityForm::ExpoPower) => &["a"],
            Self::RankDependent(Weighting::PrelecTwo) => &["ln_gamma", "ln_eta"],
            Self::RankDependent(_) => &["ln_gamma"],
            Self::ProspectTheory(Weighting::PrelecTwo) => &["ln_gamma", "ln_lambda", "ln_eta"],
            Self::ProspectTheory(_) => &["ln_gamma", "ln_lambda"],
            Self::SmoothAmbiguity => &["ambiguity"],
        }
    }

    /// Where the searches begin: r, the other parameters, ln μ.
    pub(super) fn starts(self, error: ChoiceError, stake: f64) -> Vec<(String, f64, Vec<f64>)> {
        [0.0, 0.5]
            .into_iter()
            .map(|r| {
                // A fifth of the utility of what is at stake.
                let scale = if error == ChoiceError::Fechner {
                    stake.powf(1.0 - r) / (1.0 - r)
                } else {
                    1.0
                };
                let ln_mu = (0.2 * scale).ln();
                let mut tail = vec![0.0; self.parameters().len()];
                tail.push(ln_mu);
                (format!("r = {r}"), r, tail)
            })
            .collect()
    }

    /// The error for a point where a parameter is at a bound.
    pub(super) fn refuse(self, tail: &[f64], error: ChoiceError) -> Option<Error> {
        const LARGEST: f64 = 6.0;
        let names = self.parameters().iter().chain(&["ln_mu"]);
        // μ has the unit of utility in Fechner's model, and may be any number.
        let bounded =
            |n: &str| n.starts_with("ln_") && (n != "ln_mu" || error != ChoiceError::Fechner);
        let (name, _) = names
            .zip(tail)
            .find(|(n, v)| bounded(n) && v.abs() > LARGEST)?;
        Some(Error::Unidentified {
            what: format!("`{name}` of lottery choices, which runs to a bound of its range,"),
            needs:
                "choices that err less or more, pairs with more kinds of risk, or a smaller theory"
                    .to_owned(),
        })
    }

    /// Utility of a payoff. CRRA and expo-power are zero at 1 and at 0; powers of prospect theory are zero at 0.
    pub(super) fn utility<T: Scalar>(self, x: f64, p: &[T]) -> T {
        let k = -p[0] + 1.0;
        match self {
            Self::ProspectTheory(_) => {
                if x.abs() <= 0.0 {
                    return T::constant(0.0);
                }
                let size = (k * x.abs().ln()).exp();
                if x < 0.0 { -(size * p[2].exp()) } else { size }
            }
            Self::ExpectedUtility(UtilityForm::ExpoPower) => {
                let y = if x > 0.0 {
                    (k * x.ln()).exp()
                } else {
                    T::constant(0.0)
                };
                let a = p[1];
                let ay = a * y;
                // The cube of what is left out is below 1e-16 of y.
                if ay.value().abs() < 1e-4 {
                    return y - ay * y * 0.5 + ay.square() * y * (1.0 / 6.0)
                        - ay.square() * ay * y * (1.0 / 24.0);
                }
                (-((-ay).exp()) + 1.0) / a
            }
            _ if x > 0.0 => power(k, x.ln()),
            // Below r = 1 the limit; above it there is none.
            _ if k.value() > 0.0 => -(T::constant(1.0) / k),
            _ => T::constant(f64::NAN),
        }
    }

    /// γ and η of the weights.
    fn bends<T: Scalar>(self, p: &[T]) -> Option<(Weighting, T, T)> {
        let (form, eta_at) = match self {
            Self::RankDependent(form) => (form, 2),
            Self::ProspectTheory(form) => (form, 3),
            _ => return None,
        };
        let eta = if form == Weighting::PrelecTwo {
            p[eta_at].exp()
        } else {
            T::constant(1.0)
        };
        Some((form, p[1].exp(), eta))
    }

    /// Decision weights of payoffs from the best to the worst: gains from the best down, losses from the worst up.
    pub(super) fn decision_weights<T: Scalar>(
        self,
        payoffs: &[f64],
        chances: &[f64],
        p: &[T],
    ) -> Vec<T> {
        let Some((form, gamma, eta)) = self.bends(p) else {
            return chances.iter().map(|p| T::constant(*p)).collect();
        };
        let signed = matches!(self, Self::ProspectTheory(_));
        let n = payoffs.len();
        let mut weights = vec![T::constant(0.0); n];
        let mut fill = |order: &mut dyn Iterator<Item = usize>| {
            let (mut total, mut before) = (0.0, T::constant(0.0));
            for i in order {
                total += chances[i];
                // The last is what is left of one, however it was rounded.
                let now = if total > 1.0 - 1e-9 {
                    T::constant(1.0)
                } else {
                    form.weight(total, gamma, eta)
                };
                weights[i] = now - before;
                before = now;
            }
        };
        let losses = if signed {
            payoffs.iter().filter(|x| **x < 0.0).count()
        } else {
            0
        };
        fill(&mut (0..n - losses));
        fill(&mut (n - losses..n).rev());
        weights
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::jet::Jet;

    #[test]
    fn utility_and_its_derivatives_hold_everywhere() {
        for r in [-0.7, 0.2, 0.999_999, 1.0, 1.4] {
            for x in [0.1, 1.0, 3.85, 90.0] {
                let theory = RiskTheory::default();
                let u = theory.utility(x, &[Jet::<1>::variable(r, 0)]);
                let exact = |r: f64| {
                    if (1.0 - r).abs() < 1e-9 {
                        x.ln()
                    } else {
                        ((1.0 - r) * x.ln()).exp_m1() / (1.0 - r)
                    }
                };
                assert!(
                    (u.value - exact(r)).abs() < 1e-9 * exact(r).abs().max(1.0),
                    "{r} {x}"
                );
                let h = 1e-3;
                let slope = (exact(r + h) - exact(r - h)) / (2.0 * h);
                let second = (exact(r + h) - 2.0 * exact(r) + exact(r - h)) / (h * h);
                assert!(
                    (u.gradient[0] - slope).abs() < 1e-4 * slope.abs().max(1.0),
                    "{r} {x}: {} {slope}",
                    u.gradient[0]
                );
                assert!(
                    (u.hessian[0][0] - second).abs() < 1e-4 * second.abs().max(1.0),
                    "{r} {x}: {} {second}",
                    u.hessian[0][0]
                );
            }
        }
    }

    #[test]
    fn weights_are_those_of_their_authors() {
        // Prelec's has its fixed point at 1/e; Tversky & Kahneman report γ = .61, where w(.5) = .42 in their figure.
        let e = (-1.0_f64).exp();
        assert!((Weighting::Prelec.weight(e, 0.6, 1.0) - e).abs() < 1e-15);
        assert!((Weighting::TverskyKahneman.weight(0.5, 0.61, 1.0) - 0.42).abs() < 5e-3);
        for form in [
            Weighting::Prelec,
            Weighting::PrelecTwo,
            Weighting::TverskyKahneman,
        ] {
            assert!((form.weight(0.3, 1.0, 1.0) - 0.3).abs() < 1e-15);
        }
    }

    #[test]
    fn indifference_in_holt_and_laurys_menu_is_where_they_say() {
        // Their table 3: the r at which the n-th row (p = n/10) leaves one indifferent between (2.00, 1.60) and (3.85, .10).
        let published = [
            (2, -0.95),
            (3, -0.49),
            (4, -0.15),
            (5, 0.15),
            (6, 0.41),
            (7, 0.68),
            (8, 0.97),
            (9, 1.37),
        ];
        let theory = RiskTheory::default();
        for (row, bound) in published {
            let p = f64::from(row) / 10.0;
            let gap = |r: f64| {
                let u = |x: f64| theory.utility(x, &[r]);
                p * u(3.85) + (1.0 - p) * u(0.1) - p * u(2.0) - (1.0 - p) * u(1.6)
            };
            // The sign changes within the rounding of the published number.
            assert!(
                gap(bound - 0.008) > 0.0 && gap(bound + 0.008) < 0.0,
                "{row}: {} {}",
                gap(bound - 0.008),
                gap(bound + 0.008)
            );
        }
    }
}
