//! What may be concluded after a stop.

use super::monitor::{GroupSequentialMonitor, SequentialDecision};
use super::recursion::{Density, Region};
use super::walk::{Bounds, Chain};
use crate::error::{Error, Result};
use crate::inference::{Interval, check_level};
use crate::numeric::optimize::brent_root;
use crate::numeric::special::normal;
use crate::report::{Cell, Table, shown};
use serde::{Deserialize, Serialize};

/// The result of a group-sequential experiment, made by [`GroupSequentialMonitor::analysis`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequentialAnalysis {
    /// How it ended.
    pub decision: SequentialDecision,
    /// The look at which it ended, from 1.
    pub look: usize,
    /// The estimate as it stands, biased away from zero by stops for an effect.
    pub estimate: f64,
    /// Its standard error.
    pub std_error: f64,
    /// The stage-wise p-value, one-sided or two-sided as the claim.
    pub p_value: f64,
    /// The effect at which a larger outcome is as probable as a smaller one.
    pub median_unbiased: f64,
    /// The stage-wise interval.
    pub interval: Interval,
    /// The effect at which the expectation of the estimate is what was found (Whitehead's); `None` with data that arrived after the stop.
    pub bias_adjusted: Option<f64>,
}

/// Where an experiment went on at a look.
struct Stage {
    time: f64,
    lower: f64,
    upper: f64,
}

/// An outcome among those that part from it at a look.
struct Outcome {
    /// The looks before it.
    before: Vec<Stage>,
    time: f64,
    /// The statistic, turned to the claim.
    z: f64,
}

impl Outcome {
    /// The probability of an outcome at least as large.
    fn larger(&self, drift: f64) -> Result<f64> {
        let mut density = Density::start(drift);
        let (mut up, mut down) = (0.0, 0.0);
        let times = self.before.iter().map(|stage| stage.time).skip(1);
        for (stage, next) in self.before.iter().zip(times.chain([self.time])) {
            let Stage { time, lower, upper } = *stage;
            up += density.above(time, upper);
            down += density.below(time, lower);
            let region = Region {
                lower,
                upper,
                wedge: 0.0,
            };
            density = density.advance(time, region, next - time)?;
        }
        up += density.above(self.time, self.z);
        down += density.below(self.time, self.z);
        // The two are all; the smaller one has more digits.
        Ok(if up <= down { up } else { 1.0 - down })
    }
}

impl GroupSequentialMonitor {
    /// P-value, estimates and interval after a stop, by the stage-wise ordering: of outcomes that part at a look, those that stop for an effect are
    /// larger than those that go on, and these larger than those that stop on the other side (for futility, or for an effect of the other sign);
    /// of one look the larger z is larger. With `q(θ)` the probability of an outcome at least as large as the one found, the median-unbiased
    /// estimate solves `q(θ) = ½`, the interval has the ends `q(θ) = (1 − level)/2` and `(1 + level)/2`, and the p-value is `q(0)`; the two-sided one
    /// is the probability, without an effect, of an outcome at least as large in absolute value. None of them depends on looks that were not taken.
    ///
    /// Of a two-sided test with futility, experiments that go on above the wedge are larger than those that stop within, and those that go on
    /// below it smaller.
    ///
    /// Futility bounds count where they were followed, but not in the p-value of a design in which they do not bind (unless a one-sided test stopped
    /// there): it is at most α when the test rejects and above α when the last look does not, whether or not they were followed, and
    /// the interval may disagree with it by a little.
    ///
    /// The bias-adjusted estimate needs the looks that were to come after a stop; the planned ones are taken. After a last look none were.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] before the experiment stopped, and for a level outside (0, 1).
    ///
    /// # References
    /// Armitage (1957), doi:10.1093/biomet/44.1-2.9; Tsiatis, Rosner & Mehta (1984), doi:10.2307/2530924 (ordering, interval);
    /// Whitehead (1986), doi:10.1093/biomet/73.3.573 (bias); Jennison & Turnbull (2000), chapter 8.
    pub fn analysis(&self, level: f64) -> Result<SequentialAnalysis> {
        check_level(level)?;
        let (Some(last), true) = (self.looks.last(), self.stopped()) else {
            return Err(Error::invalid_option(
                "analysis",
                "asked before the experiment stopped",
                "asked after it; until then there are repeated confidence intervals, and `.last_look(…)` ends it",
            ));
        };
        let design = &self.design;
        let (estimate, time) = self.overrun.unwrap_or((last.estimate, last.fraction));
        let std_error = 1.0 / (time * self.maximum_information).sqrt();
        let z = design.sign() * estimate / std_error;
        let mut before = self.bounds();
        before.pop();
        let outcome = Outcome {
            before: (before.iter().zip(&self.looks))
                .map(|(bounds, look)| self.stage(*bounds, look.statistic))
                .collect(),
            time,
            z,
        };
        let root = |target: f64| {
            let probit = |p: f64| normal::quantile(p.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON));
            rising(z / time.sqrt(), time, probit(target), |drift| {
                outcome.larger(drift).map(probit)
            })
        };
        let scale = design.sign() / self.maximum_information.sqrt();
        let ends = [
            scale * root(0.5 * (1.0 - level))?,
            scale * root(0.5 * (1.0 + level))?,
        ];
        let bias_adjusted = if self.overrun.is_some() {
            None
        } else {
            Some(scale * self.bias_adjusted(z / time.sqrt(), time)?)
        };
        Ok(SequentialAnalysis {
            decision: last.decision,
            look: self.looks.len(),
            estimate,
            std_error,
            p_value: self.p_value(before, time, z)?,
            median_unbiased: scale * root(0.5)?,
            interval: Interval {
                name: "effect".into(),
                level,
                lower: ends[0].min(ends[1]),
                upper: ends[0].max(ends[1]),
            },
            bias_adjusted,
        })
    }

    /// Where an experiment with this statistic went on.
    fn stage(&self, bounds: Bounds, statistic: f64) -> Stage {
        let region = bounds.region(self.design.two_sided(), true);
        let (lower, upper) = match (region.wedge > 0.0, statistic > 0.0) {
            (false, _) => (region.lower, region.upper),
            (true, true) => (region.wedge, region.upper),
            (true, false) => (region.lower, -region.wedge),
        };
        Stage {
            time: bounds.time,
            lower,
            upper,
        }
    }

    /// The stage-wise p-value.
    fn p_value(&self, mut bounds: Vec<Bounds>, time: f64, z: f64) -> Result<f64> {
        let design = &self.design;
        let futile =
            (self.looks.last()).is_some_and(|l| l.decision == SequentialDecision::Futility);
        let mind = design.binding || futile && !design.two_sided();
        let end = Bounds {
            time,
            efficacy: if design.two_sided() { z.abs() } else { z },
            futility: None,
        };
        bounds.push(end);
        let chain = Chain::new(Density::start(0.0), &bounds, design.two_sided(), mind)?;
        let above = chain.power(0.0);
        Ok(if design.two_sided() {
            2.0 * above
        } else {
            above
        }
        .min(1.0))
    }

    /// The drift at which the expected estimate is `found`.
    fn bias_adjusted(&self, found: f64, time: f64) -> Result<f64> {
        let mut bounds = self.bounds();
        if !self.ended {
            bounds.extend(self.future()?);
        }
        let two_sided = self.design.two_sided();
        rising(found, time, found, |drift| {
            let chain = Chain::new(Density::start(drift), &bounds, two_sided, true)?;
            Ok(chain.crossings(drift).iter().map(|c| c.estimate).sum())
        })
    }
}

