//! Several models side by side, as papers print them.

use super::verbs::Inference;
use crate::error::Result;
use crate::report::{Cell, CoefficientPlot, Figure, Table};
use serde::Serialize;

/// Digits of estimates and standard errors.
const DIGITS: usize = 4;

/// Significance levels of one, two and three stars.
const STARS: [f64; 3] = [0.1, 0.05, 0.01];

/// Models side by side: one column a model, estimates with stars, standard errors in parentheses below, statistics at the foot,
/// and the covariance of each model in the notes.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// let raw = Ols::new("re78 ~ treat").fit(&frame)?;
/// let adjusted = Ols::new("re78 ~ treat + age + educ + black + hisp + marr + nodegree + re74 + re75").fit(&frame)?;
/// let table = ModelTable::new("Effect of the programme on earnings in 1978")
///     .model("difference", &raw)
///     .model("adjusted", &adjusted)
///     .keep(&["treat"]);
/// assert!(table.to_string().contains("1794"));
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct ModelTable {
    title: String,
    models: Vec<Model>,
    keep: Vec<String>,
    rename: Vec<(String, String)>,
    stars: bool,
}

/// What the table keeps of a fit.
#[derive(Clone, Debug, Serialize)]
struct Model {
    name: String,
    coefficients: Vec<Row>,
    footer: Vec<(String, Cell)>,
    covariance: String,
}

#[derive(Clone, Debug, Serialize)]
struct Row {
    name: String,
    estimate: f64,
    std_error: f64,
    p_value: f64,
    lower: f64,
    upper: f64,
}

/// A fit that can stand in a [`ModelTable`]: it adds statistics and the label of its covariance to the verbs.
pub trait Summarized: Inference {
    /// Lines at the foot of the table: number of rows, fit.
    fn footer(&self) -> Vec<(String, Cell)>;

    /// The covariance in words.
    fn covariance_label(&self) -> String;
}

