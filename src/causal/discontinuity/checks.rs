//! What should stay as it is: other cutoffs, other outcomes, other bandwidths.

use super::bandwidth::DiscontinuityBandwidths;
use super::regression_discontinuity::RegressionDiscontinuity;
use super::regression_discontinuity_fit::RegressionDiscontinuityFit;
use crate::causal::sensitivity::negative_controls::forest;
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::{Adjustment, Estimate, Inference, adjust_p_values};
use crate::report::{Cell, Figure, LinePlot, Table};
use serde::{Deserialize, Serialize};

/// One design beside the main one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscontinuityCheck {
    /// What is different: an outcome, a cutoff, a bandwidth, a radius.
    pub name: String,
    /// The number, when it is one.
    pub value: Option<f64>,
    /// The bias-corrected estimate with the robust error.
    pub robust: Estimate,
    /// The conventional estimate.
    pub conventional: Estimate,
    /// Its bandwidths.
    pub bandwidths: DiscontinuityBandwidths,
    /// Rows within the bandwidths on the left and on the right.
    pub effective_rows: [usize; 2],
    /// Holm's adjusted p-value over all rows, for designs in which nothing should be found.
    pub adjusted_p_value: Option<f64>,
}

/// Designs beside the main one: placebos, in which nothing should be found, or variations, in which the same should be found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DiscontinuityChecks {
    /// One row a design.
    pub rows: Vec<DiscontinuityCheck>,
    title: String,
    axis: String,
    /// The effect of the main design, of variations.
    main: Option<f64>,
    warnings: Vec<Warning>,
}

impl RegressionDiscontinuity {
    /// The same design for outcomes that the treatment cannot change, such as covariates from before: a jump says that the sides differ in more than treatment. Bandwidths are chosen for each; of a
    /// fuzzy design the jump itself is estimated. p-values are also adjusted by Holm's method.
    ///
    /// # Errors
    /// As [`fit`](Self::fit); [`Error::InvalidOption`] without outcomes.
    pub fn placebo_outcomes<S: AsRef<str>>(
        &self,
        frame: &Frame,
        outcomes: &[S],
    ) -> Result<DiscontinuityChecks> {
        let models = outcomes.iter().map(|outcome| {
            let mut model = self.clone();
            outcome.as_ref().clone_into(&mut model.outcome);
            (model.treatment, model.covariates) = (None, None);
            (outcome.as_ref().to_owned(), None, model, frame.clone())
        });
        self.checks("Placebo outcomes", "outcome", models.collect(), None)
    }

    /// The same design at cutoffs where nothing happens. One above the true cutoff uses the rows above it alone, one below those below, so that the true effect is not in them. Of a fuzzy
    /// design the jump of the outcome is estimated. p-values are also adjusted by Holm's method.
    ///
    /// # Errors
    /// As [`fit`](Self::fit); [`Error::InvalidOption`] for the true cutoff itself, or without cutoffs.
    pub fn placebo_cutoffs(&self, frame: &Frame, cutoffs: &[f64]) -> Result<DiscontinuityChecks> {
        let running = frame.numeric(&self.running)?;
        let mut models = Vec::new();
        for cutoff in cutoffs {
            if (cutoff - self.cutoff).abs() <= 0.0 {
                return Err(Error::invalid_option(
                    "cutoffs",
                    format!("{cutoff}, the true cutoff"),
                    "cutoffs where nothing happens",
                ));
            }
            let above = *cutoff > self.cutoff;
            let keep: Vec<bool> = (running.values().iter())
                .map(|x| (*x >= self.cutoff) == above)
                .collect();
            let mut model = self.clone();
            (model.cutoff, model.treatment) = (*cutoff, None);
            models.push((
                cutoff.to_string(),
                Some(*cutoff),
                model,
                frame.filter(&keep)?,
            ));
        }
        self.checks("Placebo cutoffs", "cutoff", models, None)
    }

    /// The effect with other bandwidths h; those of the bias keep their ratio to h.
    ///
    /// # Errors
    /// As [`fit`](Self::fit); [`Error::InvalidOption`] without bandwidths.
    pub fn bandwidth_sensitivity(
        &self,
        frame: &Frame,
        bandwidths: &[f64],
    ) -> Result<DiscontinuityChecks> {
        let main = self.fit(frame)?;
        let chosen = main.bandwidths();
        let ratio = [0, 1].map(|s: usize| chosen.bias[s] / chosen.estimate[s]);
        let models = bandwidths.iter().map(|h| {
            let model = (self.clone().bandwidth(*h)).bias_bandwidths(ratio[0] * h, ratio[1] * h);
            (h.to_string(), Some(*h), model, frame.clone())
        });
        self.checks(
            "Other bandwidths",
            "bandwidth",
            models.collect(),
            Some(&main),
        )
    }

