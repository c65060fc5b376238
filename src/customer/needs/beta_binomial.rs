//! The beta-binomial model of Griffin and Hauser: needs differ in how likely a customer voices them.

use super::VoicedNeeds;
use super::richness::NeedsTotal;
use crate::error::{Error, Result};
use crate::inference::{Estimate, Inference, coefficient_table};
use crate::numeric::derivative::gradient;
use crate::numeric::jet::{Jet, Scalar};
use crate::numeric::linalg::{Cholesky, quadratic_form};
use crate::numeric::optimize::{Newton, Objective};
use crate::numeric::special::beta::ln_beta;
use crate::report::Table;
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};
use std::fmt;

/// ln α or ln β beyond which the likelihood is flat: needs so rare that their number is open, or all alike.
const FAR: f64 = 12.0;

/// The counts, summed so that the likelihood takes one term an interview.
struct Counts {
    /// Needs voiced in more than i interviews, i = 0, 1, …
    above: Vec<f64>,
    /// Needs not voiced in more than j interviews.
    below: Vec<f64>,
    needs: f64,
    /// Whether unvoiced needs are counted too, so that nothing is truncated.
    complete: bool,
}

impl Counts {
    fn new(needs: &VoicedNeeds, unvoiced: Option<f64>) -> Self {
        let t = needs.interviews;
        let zero = unvoiced.unwrap_or(0.0);
        let all = || {
            let seen = (1_usize..).zip(needs.frequencies.iter().copied());
            std::iter::once((0, zero)).chain(seen)
        };
        let sum =
            |keep: &dyn Fn(usize) -> bool| all().filter(|(k, _)| keep(*k)).map(|(_, q)| q).sum();
        Self {
            above: (0..t).map(|i| sum(&|k| k > i)).collect(),
            below: (0..t).map(|j| sum(&|k| t - k > j)).collect(),
            needs: needs.observed() + zero,
            complete: unvoiced.is_some(),
        }
    }

    /// Minus the log-likelihood at (ln α, ln β) with its derivatives.
    fn loss(&self, x: &[f64]) -> Jet<2> {
        let [a, b] = Jet::variables([x[0], x[1]]).map(Jet::exp);
        let mut total = Jet::constant(0.0);
        let mut silent = Jet::constant(0.0);
        for (i, (above, below)) in self.above.iter().zip(&self.below).enumerate() {
            let i = i as f64;
            let (of_b, of_both) = (ln(b + i), ln(a + b + i));
            total = total + ln(a + i) * *above + of_b * *below - of_both * self.needs;
            silent = silent + of_b - of_both;
        }
        if !self.complete {
            // ln(1 − P_0)
            let p = silent.value.exp();
            let odds = p / (1.0 - p);
            let truncated = silent.chain([(-silent.value.exp_m1()).ln(), -odds, -odds / (1.0 - p)]);
            total = total - truncated * self.needs;
        }
        -total
    }
}

fn ln(x: Jet<2>) -> Jet<2> {
    let v = x.value;
    x.chain([v.ln(), 1.0 / v, -1.0 / (v * v)])
}

impl Objective for Counts {
    fn value(&self, x: &[f64]) -> f64 {
        self.loss(x).value
    }

    fn gradient(&self, x: &[f64], gradient: &mut [f64]) {
        gradient.copy_from_slice(&self.loss(x).gradient);
    }

    fn hessian(&self, x: &[f64]) -> DMatrix<f64> {
        let h = self.loss(x).hessian;
        DMatrix::from_fn(2, 2, |i, j| h[i][j])
    }
}

