//! A finished design: bounds, probabilities of stopping, expected information.

use super::boundary::{EfficacyBoundary, SpendingFunction};
use super::recursion::Density;
use super::solve::Asked;
use super::walk::{Bounds, Chain, Crossing};
use crate::error::{Error, Result};
use crate::inference::Alternative;
use crate::numeric::special::normal;
use crate::report::{Cell, Figure, LinePlot, Table, shown};
use serde::{Deserialize, Serialize};

/// A look of a design. Statistics are turned to the claim: a claim of an effect below zero stops at `−z`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedLook {
    /// Information fraction.
    pub fraction: f64,
    /// Stop for an effect when z (its absolute value, of a two-sided test) is at least this; infinite where nothing can be spent yet.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub efficacy: f64,
    /// The p-value of the fixed test at the bound, one-sided or two-sided as the claim.
    pub nominal_p: f64,
    /// Stop for futility when z (its absolute value, of a two-sided test) is at most this; equal to `efficacy` at the last look. `None`
    /// without such a bound; that of a two-sided test is zero where nothing can be spent yet.
    pub futility: Option<f64>,
    /// Share of the level spent so far, α at the end.
    pub alpha_spent: f64,
    /// Share of the second error spent so far, `1 − power` at the end.
    pub beta_spent: Option<f64>,
}

/// How a design ends when the effect is so large. Probabilities by look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoppingProbabilities {
    /// The effect, as a multiple of the effect of the design.
    pub effect: f64,
    /// Stop for an effect in the direction of the claim.
    pub efficacy: Vec<f64>,
    /// Stop of a two-sided test for an effect of the other sign; zero otherwise.
    pub opposite: Vec<f64>,
    /// Stop for futility; at the last look, end without an effect.
    pub no_effect: Vec<f64>,
    /// The sum of `efficacy`.
    pub power: f64,
    /// The expected fraction of the information at the end.
    pub expected_fraction: f64,
    /// The same relative to the experiment with one look that has level and power of the design.
    pub expected_information: f64,
}

/// A group-sequential design, made by [`GroupSequential::design`](super::GroupSequential::design).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupSequentialDesign {
    /// Level.
    pub alpha: f64,
    /// Power at the effect of the design.
    pub power: f64,
    /// The claim.
    pub alternative: Alternative,
    /// The bounds of stops for an effect.
    pub efficacy: EfficacyBoundary,
    /// How stops for futility spend the second error.
    pub futility: Option<SpendingFunction>,
    /// Whether stops for futility must be obeyed.
    pub binding: bool,
    /// The looks.
    pub looks: Vec<PlannedLook>,
    /// The mean of z at the last look under the effect of the design: `|δ| √I_max`.
    pub drift: f64,
    /// The information of the last look relative to that of the experiment with one look.
    pub inflation: f64,
    /// How it ends without an effect.
    pub under_null: StoppingProbabilities,
    /// How it ends at half the effect of the design.
    pub midway: StoppingProbabilities,
    /// How it ends at the effect of the design.
    pub under_alternative: StoppingProbabilities,
}

impl GroupSequentialDesign {
    pub(super) fn new(asked: &Asked<'_>, alpha: f64, alternative: Alternative) -> Result<Self> {
        let solved = asked.solve()?;
        let sides = if asked.two_sided { 2.0 } else { 1.0 };
        let last = solved.bounds.len() - 1;
        let looks = (solved.bounds.iter().enumerate())
            .map(|(k, bounds)| PlannedLook {
                fraction: bounds.time,
                efficacy: bounds.efficacy,
                nominal_p: sides * normal::sf(bounds.efficacy),
                futility: bounds.futility,
                alpha_spent: sides * solved.alpha[k],
                beta_spent: asked.futility.map(|_| {
                    if k == last {
                        1.0 - asked.power
                    } else {
                        solved.beta[k]
                    }
                }),
            })
            .collect();
        let drift = solved.drift;
        let inflation = (drift / asked.fixed_drift()).powi(2);
        let chain = Chain::new(Density::start(0.0), &solved.bounds, asked.two_sided, true)?;
        let at = |effect: f64| {
            let crossings = chain.crossings(effect * drift);
            StoppingProbabilities::new(effect, &crossings, &solved.bounds, inflation)
        };
        Ok(Self {
            alpha,
            power: asked.power,
            alternative,
            efficacy: asked.efficacy,
            futility: asked.futility,
            binding: asked.binding,
            looks,
            drift,
            inflation,
            under_null: at(0.0),
            midway: at(0.5),
            under_alternative: at(1.0),
        })
    }

