//! One rule with different cutoffs for different rows: by place, year or group.

use super::regression_discontinuity::RegressionDiscontinuity;
use super::regression_discontinuity_fit::RegressionDiscontinuityFit;
use crate::causal::sensitivity::negative_controls::forest;
use crate::data::{Frame, MISSING};
use crate::error::{Error, Result, Warning};
use crate::inference::{Estimate, Inference, coefficient_table};
use crate::report::{Cell, Figure, Table};
use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// Effects at each of several cutoffs. The verbs of [`Inference`] are those of the effects by cutoff, bias-corrected with robust errors, which have the cutoffs as names and are taken to be
/// independent: each has its own rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MultipleCutoffsFit {
    names: Vec<String>,
    estimates: DVector<f64>,
    covariance: DMatrix<f64>,
    /// The shares of the cutoffs in the rows within the bandwidths.
    shares: Vec<f64>,
    fits: Vec<RegressionDiscontinuityFit>,
    pooled: RegressionDiscontinuityFit,
    title: String,
}

impl RegressionDiscontinuity {
    /// The same design at each row's own cutoff, which a column has; the cutoff of the design itself is not used. Bandwidths are chosen for each cutoff.
    ///
    /// [`pooled`](MultipleCutoffsFit::pooled) is the design on the distance from the own cutoff, whose effect weighs cutoffs by the rows near them and mixes their outcomes;
    /// [`weighted`](MultipleCutoffsFit::weighted) is the mean of the effects with the shares of rows within their bandwidths (Cattaneo, Keele, Titiunik & Vazquez-Bare 2016, doi:10.1086/686802).
    ///
    /// # Errors
    /// As [`fit`](Self::fit) at a cutoff; [`Error::InvalidOption`] for fewer than two cutoffs.
    ///
    /// # Examples
    /// ```
    /// use cocreate::prelude::*;
    /// let n = 1200_usize;
    /// let points: Vec<f64> = (0..n).map(|i| (i * 7919 % 1200) as f64 / 6.0).collect();
    /// let cutoff: Vec<f64> = (0..n).map(|i| if i % 2 == 0 { 80.0 } else { 120.0 }).collect();
    /// let spend: Vec<f64> = (0..n)
    ///     .map(|i| points[i] / 50.0 + f64::from(u8::from(points[i] >= cutoff[i])) * cutoff[i] / 40.0 + (i * 5381 % 101) as f64 / 100.0)
    ///     .collect();
    /// let frame = Frame::new().with("points", points)?.with("cutoff", cutoff)?.with("spend", spend)?;
    /// let fit = RegressionDiscontinuity::new("spend", "points", 0.0).at_own_cutoffs(&frame, "cutoff")?;
    /// // Two at 80, three at 120.
    /// assert!((fit.coefficient("80")?.estimate - 2.0).abs() < 0.3 && (fit.coefficient("120")?.estimate - 3.0).abs() < 0.3);
    /// assert!((fit.weighted().estimate - 2.5).abs() < 0.3);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn at_own_cutoffs(&self, frame: &Frame, column: &str) -> Result<MultipleCutoffsFit> {
        let (cutoffs, running) = (frame.numeric(column)?, frame.numeric(&self.running)?);
        let groups = frame.groups(column)?;
        if groups.count() < 2 {
            return Err(Error::invalid_option(
                "column",
                format!("`{column}` with {} cutoff", groups.count()),
                "a column with two or more cutoffs; use `fit` for one",
            ));
        }
        let (mut names, mut fits) = (Vec::new(), Vec::new());
        for (code, level) in groups.levels.iter().enumerate() {
            let keep: Vec<bool> = groups
                .codes
                .iter()
                .map(|c| *c as usize == code && *c != MISSING)
                .collect();
            let first = keep.iter().position(|k| *k);
            let mut model = self.clone();
            model.cutoff = first.map_or(f64::NAN, |row| cutoffs.values()[row]);
            fits.push(model.fit(&frame.filter(&keep)?)?);
            names.push(level.clone());
        }
        let distance: Vec<f64> = (running.values().iter().zip(cutoffs.values().iter()))
            .map(|(x, c)| x - c)
            .collect();
        let mut model = self.clone();
        model.running = format!("{} - {column}", self.running);
        model.cutoff = 0.0;
        let pooled = model.fit(&frame.clone().with(model.running.clone(), distance)?)?;
        let near: Vec<f64> = fits
            .iter()
            .map(|fit| fit.effective_rows().iter().sum::<usize>() as f64)
            .collect();
        let all: f64 = near.iter().sum();
        let robust: Vec<Estimate> = fits
            .iter()
            .map(RegressionDiscontinuityFit::robust)
            .collect();
        Ok(MultipleCutoffsFit {
            estimates: DVector::from_iterator(fits.len(), robust.iter().map(|e| e.estimate)),
            covariance: DMatrix::from_diagonal(&DVector::from_iterator(
                fits.len(),
                robust.iter().map(|e| e.std_error.powi(2)),
            )),
            shares: near.iter().map(|n| n / all).collect(),
            title: format!("Effects on {} by {column}", self.outcome),
            names,
            fits,
            pooled,
        })
    }
}

