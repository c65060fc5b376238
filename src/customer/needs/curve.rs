//! The needs-discovery curve: how many needs n interviews voice, before and beyond those that were held.

use super::VoicedNeeds;
use super::richness::unseen_of;
use crate::error::{Error, Result};
use crate::inference::{Estimate, Interval};
use crate::numeric::optimize::brent_root;
use crate::numeric::special::gamma::ln_gamma;
use crate::report::{Cell, Figure, LinePlot, Table};
use serde::{Deserialize, Serialize};

/// Accuracy of a number of interviews.
const TOLERANCE: f64 = 1e-9;

/// Expected needs after some interviews.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeedsPoint {
    /// How many interviews.
    pub interviews: usize,
    /// Needs that they voice in expectation, with standard error.
    pub needs: Estimate,
    /// Its interval.
    pub interval: Interval,
    /// Whether it lies beyond the interviews that were held.
    pub extrapolated: bool,
}

/// The needs-discovery curve with its band.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurveOfNeeds {
    points: Vec<NeedsPoint>,
    held: usize,
    level: f64,
}

impl CurveOfNeeds {
    /// The points of the curve.
    pub fn points(&self) -> &[NeedsPoint] {
        &self.points
    }

    /// The points as a table.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 5;
        let percent = format!("{} % from", 100.0 * self.level);
        let mut table = Table::new("Needs-discovery curve")
            .columns(["Interviews", "Needs", "Std. error", &percent, "to"])
            .note(format!(
                "Beyond {} interviews the curve is extrapolated to Chao's number of needs, a lower bound",
                self.held
            ));
        for p in &self.points {
            table = table.row([
                Cell::count(p.interviews),
                Cell::significant(p.needs.estimate, DIGITS),
                Cell::significant(p.needs.std_error, DIGITS),
                Cell::significant(p.interval.lower, DIGITS),
                Cell::significant(p.interval.upper, DIGITS),
            ]);
        }
        table
    }

    /// The curve with its band, and a line where the interviews end.
    ///
    /// # Errors
    /// Those of [`LinePlot::draw`].
    pub fn figure(&self) -> Result<Figure> {
        let of = |f: fn(&NeedsPoint) -> f64| self.points.iter().map(f).collect::<Vec<f64>>();
        LinePlot::new()
            .title("Needs-discovery curve")
            .x_title("Interviews")
            .y_title("Needs voiced")
            .line(
                "expected needs",
                of(|p| p.interviews as f64),
                of(|p| p.needs.estimate),
            )
            .band(of(|p| p.interval.lower), of(|p| p.interval.upper))
            .reference_x(self.held as f64)
            .draw()
    }
}

crate::report::notebook::shown!(CurveOfNeeds);

/// `C(T − k, t)/C(T, t)` for any real t in [0, T]: the chance that a need voiced in k of T interviews is in none of t of them.
fn missed(interviews: f64, k: f64, t: f64) -> f64 {
    if t > interviews - k {
        return 0.0;
    }
    (ln_gamma(interviews - k + 1.0) + ln_gamma(interviews - t + 1.0)
        - ln_gamma(interviews - k - t + 1.0)
        - ln_gamma(interviews + 1.0))
    .exp()
}

/// Expected needs after t interviews given Q: rarefied up to T, extrapolated beyond it.
fn expected(interviews: usize, q: &[f64], t: f64) -> f64 {
    let held = interviews as f64;
    let observed: f64 = q.iter().sum();
    if t <= held {
        let lost = (1_usize..).zip(q).filter(|(_, q)| q.abs() > 0.0);
        return observed
            - lost
                .map(|(k, q)| q * missed(held, k as f64, t))
                .sum::<f64>();
    }
    let unseen = unseen_of(interviews, q);
    if unseen <= 0.0 {
        return observed;
    }
    observed + unseen * (1.0 - ((t - held) * rate(held, unseen, q[0])).exp())
}

