//! A regression on a measured score, corrected: estimates, the covariance that counts the correction, the attenuation undone.

use super::options::Plain;
use crate::error::Warning;
use crate::inference::{Estimate, Inference, Summarized, coefficient_table};
use crate::report::{Cell, Table};
use nalgebra::DVector;
use serde::{Deserialize, Serialize};

/// A corrected regression. It answers the verbs of [`Inference`].
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ScoreFit {
    pub(super) title: String,
    pub(super) formula: String,
    pub(super) plain: Plain,
    pub(super) naive: Plain,
    pub(super) attenuation: Option<Estimate>,
    pub(super) notes: Vec<String>,
}

impl ScoreFit {
    /// The factor by which least squares on the scores shrinks the coefficient of the true score, `Var(a|x)/(Var(a|x) + v̄)`, with
    /// its standard error; absent where the method does not estimate it.
    pub fn attenuation(&self) -> Option<&Estimate> {
        self.attenuation.as_ref()
    }

    /// The estimates of the naive regression, which takes the scores for the truth, in the order of the names.
    pub fn naive(&self) -> &DVector<f64> {
        &self.naive.estimates
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.plain.warnings
    }

    /// The formula as fitted.
    pub fn formula(&self) -> &str {
        &self.formula
    }

    /// The fit as an HTML table.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }

    fn full_table(&self) -> Table {
        let mut table = coefficient_table(self)
            .with_title(format!("{}: {}", self.title, self.formula))
            .note(format!("Covariance: {}", self.plain.label));
        table = table.note(format!("n = {}", Cell::count(self.plain.observations)));
        if let Some(a) = &self.attenuation {
            table = table.note(format!(
                "The naive regression shrinks the score's coefficient by {} (s.e. {})",
                Cell::fixed(a.estimate, 3),
                Cell::fixed(a.std_error, 3)
            ));
        }
        for note in &self.notes {
            table = table.note(note.as_str());
        }
        for warning in self.warnings() {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }
}

impl Inference for ScoreFit {
    crate::inference::fields::inference_of_fields!(plain);

    fn degrees_of_freedom(&self, _contrast: &DVector<f64>) -> f64 {
        self.plain.df
    }

    fn table(&self) -> Table {
        self.full_table()
    }
}

impl Summarized for ScoreFit {
    fn footer(&self) -> Vec<(String, Cell)> {
        self.plain.footer()
    }

    fn covariance_label(&self) -> String {
        self.plain.label.clone()
    }
}

impl std::fmt::Display for ScoreFit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.full_table().fmt(f)
    }
}

crate::report::notebook!(ScoreFit);