impl Inference for MultipleCutoffsFit {
    crate::inference::fields::inference_of_fields!();
}

impl MultipleCutoffsFit {
    /// The mean of the effects, by the shares of rows within the bandwidths.
    pub fn weighted(&self) -> Estimate {
        let shares = DVector::from_column_slice(&self.shares);
        Estimate {
            name: "weighted".to_owned(),
            estimate: shares.dot(&self.estimates),
            std_error: crate::numeric::linalg::quadratic_form(&self.covariance, &shares).sqrt(),
            degrees_of_freedom: f64::INFINITY,
        }
    }

    /// The design on the distance from the own cutoff.
    pub fn pooled(&self) -> &RegressionDiscontinuityFit {
        &self.pooled
    }

    /// The design at each cutoff, in the order of the names.
    pub fn fits(&self) -> &[RegressionDiscontinuityFit] {
        &self.fits
    }

    /// The shares of the cutoffs in the rows within the bandwidths.
    pub fn shares(&self) -> &[f64] {
        &self.shares
    }

    /// What a reader must know, with the cutoff.
    pub fn warnings(&self) -> Vec<Warning> {
        let of = |(name, fit): (&String, &RegressionDiscontinuityFit)| {
            let each = fit.warnings().iter().map(|warning| Warning::Note {
                message: format!("{name}: {warning}"),
            });
            each.collect::<Vec<_>>()
        };
        self.names.iter().zip(&self.fits).flat_map(of).collect()
    }

    /// The effects with their 95 % intervals, the weighted and the pooled one below.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when values are too large to be drawn.
    pub fn plot(&self) -> Result<Figure> {
        let more = [self.weighted(), self.pooled_estimate()];
        forest(&self.title, &[self.coefficients(), more.to_vec()].concat())
    }

    fn pooled_estimate(&self) -> Estimate {
        Estimate {
            name: "pooled".to_owned(),
            ..self.pooled.robust()
        }
    }

    /// The effects by cutoff, the weighted and the pooled one.
    pub fn table(&self) -> Table {
        let mut table = coefficient_table(self).with_title(&self.title);
        for estimate in [self.weighted(), self.pooled_estimate()] {
            table = table.note(format!("{estimate}."));
        }
        let shares = self.names.iter().zip(&self.shares);
        let shares: Vec<String> = shares
            .map(|(name, share)| format!("{name} {}", Cell::fixed(*share, 3)))
            .collect();
        table
            .note(format!(
                "Shares of rows within the bandwidths: {}.",
                shares.join(", ")
            ))
            .warned(&self.warnings())
    }
}

crate::report::notebook::shown!(MultipleCutoffsFit);