impl VoicedNeeds {
    /// The beta-binomial model by maximum likelihood: a customer voices need j with probability p_j, `p ~ Beta(α, β)` over needs, so that a need is voiced in k of T
    /// interviews with probability `C(T,k) B(α + k, β + T − k)/B(α, β)`. Needs that nobody voiced are not seen: the likelihood is that
    /// of the counts given k ≥ 1, and the number of needs is `S/(1 − P_0(T))`, `P_0(n) = B(α, β + n)/B(α, β)`.
    ///
    /// # Errors
    /// [`Error::Unidentified`] when the likelihood rises without end: towards infinitely many rare needs (α → 0), or towards needs that are all alike
    /// (α and β → ∞); [`Error::NotConverged`].
    ///
    /// # References
    /// Griffin, A. & Hauser, J. R. (1993). The voice of the customer. *Marketing Science* 12(1), 1–27. doi:10.1287/mksc.12.1.1
    ///
    /// Sanathanan, L. (1972). Estimating the size of a multinomial population. *Annals of Mathematical Statistics* 43(1), 142–152.
    /// doi:10.1214/aoms/1177692709
    pub fn beta_binomial(&self) -> Result<BetaBinomialNeeds> {
        self.fit_beta_binomial(None)
    }

    /// The same model where the needs are known from elsewhere (a larger study, as in Griffin and Hauser): `total` of them, those that these interviews did not voice included.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for fewer needs than were voiced; those of [`VoicedNeeds::beta_binomial`].
    pub fn beta_binomial_of(&self, total: usize) -> Result<BetaBinomialNeeds> {
        let unvoiced = total as f64 - self.observed();
        if unvoiced < 0.0 {
            return Err(Error::invalid_option(
                "total",
                total,
                format!("at least {}, as many as were voiced", self.observed()),
            ));
        }
        self.fit_beta_binomial(Some(unvoiced))
    }

    fn fit_beta_binomial(&self, unvoiced: Option<f64>) -> Result<BetaBinomialNeeds> {
        let counts = Counts::new(self, unvoiced);
        let t = self.interviews as f64;
        let voiced: f64 = counts.above.iter().sum();
        let mean = voiced / (t * counts.needs);
        let start = [0.0, ((1.0 - mean) / mean).ln()];
        let found = Newton::new().minimize(&counts, &start)?;
        let [ln_alpha, ln_beta] = [found.point[0], found.point[1]];
        let open = |needs: &str| {
            Err(Error::Unidentified {
                what: "the beta distribution of how likely needs are voiced".to_owned(),
                needs: needs.to_owned(),
            })
        };
        if ln_alpha < -FAR {
            return open(
                "counts that limit the number of needs: these are as well explained by ever more needs that are ever rarer; use Chao2, a lower bound",
            );
        }
        if ln_alpha > FAR || ln_beta > FAR {
            return open(
                "needs that differ in how likely they are voiced: the counts vary no more than those of needs that are all alike",
            );
        }
        let found = found.or_error("the beta-binomial likelihood of voiced needs")?;
        let information = counts.hessian(&found.point);
        let covariance =
            Cholesky::full_rank(&information, "the information of the beta-binomial model")?
                .inverse();
        Ok(BetaBinomialNeeds {
            names: vec!["ln_alpha".to_owned(), "ln_beta".to_owned()],
            estimates: DVector::from_vec(found.point),
            covariance,
            log_likelihood: -found.value,
            observed: self.observed(),
            interviews: self.interviews,
            total: unvoiced.map(|u| u + self.observed()),
        })
    }
}

/// A fitted beta-binomial model of voiced needs. It answers the verbs of [`Inference`] for ln α and ln β.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BetaBinomialNeeds {
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    log_likelihood: f64,
    observed: f64,
    interviews: usize,
    total: Option<f64>,
}