impl ModelTable {
    /// An empty table.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            models: vec![],
            keep: vec![],
            rename: vec![],
            stars: true,
        }
    }

    /// Adds a model as the next column.
    pub fn model(mut self, name: impl Into<String>, fit: &impl Summarized) -> Self {
        const LEVEL: f64 = 0.95;
        let coefficients = fit
            .coefficients()
            .into_iter()
            .map(|c| {
                let interval = c.confidence_interval(LEVEL).ok();
                Row {
                    estimate: c.estimate,
                    std_error: c.std_error,
                    p_value: c.p_value(),
                    lower: interval.as_ref().map_or(f64::NAN, |i| i.lower),
                    upper: interval.as_ref().map_or(f64::NAN, |i| i.upper),
                    name: c.name,
                }
            })
            .collect();
        self.models.push(Model {
            name: name.into(),
            coefficients,
            footer: fit.footer(),
            covariance: fit.covariance_label(),
        });
        self
    }

    /// Shows only these coefficients, in this order.
    pub fn keep(mut self, coefficients: &[&str]) -> Self {
        self.keep = coefficients.iter().map(|c| (*c).to_owned()).collect();
        self
    }

    /// Prints a coefficient under another name.
    pub fn rename(mut self, coefficient: impl Into<String>, label: impl Into<String>) -> Self {
        self.rename.push((coefficient.into(), label.into()));
        self
    }

    /// Leaves out the stars.
    pub fn without_stars(mut self) -> Self {
        self.stars = false;
        self
    }

    /// The table.
    pub fn table(&self) -> Table {
        let header: Vec<String> = std::iter::once(String::new())
            .chain(self.models.iter().map(|m| m.name.clone()))
            .collect();
        let mut table = Table::new(self.title.as_str()).columns(header.iter().map(String::as_str));
        for name in self.shown() {
            let found: Vec<Option<&Row>> = self.models.iter().map(|m| m.find(&name)).collect();
            let label = self.label(&name);
            let estimates = found.iter().map(|row| match row {
                Some(r) => Cell::significant(r.estimate, DIGITS).stars(if self.stars {
                    stars(r.p_value)
                } else {
                    0
                }),
                None => Cell::empty(),
            });
            table = table.row(std::iter::once(Cell::from(label)).chain(estimates));
            let errors = found.iter().map(|row| match row {
                Some(r) => Cell::significant(r.std_error, DIGITS).parenthesised(),
                None => Cell::empty(),
            });
            table = table.row(std::iter::once(Cell::empty()).chain(errors));
        }
        let mut lines: Vec<&str> = Vec::new();
        for (name, _) in self.models.iter().flat_map(|m| &m.footer) {
            if !lines.contains(&name.as_str()) {
                lines.push(name);
            }
        }
        for line in lines {
            let cells = self.models.iter().map(|m| {
                let found = m.footer.iter().find(|(name, _)| name == line);
                found.map_or_else(Cell::empty, |(_, cell)| cell.clone())
            });
            table = table.summary(std::iter::once(Cell::from(line)).chain(cells));
        }
        for note in self.notes() {
            table = table.note(note);
        }
        table
    }

    /// The coefficients with their 95 % intervals as a figure, one series a model.
    ///
    /// # Errors
    /// [`crate::Error::InvalidOption`] when there is no model or no coefficient to show.
    pub fn plot(&self) -> Result<Figure> {
        let mut plot = CoefficientPlot::new().title(self.title.as_str());
        for model in &self.models {
            plot = plot.series(model.name.as_str());
            for name in self.shown() {
                if let Some(row) = model.find(&name) {
                    plot = plot.point(self.label(&name), row.estimate, row.lower, row.upper);
                }
            }
        }
        plot.note("points: estimates; lines: 95 % confidence intervals")
            .draw()
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }

    /// The table as LaTeX.
    pub fn to_latex(&self) -> String {
        self.table().to_latex()
    }

    /// Names of the coefficients to show, in order of appearance.
    fn shown(&self) -> Vec<String> {
        if !self.keep.is_empty() {
            return self.keep.clone();
        }
        let mut names: Vec<String> = Vec::new();
        for row in self.models.iter().flat_map(|m| &m.coefficients) {
            if !names.contains(&row.name) {
                names.push(row.name.clone());
            }
        }
        // The constant closes the list, as papers print it.
        if let Some(at) = names.iter().position(|n| n == "(Intercept)") {
            let constant = names.remove(at);
            names.push(constant);
        }
        names
    }

    fn label(&self, name: &str) -> String {
        let renamed = self.rename.iter().find(|(from, _)| from == name);
        renamed.map_or_else(|| name.to_owned(), |(_, to)| to.clone())
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = vec!["Standard errors in parentheses.".to_owned()];
        let same = self
            .models
            .windows(2)
            .all(|w| w[0].covariance == w[1].covariance);
        match self.models.first() {
            Some(first) if same => notes.push(format!("Covariance: {}.", first.covariance)),
            _ => {
                let each: Vec<String> = self
                    .models
                    .iter()
                    .map(|m| format!("{}: {}", m.name, m.covariance))
                    .collect();
                notes.push(format!("Covariance: {}.", each.join("; ")));
            }
        }
        if self.stars {
            let [one, two, three] = STARS;
            notes.push(format!("* p < {one}, ** p < {two}, *** p < {three}."));
        }
        notes
    }

    /// Refuses names that no model has; useful before a table goes into a paper.
    ///
    /// # Errors
    /// [`crate::Error::UnknownCoefficient`].
    pub fn checked(self) -> Result<Self> {
        let known = Self {
            keep: vec![],
            ..self.clone()
        }
        .shown();
        for name in self
            .keep
            .iter()
            .chain(self.rename.iter().map(|(from, _)| from))
        {
            if !known.contains(name) {
                return Err(super::hypothesis::unknown_coefficient(name, &known));
            }
        }
        Ok(self)
    }
}

impl Model {
    fn find(&self, name: &str) -> Option<&Row> {
        self.coefficients.iter().find(|r| r.name == name)
    }
}

impl std::fmt::Display for ModelTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(ModelTable);

/// Stars of a p-value.
fn stars(p: f64) -> u8 {
    STARS.iter().filter(|level| p < **level).count() as u8
}