    /// How the design ends when the effect is this multiple of the design's.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an effect that is not finite.
    pub fn stopping(&self, effect: f64) -> Result<StoppingProbabilities> {
        let drift = effect * self.drift;
        if !drift.is_finite() {
            return Err(Error::invalid_option("effect", effect, "finite"));
        }
        let bounds = self.bounds();
        let chain = Chain::new(Density::start(drift), &bounds, self.two_sided(), true)?;
        let crossings = chain.crossings(drift);
        Ok(StoppingProbabilities::new(
            effect,
            &crossings,
            &bounds,
            self.inflation,
        ))
    }

    /// The information `1/se²` of the last look with which the design finds this effect with its power: `(drift/effect)²`.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an effect that is zero, not finite, or not of the claim's sign.
    pub fn information(&self, effect: f64) -> Result<f64> {
        Ok((self.drift / self.turned_effect(effect)?).powi(2))
    }

    /// The estimates at the efficacy bounds, look by look, in an experiment whose last look has the information for this effect.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an effect that is zero, not finite, or not of the claim's sign.
    pub fn efficacy_effects(&self, effect: f64) -> Result<Vec<f64>> {
        self.turned_effect(effect)?;
        Ok(self
            .looks
            .iter()
            .map(|look| self.at_bound(look, look.efficacy, effect))
            .collect())
    }

    /// The estimates at the futility bounds, as [`efficacy_effects`](Self::efficacy_effects), of the looks that have one.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for an effect that is zero, not finite, or not of the claim's sign.
    pub fn futility_effects(&self, effect: f64) -> Result<Vec<f64>> {
        self.turned_effect(effect)?;
        let looks = self.looks.iter();
        Ok(looks
            .filter_map(|look| Some(self.at_bound(look, look.futility?, effect)))
            .collect())
    }

    pub(super) fn at_bound(&self, look: &PlannedLook, z: f64, effect: f64) -> f64 {
        z / look.fraction.sqrt() * effect / self.drift
    }

    /// The size of an effect of the claim's sign.
    fn turned_effect(&self, effect: f64) -> Result<f64> {
        let turned = self.alternative.extremeness(effect);
        if turned > 0.0 && turned.is_finite() {
            return Ok(turned);
        }
        Err(Error::invalid_option(
            "effect",
            effect,
            match self.alternative {
                Alternative::TwoSided => "finite and not zero",
                Alternative::Greater => "above zero, as the claim is",
                Alternative::Less => "below zero, as the claim is",
            },
        ))
    }

    /// What of the level of one side may be spent by an information fraction. A boundary without a spending function spends what it would
    /// have spent at the planned looks, and in between along straight lines.
    pub(super) fn alpha_until(&self, fraction: f64) -> f64 {
        if let EfficacyBoundary::Spending(function) = self.efficacy {
            return function.spent(self.side_alpha(), fraction);
        }
        let share = self.side_alpha() / self.alpha;
        let mut before = (0.0, 0.0);
        for look in &self.looks {
            let now = (look.fraction, share * look.alpha_spent);
            if fraction <= now.0 {
                return before.1 + (now.1 - before.1) * (fraction - before.0) / (now.0 - before.0);
            }
            before = now;
        }
        self.side_alpha()
    }

    /// What of the second error may be spent by an information fraction.
    pub(super) fn beta_until(&self, fraction: f64) -> Option<f64> {
        Some(self.futility?.spent(1.0 - self.power, fraction))
    }

    /// The sign that turns an effect to the claim.
    pub(super) fn sign(&self) -> f64 {
        if self.alternative == Alternative::Less {
            -1.0
        } else {
            1.0
        }
    }

    pub(super) fn two_sided(&self) -> bool {
        self.alternative == Alternative::TwoSided
    }

    /// The level of one side.
    pub(super) fn side_alpha(&self) -> f64 {
        if self.two_sided() {
            0.5 * self.alpha
        } else {
            self.alpha
        }
    }

    pub(super) fn bounds(&self) -> Vec<Bounds> {
        let looks = self.looks.iter();
        looks
            .map(|look| Bounds {
                time: look.fraction,
                efficacy: look.efficacy,
                futility: look.futility,
            })
            .collect()
    }