    /// The effect without the rows within some radii of the cutoff: when a few rows there were steered, it changes when they are left out. Bandwidths are those of the main design.
    ///
    /// # Errors
    /// As [`fit`](Self::fit); [`Error::InvalidOption`] without radii.
    pub fn donut_sensitivity(&self, frame: &Frame, radii: &[f64]) -> Result<DiscontinuityChecks> {
        let main = self.fit(frame)?;
        let DiscontinuityBandwidths { estimate, bias } = main.bandwidths();
        let models = radii.iter().map(|radius| {
            let model = (self.clone().donut(*radius))
                .bandwidths(estimate[0], estimate[1])
                .bias_bandwidths(bias[0], bias[1]);
            (radius.to_string(), Some(*radius), model, frame.clone())
        });
        self.checks("Donuts", "radius left out", models.collect(), Some(&main))
    }

    fn checks(
        &self,
        kind: &str,
        axis: &str,
        models: Vec<(String, Option<f64>, Self, Frame)>,
        main: Option<&RegressionDiscontinuityFit>,
    ) -> Result<DiscontinuityChecks> {
        if models.is_empty() {
            return Err(Error::invalid_option(
                kind,
                "empty",
                "a list with one or more",
            ));
        }
        let (mut rows, mut warnings) = (Vec::new(), Vec::new());
        for (name, value, model, frame) in models {
            let fit = model.fit(&frame)?;
            for warning in fit.warnings() {
                let message = format!("{name}: {warning}");
                warnings.push(Warning::Note { message });
            }
            rows.push(DiscontinuityCheck {
                robust: fit.robust(),
                conventional: fit.conventional().clone(),
                bandwidths: fit.bandwidths(),
                effective_rows: fit.effective_rows(),
                adjusted_p_value: None,
                name,
                value,
            });
        }
        if main.is_none() {
            let p: Vec<f64> = rows.iter().map(|row| row.robust.p_value()).collect();
            for (row, p) in rows.iter_mut().zip(adjust_p_values(&p, Adjustment::Holm)?) {
                row.adjusted_p_value = Some(p);
            }
        }
        Ok(DiscontinuityChecks {
            rows,
            title: format!(
                "{kind} of {} at {} = {}",
                self.outcome, self.running, self.cutoff
            ),
            axis: axis.to_owned(),
            main: main.map(|fit| fit.estimates()[0]),
            warnings,
        })
    }
}

impl DiscontinuityChecks {
    /// What a reader must know of each design.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// One row a design.
    pub fn table(&self) -> Table {
        let mut table = Table::new(&self.title).columns([
            self.axis.as_str(),
            "Estimate",
            "Robust error",
            "p",
            "p (Holm)",
            "95 % from",
            "to",
            "h left",
            "h right",
            "rows left",
            "rows right",
        ]);
        for row in &self.rows {
            let ends = (row.robust.confidence_interval(0.95))
                .map_or([f64::NAN; 2], |interval| [interval.lower, interval.upper]);
            let [left, right] = row.bandwidths.estimate;
            table = table.row([
                Cell::text(&row.name),
                Cell::significant(row.robust.estimate, 4),
                Cell::significant(row.robust.std_error, 4),
                Cell::p_value(row.robust.p_value()),
                row.adjusted_p_value.map_or_else(Cell::empty, Cell::p_value),
                Cell::significant(ends[0], 4),
                Cell::significant(ends[1], 4),
                Cell::significant(left, 4),
                Cell::significant(right, 4),
                Cell::count(row.effective_rows[0]),
                Cell::count(row.effective_rows[1]),
            ]);
        }
        if let Some(main) = self.main {
            table = table.note(format!(
                "The main design has {}.",
                Cell::significant(main, 4)
            ));
        }
        table.warned(&self.warnings)
    }

    /// Placebos with their 95 % intervals; variations as a line over what was varied, with the effect of the main design across.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when values are too large to be drawn.
    pub fn plot(&self) -> Result<Figure> {
        let interval = |row: &DiscontinuityCheck| row.robust.confidence_interval(0.95);
        let Some(main) = self.main else {
            let named = |row: &DiscontinuityCheck| Estimate {
                name: row.name.clone(),
                ..row.robust.clone()
            };
            return forest(
                &self.title,
                &self.rows.iter().map(named).collect::<Vec<_>>(),
            );
        };
        let mut order: Vec<&DiscontinuityCheck> = self.rows.iter().collect();
        order.sort_by(|a, b| f64::total_cmp(&a.value.unwrap_or(0.0), &b.value.unwrap_or(0.0)));
        let ends = order
            .iter()
            .map(|row| interval(row))
            .collect::<Result<Vec<_>>>()?;
        let x: Vec<f64> = order.iter().filter_map(|row| row.value).collect();
        let y: Vec<f64> = order.iter().map(|row| row.robust.estimate).collect();
        LinePlot::new()
            .title(&self.title)
            .x_title(&self.axis)
            .y_title("effect")
            .line("bias-corrected, 95 %", x, y)
            .band(
                ends.iter().map(|i| i.lower).collect::<Vec<_>>(),
                ends.iter().map(|i| i.upper).collect::<Vec<_>>(),
            )
            .reference_y(main)
            .draw()
    }
}

crate::report::notebook::shown!(DiscontinuityChecks);