/// The drift at which a rising function has a value, from a first guess with this information fraction.
fn rising(guess: f64, time: f64, value: f64, mut f: impl FnMut(f64) -> Result<f64>) -> Result<f64> {
    /// Of a drift, which is in units of z.
    const TOLERANCE: f64 = 1e-9;
    /// Doublings of a bracket.
    const MOST: usize = 60;
    let not_found = |steps: usize| Error::NotConverged {
        what: "the search for the effect".into(),
        iterations: steps,
        criterion: f64::INFINITY,
        tolerance: TOLERANCE,
        remedy: "check the estimate and its standard error".into(),
    };
    let mut step = 1.0 / time.sqrt();
    let (mut low, mut high) = (guess, guess);
    let direction = if f(guess)? < value { 1.0 } else { -1.0 };
    for steps in 0.. {
        if steps > MOST {
            return Err(not_found(steps));
        }
        let next = if direction > 0.0 {
            high + step
        } else {
            low - step
        };
        let beyond = (f(next)? - value) * direction >= 0.0;
        if direction > 0.0 {
            (low, high) = (high, next);
        } else {
            (low, high) = (next, low);
        }
        if beyond {
            break;
        }
        step *= 2.0;
    }
    let mut failed = None;
    let excess = |drift: f64| match f(drift) {
        Ok(found) => found - value,
        Err(error) => {
            failed = Some(error);
            f64::NAN
        }
    };
    let root = brent_root(excess, low, high, TOLERANCE);
    failed.map_or(Ok(()), Err)?;
    Ok(root?.point)
}

impl SequentialAnalysis {
    /// One line a number.
    pub fn table(&self) -> Table {
        let mut table = Table::new("Result of a group-sequential experiment")
            .columns(["", "Value"])
            .row([Cell::text("Ended at look"), Cell::count(self.look)])
            .row([
                Cell::text("Decision"),
                Cell::text(self.decision.to_string()),
            ])
            .row([
                Cell::text("Stage-wise p-value"),
                Cell::p_value(self.p_value),
            ])
            .row([
                Cell::text("Median-unbiased estimate"),
                Cell::significant(self.median_unbiased, 5),
            ])
            .row([
                Cell::text(format!("Lower end, {} %", self.interval.level * 100.0)),
                Cell::significant(self.interval.lower, 5),
            ])
            .row([
                Cell::text(format!("Upper end, {} %", self.interval.level * 100.0)),
                Cell::significant(self.interval.upper, 5),
            ]);
        if let Some(adjusted) = self.bias_adjusted {
            table = table.row([
                Cell::text("Bias-adjusted estimate"),
                Cell::significant(adjusted, 5),
            ]);
        }
        table
            .row([
                Cell::text("Estimate, not adjusted"),
                Cell::significant(self.estimate, 5),
            ])
            .row([
                Cell::text("Standard error, not adjusted"),
                Cell::significant(self.std_error, 5),
            ])
    }
}

shown!(SequentialAnalysis);