    /// The looks.
    pub fn table(&self) -> Table {
        let futility = self.futility.is_some();
        let mut head = vec!["Look", "Information", "z", "nominal p", "α spent"];
        if futility {
            head.extend(["z futility", "β spent"]);
        }
        head.extend(["P(stop), no effect", "half", "effect"]);
        let mut table =
            Table::new(format!("Group-sequential design, {}", self.claim())).columns(head);
        for (k, look) in self.looks.iter().enumerate() {
            let mut row = vec![
                Cell::count(k + 1),
                Cell::percent(look.fraction, 1),
                Cell::fixed(look.efficacy, 4),
                Cell::significant(look.nominal_p, 3),
                Cell::significant(look.alpha_spent, 3),
            ];
            if futility {
                row.push(look.futility.map_or(Cell::empty(), |z| Cell::fixed(z, 4)));
                row.push(
                    look.beta_spent
                        .map_or(Cell::empty(), |b| Cell::significant(b, 3)),
                );
            }
            for case in [&self.under_null, &self.midway, &self.under_alternative] {
                row.push(Cell::fixed(case.stop_at(k), 4));
            }
            table = table.row(row);
        }
        let [null, midway, full] = [&self.under_null, &self.midway, &self.under_alternative]
            .map(|case| case.expected_information);
        table = table
            .note(format!("Efficacy: {}", self.efficacy))
            .note(format!(
                "Level {}, power {}; information of the last look: {:.4} of that of one look",
                self.alpha, self.power, self.inflation
            ))
            .note(format!(
                "Expected information, relative to one look: {null:.4} without effect, {midway:.4} at half of it, {full:.4} with it"
            ));
        if let Some(spending) = self.futility {
            let binding = if self.binding {
                "binding"
            } else {
                "not binding"
            };
            table = table.note(format!("Futility, {binding}: {spending}"));
        }
        table
    }

    fn claim(&self) -> &'static str {
        match self.alternative {
            Alternative::TwoSided => "two-sided",
            Alternative::Greater => "claim: the effect is above zero",
            Alternative::Less => "claim: the effect is below zero (z turned)",
        }
    }

    /// The bounds over the information.
    ///
    /// # Errors
    /// Those of [`LinePlot::draw`].
    pub fn figure(&self) -> Result<Figure> {
        boundary_lines(&self.bounds(), self.two_sided())
            .title("Group-sequential bounds")
            .x_title("Information fraction")
            .y_title("z")
            .draw()
    }
}

shown!(GroupSequentialDesign, StoppingProbabilities);

/// Bounds as curves with gaps where they are infinite.
pub(super) fn boundary_lines(bounds: &[Bounds], two_sided: bool) -> LinePlot {
    let times: Vec<f64> = bounds.iter().map(|b| b.time).collect();
    let line = |value: fn(&Bounds) -> f64| -> Vec<f64> { bounds.iter().map(value).collect() };
    let mut plot = LinePlot::new().line("efficacy", &times, line(|b| b.efficacy));
    if two_sided {
        plot = plot.line("efficacy, other side", &times, line(|b| -b.efficacy));
    }
    if bounds.iter().any(|b| b.futility.is_some()) {
        plot = plot.line("futility", &times, line(|b| b.futility.unwrap_or(f64::NAN)));
        if two_sided {
            plot = plot.line(
                "futility, other side",
                &times,
                line(|b| b.futility.map_or(f64::NAN, |z| -z)),
            );
        }
    }
    plot
}

impl StoppingProbabilities {
    fn new(effect: f64, crossings: &[Crossing], bounds: &[Bounds], inflation: f64) -> Self {
        let of =
            |value: fn(&Crossing) -> f64| -> Vec<f64> { crossings.iter().map(value).collect() };
        let (efficacy, opposite, mut no_effect) =
            (of(|c| c.efficacy), of(|c| c.opposite), of(|c| c.futility));
        let ended: f64 = efficacy.iter().chain(&opposite).chain(&no_effect).sum();
        let last = no_effect.len() - 1;
        no_effect[last] += (1.0 - ended).max(0.0);
        let mut result = Self {
            effect,
            power: efficacy.iter().sum(),
            efficacy,
            opposite,
            no_effect,
            expected_fraction: 0.0,
            expected_information: 0.0,
        };
        result.expected_fraction = (bounds.iter().enumerate())
            .map(|(k, b)| b.time * result.stop_at(k))
            .sum();
        result.expected_information = result.expected_fraction * inflation;
        result
    }

    /// The looks.
    pub fn table(&self) -> Table {
        let mut table = Table::new(format!(
            "Ends at {} times the effect of the design",
            self.effect
        ))
        .columns(["Look", "Effect", "Other side", "No effect"]);
        for (k, efficacy) in self.efficacy.iter().enumerate() {
            table = table.row([
                Cell::count(k + 1),
                Cell::fixed(*efficacy, 4),
                Cell::fixed(self.opposite[k], 4),
                Cell::fixed(self.no_effect[k], 4),
            ]);
        }
        table.note(format!(
            "Power {:.4}; expected fraction of the information {:.4}, relative to one look {:.4}",
            self.power, self.expected_fraction, self.expected_information
        ))
    }

    /// The probability that the experiment ends at this look, from zero.
    fn stop_at(&self, look: usize) -> f64 {
        self.efficacy[look] + self.opposite[look] + self.no_effect[look]
    }
}
