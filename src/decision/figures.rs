//! Figures of the theory: how beliefs are updated, and who participates, by ability and by uncertainty, for both timings.

use super::belief::{Belief, Signals};
use super::shock::TasteShock;
use super::timing::{AfterPurchase, BeforePurchase, Timing};
use super::value::Situation;
use crate::error::{Error, Result};
use crate::numeric::special::normal;
use crate::report::{Figure, LinePlot};

/// Points of a curve: enough for the eye at the width of a page.
const POINTS: u32 = 200;

fn grid(low: f64, high: f64) -> Vec<f64> {
    (0..=POINTS)
        .map(|k| low + (high - low) * f64::from(k) / f64::from(POINTS))
        .collect()
}

/// Prior, likelihood of the signals' average, and posterior as densities over ability. A belief without variance is a
/// vertical line.
///
/// ```
/// use cocreate::participation::{Belief, Signals, updating_figure};
/// let figure = updating_figure(Belief::new(0.0, 1.0)?, Signals::new(3, 1.0)?, 1.2)?;
/// assert!(figure.to_svg().contains("posterior"));
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] without signals or for an average that is not finite.
pub fn updating_figure(prior: Belief, signals: Signals, average: f64) -> Result<Figure> {
    /// Standard deviations shown on either side.
    const REACH: f64 = 3.5;
    let (n, variance) = (f64::from(signals.count()), signals.variance());
    if signals.count() == 0 {
        return Err(Error::invalid_option(
            "signals",
            "none",
            "at least one signal to learn from",
        ));
    }
    if !average.is_finite() {
        return Err(Error::invalid_option("average", average, "a finite number"));
    }
    let posterior = prior.update(signals, average);
    let laws = [
        ("prior", prior.mean(), prior.standard_deviation()),
        ("signals", average, (variance / n).sqrt()),
        (
            "posterior",
            posterior.mean(),
            posterior.standard_deviation(),
        ),
    ];
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for (_, mean, sd) in laws {
        low = low.min(mean - REACH * sd);
        high = high.max(mean + REACH * sd);
    }
    let x = grid(low, high);
    let mut plot = LinePlot::new()
        .title("Belief about ability")
        .x_title("ability")
        .y_title("density");
    for (name, mean, sd) in laws {
        if sd > 0.0 {
            let y: Vec<f64> = x
                .iter()
                .map(|x| normal::pdf((x - mean) / sd) / sd)
                .collect();
            plot = plot.line(name, &x, &y);
        } else {
            plot = plot.reference_x(mean);
        }
    }
    plot.draw()
}

/// The path of the belief's mean as signals arrive one by one, with the central 95 % of the belief; the true ability, where known,
/// as a reference line.
///
/// # Errors
/// [`Error::InvalidOption`] for contents that are not finite.
pub fn path_figure(
    prior: Belief,
    signals: Signals,
    contents: &[f64],
    ability: Option<f64>,
) -> Result<Figure> {
    /// Φ⁻¹(0.975).
    const CENTRAL: f64 = 1.959_963_984_540_054;
    if let Some(bad) = contents.iter().find(|s| !s.is_finite()) {
        return Err(Error::invalid_option("signal", bad, "a finite number"));
    }
    let path = prior.path(signals, contents);
    let time: Vec<f64> = (0..path.len()).map(|t| t as f64).collect();
    let at = |k: f64| -> Vec<f64> {
        path.iter()
            .map(|b| b.mean() + k * b.standard_deviation())
            .collect()
    };
    let mut plot = LinePlot::new()
        .title("Learning about ability")
        .x_title("signals seen")
        .y_title("ability")
        .line("belief, 95 %", &time, at(0.0))
        .band(at(-CENTRAL), at(CENTRAL));
    if let Some(ability) = ability {
        plot = plot.reference_y(ability).note("line: true ability");
    }
    plot.draw()
}

/// Participation against ability and against uncertainty, for both timings, in one situation.
///
/// Customers hold the prior belief, see `signals` about their true ability *before* they decide, and decide with the posterior; the
/// probability of participating given ability is taken under the objective law of the posterior.
///
/// ```
/// use cocreate::participation::*;
/// let terms = Terms { price: 1.0, taste: 2.0, value_abandon: 0.2, ..Terms::default() };
/// let situation = Situation::new(Preferences::continuous_cara(0.3)?, Cost::material(0.35), Task::default(), terms)?;
/// let plot = ParticipationPlot::new(&situation, Belief::new(0.5, 0.8)?, Signals::new(1, 1.0)?).shock(TasteShock::Probit(0.5));
/// let figure = plot.against_ability()?;
/// assert!(figure.to_svg().contains("after purchase"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ParticipationPlot<'a> {
    situation: &'a Situation,
    prior: Belief,
    signals: Signals,
    shock: TasteShock,
    effort: f64,
    interim: Signals,
}

impl<'a> ParticipationPlot<'a> {
    /// The plot for this situation, prior and signals before the decision; effort zero, no taste shock, no interim signals.
    pub const fn new(situation: &'a Situation, prior: Belief, signals: Signals) -> Self {
        Self {
            situation,
            prior,
            signals,
            shock: TasteShock::None,
            effort: 0.0,
            interim: Signals::NONE,
        }
    }

    /// The taste shock (default none).
    pub const fn shock(mut self, shock: TasteShock) -> Self {
        self.shock = shock;
        self
    }

    /// The effort (default zero).
    pub const fn effort(mut self, effort: f64) -> Self {
        self.effort = effort;
        self
    }

    /// Signals between payment and work, for the timing after the purchase (default none).
    pub const fn interim(mut self, signals: Signals) -> Self {
        self.interim = signals;
        self
    }

    /// Participation against the true ability, which moves beliefs only through the signals; prior mean and variance stay.
    ///
    /// # Errors
    /// Those of [`LinePlot::draw`].
    pub fn against_ability(&self) -> Result<Figure> {
        /// Abilities shown on either side of the prior mean.
        const REACH: f64 = 3.0;
        let x = grid(self.prior.mean() - REACH, self.prior.mean() + REACH);
        self.draw("ability", "Participation against ability", &x, |ability| {
            Ok((self.prior, ability))
        })
    }

    /// Participation of a customer of ability `ability` against the variance of the prior belief, up to `most`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when `most` is not a variance; those of [`LinePlot::draw`].
    pub fn against_uncertainty(&self, ability: f64, most: f64) -> Result<Figure> {
        let x = grid(0.0, Belief::new(ability, most)?.variance());
        self.draw(
            "variance of the belief",
            "Participation against uncertainty",
            &x,
            |variance| Ok((Belief::new(self.prior.mean(), variance)?, ability)),
        )
    }

    fn draw(
        &self,
        x_title: &str,
        title: &str,
        x: &[f64],
        at: impl Fn(f64) -> Result<(Belief, f64)>,
    ) -> Result<Figure> {
        let after = AfterPurchase::with_signals(self.interim);
        let (mut before_curve, mut after_curve) = (Vec::new(), Vec::new());
        for x in x {
            let (prior, ability) = at(*x)?;
            let law = prior.objective(ability, self.signals);
            before_curve.push(BeforePurchase.participation_given_ability(
                self.situation,
                law,
                self.effort,
                self.shock,
            ));
            after_curve.push(after.participation_given_ability(
                self.situation,
                law,
                self.effort,
                self.shock,
            ));
        }
        LinePlot::new()
            .title(title)
            .x_title(x_title)
            .y_title("probability of participating")
            .line("before purchase", x, &before_curve)
            .line("after purchase", x, &after_curve)
            .draw()
    }
}