/// The log of the share of unseen needs that one more interview leaves unseen.
fn rate(held: f64, unseen: f64, once: f64) -> f64 {
    (-once / (held * unseen + once)).ln_1p()
}

impl VoicedNeeds {
    /// Expected needs after t interviews: for t ≤ T, `S − Σ_k Q_k C(T − k, t)/C(T, t)`, what t interviews drawn from the T would voice; beyond,
    /// `S + Q̂_0 [1 − (1 − Q_1/(T Q̂_0 + Q_1))^(t − T)]` with Chao's number Q̂_0 of needs unseen. The standard error is unconditional: that of another
    /// study, not of a subsample of this one. Extrapolation is reliable to about twice T.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for no interview.
    ///
    /// # References
    /// Colwell, R. K., Chao, A., Gotelli, N. J., et al. (2012). Models and estimators linking individual-based and sample-based rarefaction, extrapolation
    /// and comparison of assemblages. *Journal of Plant Ecology* 5(1), 3–21. doi:10.1093/jpe/rtr044
    pub fn expected(&self, interviews: usize) -> Result<Estimate> {
        if interviews == 0 {
            return Err(Error::invalid_option("interviews", 0, "at least 1"));
        }
        let name = format!("needs after {interviews} interviews");
        self.delta(&name, |q| {
            Ok(expected(self.interviews, q, interviews as f64))
        })
    }

    /// The curve at some numbers of interviews, with symmetric intervals.
    ///
    /// # Errors
    /// Those of [`VoicedNeeds::expected`]; [`Error::InvalidOption`] for a level outside (0, 1) or no point.
    pub fn curve(
        &self,
        interviews: impl IntoIterator<Item = usize>,
        level: f64,
    ) -> Result<CurveOfNeeds> {
        let points = interviews
            .into_iter()
            .map(|t| {
                let needs = self.expected(t)?;
                Ok(NeedsPoint {
                    interviews: t,
                    interval: needs.confidence_interval(level)?,
                    needs,
                    extrapolated: t > self.interviews,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        if points.is_empty() {
            return Err(Error::invalid_option(
                "interviews",
                "an empty list",
                "at least one number of interviews",
            ));
        }
        Ok(CurveOfNeeds {
            points,
            held: self.interviews,
            level,
        })
    }

    /// How many interviews in all voice a share of the needs there are (by Chao's number), in expectation: T and so many more, or fewer when the share has
    /// been reached. A share above what twice as many interviews would voice is far beyond the data.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a share outside (0, 1), or one so small that less than one interview voices it; [`Error::Unidentified`] when nothing hints at unseen needs.
    pub fn interviews_for(&self, share: f64) -> Result<Estimate> {
        if !(share > 0.0 && share < 1.0) {
            return Err(Error::invalid_option(
                "share",
                share,
                "between 0 and 1, e.g. 0.9",
            ));
        }
        if self.unseen() <= 0.0 {
            return Err(Error::Unidentified {
                what: "the number of needs".to_owned(),
                needs: "needs that were voiced in just one interview: nothing hints at unseen ones"
                    .to_owned(),
            });
        }
        let name = format!("interviews for {} % of needs", 100.0 * share);
        self.delta(&name, |q| self.reached(q, share))
    }

    /// Where the curve given Q reaches a share of all needs.
    fn reached(&self, q: &[f64], share: f64) -> Result<f64> {
        let held = self.interviews as f64;
        let observed: f64 = q.iter().sum();
        let unseen = unseen_of(self.interviews, q);
        let target = share * (observed + unseen);
        if target > observed {
            return Ok(held + (1.0 - (target - observed) / unseen).ln() / rate(held, unseen, q[0]));
        }
        let gap = |t: f64| expected(self.interviews, q, t) - target;
        if gap(1.0) > 0.0 {
            return Err(Error::invalid_option(
                "share",
                share,
                "a share that takes at least one interview",
            ));
        }
        Ok(brent_root(gap, 1.0, held, TOLERANCE)?.point)
    }
}