impl BetaBinomialNeeds {
    /// α.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn alpha(&self) -> Result<Estimate> {
        self.nonlinear("alpha", &["ln_alpha"], |p| p[0].exp())
    }

    /// β.
    ///
    /// # Errors
    /// Those of [`Inference::nonlinear`].
    pub fn beta(&self) -> Result<Estimate> {
        self.nonlinear("beta", &["ln_beta"], |p| p[0].exp())
    }

    /// The log-likelihood, without binomial coefficients.
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// The share of needs that n interviews voice, `1 − B(α, β + n)/B(α, β)`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for no interview; those of [`Inference::nonlinear`].
    pub fn share_after(&self, interviews: usize) -> Result<Estimate> {
        if interviews == 0 {
            return Err(Error::invalid_option("interviews", 0, "at least 1"));
        }
        let name = format!("share of needs after {interviews} interviews");
        self.nonlinear(&name, &["ln_alpha", "ln_beta"], |p| {
            -ln_silent(p, interviews as f64).exp_m1()
        })
    }

    /// How many interviews voice a share of the needs in expectation.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a share outside (0, 1); those of [`Inference::nonlinear`].
    pub fn interviews_for(&self, share: f64) -> Result<Estimate> {
        if !(share > 0.0 && share < 1.0) {
            return Err(Error::invalid_option(
                "share",
                share,
                "between 0 and 1, e.g. 0.9",
            ));
        }
        let target = (-share).ln_1p();
        let name = format!("interviews for {} % of needs", 100.0 * share);
        self.nonlinear(&name, &["ln_alpha", "ln_beta"], |p| reach(p, target))
    }

    /// The number of needs, `S/(1 − P_0(T))`, with a log-normal interval. Its variance has a part of the parameters and one of the sampling of which needs are voiced,
    /// `S P_0/(1 − P_0)²`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a level outside (0, 1), or when the number of needs was given.
    pub fn total(&self, level: f64) -> Result<NeedsTotal> {
        if let Some(total) = self.total {
            return Err(Error::invalid_option(
                "total",
                total,
                "not given (VoicedNeeds::beta_binomial) where it is to be estimated",
            ));
        }
        let t = self.interviews as f64;
        let count = |p: &[f64]| self.observed / -ln_silent(p, t).exp_m1();
        let at = [self.estimates[0], self.estimates[1]];
        let slope = DVector::from_vec(gradient(count, &at)?);
        let seen = -ln_silent(&at, t).exp_m1();
        let sampling = self.observed * (1.0 - seen) / (seen * seen);
        let estimate = Estimate {
            name: "needs (beta-binomial)".to_owned(),
            estimate: count(&at),
            std_error: (quadratic_form(&self.covariance, &slope) + sampling)
                .max(0.0)
                .sqrt(),
            degrees_of_freedom: f64::INFINITY,
        };
        NeedsTotal::new(self.observed, estimate, level)
    }

    fn full_table(&self) -> Table {
        const LEVEL: f64 = 0.95;
        const SHARE: f64 = 0.9;
        let mut table = coefficient_table(self)
            .with_title("Beta-binomial model of voiced needs")
            .note(format!(
                "{} needs voiced in {} interviews, log-likelihood {:.4}",
                self.observed, self.interviews, self.log_likelihood
            ));
        let notes = [
            self.alpha().map(|e| e.to_string()),
            self.beta().map(|e| e.to_string()),
            self.total(LEVEL).map(|t| t.to_string()),
            self.share_after(self.interviews).map(|e| e.to_string()),
            self.interviews_for(SHARE).map(|e| e.to_string()),
        ];
        for note in notes.into_iter().flatten() {
            table = table.note(note);
        }
        table
    }

    /// The fit as an HTML table.
    pub fn to_html(&self) -> String {
        self.full_table().to_html()
    }
}

/// ln P_0(n): that a need is not voiced in n interviews.
fn ln_silent(p: &[f64], n: f64) -> f64 {
    let (a, b) = (p[0].exp(), p[1].exp());
    ln_beta(a, b + n) - ln_beta(a, b)
}

/// The n at which ln P_0(n) is `target`, by bisection in ln n; NaN where there is none below e^100.
fn reach(p: &[f64], target: f64) -> f64 {
    const HALVINGS: usize = 80;
    let (mut low, mut high) = (-100.0_f64, 100.0_f64);
    if ln_silent(p, high.exp()) > target {
        return f64::NAN;
    }
    for _ in 0..HALVINGS {
        let middle = 0.5 * (low + high);
        if ln_silent(p, middle.exp()) > target {
            low = middle;
        } else {
            high = middle;
        }
    }
    (0.5 * (low + high)).exp()
}

impl Inference for BetaBinomialNeeds {
    crate::inference::fields::inference_of_fields!();

    fn table(&self) -> Table {
        self.full_table()
    }
}

impl fmt::Display for BetaBinomialNeeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.full_table().fmt(f)
    }
}

crate::report::notebook!(BetaBinomialNeeds);
