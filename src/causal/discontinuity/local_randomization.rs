//! Near enough to the cutoff who is on which side is a matter of chance: randomisation inference there.

use super::options::{check_cutoff, check_positive};
use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::inference::{Contrast, OutcomeTest, RandomizationFit, RandomizationTest};
use crate::numeric::Seed;
use crate::report::{Cell, Figure, LinePlot, Table, p_text};
use serde::{Deserialize, Serialize};

/// Rows on each side of the first window at least, and rows that each further one has more on each side.
const FIRST_ROWS: usize = 10;
const MORE_ROWS: usize = 5;
/// Windows that are looked at.
const WINDOWS: usize = 10;
/// The fewest rows of a side among which sides can be exchanged.
const FEWEST_ROWS: usize = 2;

/// The effect of a rule with a cutoff among rows so near to it that their side is as good as drawn.
///
/// In a window `|x − c| ≤ w` treatment is taken to be assigned at random with the numbers of both sides given, and the running variable to have no effect of its own. Then Fisher's test is exact in
/// samples of any size, without a polynomial, for running variables with few values too (Cattaneo, Frandsen & Titiunik 2015). The price is the assumption, which holds at best very near the cutoff.
///
/// The window is the widest for which neither it nor a narrower one shows imbalance: the smallest p-value of the covariates' own randomisation tests is at least α. Candidates begin
/// with 10 rows on each side and grow by at least 5 on each side.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `covariates` | none | numeric columns known before treatment, for the choice of the window | required without a window |
/// | `window` | chosen | w | positive |
/// | `windows` | ten by rows | candidates | positive |
/// | `imbalance` | 0.15 | α: higher is more careful, since here it is the null hypothesis that is wanted | (0, 1) |
/// | `difference_in_means` | studentised | the statistic | |
/// | `draws`, `seed` | 9999, none | of the tests; the seed is required unless all assignments can be listed | |
/// | `level` | 0.95 | of the interval, the constant effects that are not rejected | (0, 1) |
///
/// # Errors
/// [`Error::Unidentified`] when the narrowest window is imbalanced already, or has too few rows on a side; [`Error::InvalidOption`] for a cutoff outside the running variable, or options out of range;
/// [`Error::SeedRequired`]; those of [`RandomizationTest`].
///
/// # References
/// Cattaneo, Frandsen & Titiunik (2015), doi:10.1515/jci-2013-0010; Cattaneo, Titiunik & Vazquez-Bare (2017), doi:10.1002/pam.21985.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let x: Vec<f64> = (0..400).map(|i| f64::from(i) / 2.0).collect();
/// let noise = |i: usize, step: usize| (i * step % 101) as f64 / 50.0 - 1.0;
/// let age: Vec<f64> = (0..400).map(|i| 40.0 + 9.0 * noise(i, 5381)).collect();
/// let spend: Vec<f64> = (x.iter().enumerate())
///     .map(|(i, x)| 20.0 + 3.0 * f64::from(u8::from(*x >= 100.0)) + noise(i, 7919))
///     .collect();
/// let frame = Frame::new().with("x", x)?.with("age", age)?.with("spend", spend)?;
/// let fit = LocalRandomization::new("spend", "x", 100.0).covariates(&["age"]).draws(999).seed(7).fit(&frame)?;
/// assert!((fit.outcome().effect - 3.0).abs() < 0.6 && fit.outcome().p_value < 0.01);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocalRandomization {
    outcome: String,
    running: String,
    cutoff: f64,
    covariates: Vec<String>,
    window: Option<f64>,
    windows: Option<Vec<f64>>,
    imbalance: f64,
    studentized: bool,
    draws: usize,
    seed: Option<Seed>,
    level: f64,
}

/// A candidate for the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RandomizationWindow {
    /// Half its width, w.
    pub half_width: f64,
    /// Rows on the left and on the right.
    pub rows: [usize; 2],
    /// The covariate with the smallest p-value; none without covariates.
    pub covariate: Option<String>,
    /// That p-value.
    pub smallest_p_value: Option<f64>,
}

/// What [`LocalRandomization`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LocalRandomizationFit {
    model: LocalRandomization,
    candidates: Vec<RandomizationWindow>,
    window: RandomizationWindow,
    test: RandomizationFit,
    warnings: Vec<Warning>,
}

/// The rows on which all is present.
struct Complete {
    /// Distances from the cutoff.
    x: Vec<f64>,
    y: Vec<f64>,
    covariates: Vec<Vec<f64>>,
}

impl LocalRandomization {
    /// The effect on an outcome near a cutoff of a running variable.
    pub fn new(outcome: &str, running: &str, cutoff: f64) -> Self {
        Self {
            outcome: outcome.to_owned(),
            running: running.to_owned(),
            cutoff,
            covariates: Vec::new(),
            window: None,
            windows: None,
            imbalance: 0.15,
            studentized: true,
            draws: 9999,
            seed: None,
            level: 0.95,
        }
    }

    /// Columns known before treatment, which must be balanced in the window.
    pub fn covariates<S: AsRef<str>>(mut self, columns: &[S]) -> Self {
        self.covariates = columns.iter().map(|c| c.as_ref().to_owned()).collect();
        self
    }

    /// The window, half its width.
    pub fn window(mut self, half_width: f64) -> Self {
        self.window = Some(half_width);
        self
    }

    /// Candidates for the window.
    pub fn windows(mut self, half_widths: &[f64]) -> Self {
        self.windows = Some(half_widths.to_vec());
        self
    }

    /// A window with a covariate whose p-value is below this is imbalanced.
    pub fn imbalance(mut self, p_value: f64) -> Self {
        self.imbalance = p_value;
        self
    }

    /// Tests with the plain difference in means.
    pub fn difference_in_means(mut self) -> Self {
        self.studentized = false;
        self
    }

    /// Random assignments of each test.
    pub fn draws(mut self, draws: usize) -> Self {
        self.draws = draws;
        self
    }

    /// The seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// The level of the interval.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// Chooses the window and tests the outcome in it.
    ///
    /// # Errors
    /// See [`LocalRandomization`].
    pub fn fit(&self, frame: &Frame) -> Result<LocalRandomizationFit> {
        self.check()?;
        let rows = self.read(frame)?;
        let candidates = match (self.window, &self.windows) {
            (Some(window), _) => vec![window],
            (None, Some(windows)) => {
                let mut sorted = windows.clone();
                sorted.sort_unstable_by(f64::total_cmp);
                sorted
            }
            (None, None) => rows.grow(),
        };
        let mut looked_at = Vec::new();
        let mut chosen: Option<RandomizationWindow> = None;
        for half_width in candidates {
            let candidate = self.candidate(&rows, half_width)?;
            let balanced = candidate
                .smallest_p_value
                .is_none_or(|p| p >= self.imbalance);
            looked_at.push(candidate.clone());
            if !balanced && self.window.is_none() {
                break;
            }
            chosen = Some(candidate);
        }
        let Some(window) = chosen else {
            let worst = looked_at.pop();
            let covariate = worst.and_then(|w| w.covariate).unwrap_or_default();
            return Err(Error::Unidentified {
                what: format!(
                    "a window around {} in which the sides are alike",
                    self.cutoff
                ),
                needs: format!(
                    "balance of `{covariate}` in the narrowest one, where its p-value is below {}; use `RegressionDiscontinuity`, which lets the sides differ by a polynomial, or narrower windows",
                    self.imbalance
                ),
            });
        };
        let mut warnings = Vec::new();
        let dropped = frame.rows() - rows.x.len();
        if dropped > 0 {
            let columns = [&self.outcome, &self.running]
                .into_iter()
                .chain(&self.covariates);
            let missing =
                columns.filter_map(|c| Some((c.clone(), frame.column(c).ok()?.missing())));
            warnings.push(Warning::RowsDropped {
                dropped,
                missing: missing.filter(|(_, n)| *n > 0).collect(),
            });
        }
        if window.smallest_p_value.is_some_and(|p| p < self.imbalance) {
            warnings.push(Warning::Note {
                message: format!(
                    "the sides differ in the given window: {} for `{}`",
                    p_text(window.smallest_p_value.unwrap_or(0.0)),
                    window.covariate.as_deref().unwrap_or_default()
                ),
            });
        }
        let frame = rows.within(window.half_width, &[(&self.outcome, &rows.y)])?;
        let test = self
            .test(&self.outcome, &[])
            .interval(self.level)
            .run(&frame)?;
        Ok(LocalRandomizationFit {
            model: self.clone(),
            candidates: looked_at,
            window,
            test,
            warnings,
        })
    }

    fn check(&self) -> Result<()> {
        check_cutoff(self.cutoff)?;
        check_positive("window", &self.window)?;
        if let Some(windows) = &self.windows {
            check_positive("windows", windows)?;
            if windows.is_empty() {
                return Err(Error::invalid_option(
                    "windows",
                    "empty",
                    "one or more half widths",
                ));
            }
        }
        if !(self.imbalance > 0.0 && self.imbalance < 1.0) {
            return Err(Error::invalid_option(
                "imbalance",
                self.imbalance,
                "between 0 and 1, e.g. 0.15",
            ));
        }
        if self.window.is_none() && self.covariates.is_empty() {
            return Err(Error::invalid_option(
                "covariates",
                "empty",
                "columns that must be balanced in the window; or give one with `.window(w)`",
            ));
        }
        Ok(())
    }

    fn read(&self, frame: &Frame) -> Result<Complete> {
        let column = |name: &str| crate::causal::arms::measured(frame, name);
        let (x, y) = (column(&self.running)?, column(&self.outcome)?);
        let covariates = (self.covariates.iter())
            .map(|name| column(name))
            .collect::<Result<Vec<_>>>()?;
        let present: Vec<usize> = (0..frame.rows())
            .filter(|row| {
                let mut all = [&x, &y].into_iter().chain(&covariates);
                all.all(|column| !column.values()[*row].is_nan())
            })
            .collect();
        let pick =
            |values: &[f64]| -> Vec<f64> { present.iter().map(|row| values[*row]).collect() };
        let x: Vec<f64> = pick(x.values()).iter().map(|x| x - self.cutoff).collect();
        if !(x.iter().any(|x| *x < 0.0) && x.iter().any(|x| *x >= 0.0)) {
            return Err(Error::invalid_option(
                "cutoff",
                self.cutoff,
                format!(
                    "inside the range of `{}`, with complete rows on both sides",
                    self.running
                ),
            ));
        }
        Ok(Complete {
            x,
            y: pick(y.values()),
            covariates: covariates.iter().map(|c| pick(c.values())).collect(),
        })
    }

    fn candidate(&self, rows: &Complete, half_width: f64) -> Result<RandomizationWindow> {
        let counts = rows.counts(half_width);
        if counts.iter().any(|n| *n < FEWEST_ROWS) {
            return Err(Error::Unidentified {
                what: format!(
                    "an effect within {half_width} of the cutoff, where {} and {} rows are on the left and right",
                    counts[0], counts[1]
                ),
                needs: format!("at least {FEWEST_ROWS} on each side; widen the window"),
            });
        }
        let mut window = RandomizationWindow {
            half_width,
            rows: counts,
            covariate: None,
            smallest_p_value: None,
        };
        if let [first, others @ ..] = self.covariates.as_slice() {
            let columns: Vec<(&String, &Vec<f64>)> =
                self.covariates.iter().zip(&rows.covariates).collect();
            let found = self
                .test(first, others)
                .run(&rows.within(half_width, &columns)?)?;
            let smallest = (found.outcomes.iter()).min_by(|a, b| a.p_value.total_cmp(&b.p_value));
            window.covariate = smallest.map(|o| o.name.clone());
            window.smallest_p_value = smallest.map(|o| o.p_value);
        }
        Ok(window)
    }

    fn test(&self, outcome: &str, others: &[String]) -> RandomizationTest {
        let test = RandomizationTest::new(outcome, SIDE)
            .outcomes(others.to_vec())
            .draws(self.draws);
        let test = if self.studentized {
            test.contrast(Contrast::Studentized)
        } else {
            test.contrast(Contrast::DifferenceInMeans)
        };
        match self.seed {
            Some(seed) => test.seed(seed),
            None => test,
        }
    }
}

/// The column that says on which side a row is.
const SIDE: &str = "at or above the cutoff";

impl Complete {
    fn counts(&self, half_width: f64) -> [usize; 2] {
        let near = || self.x.iter().filter(|x| x.abs() <= half_width);
        let left = near().filter(|x| **x < 0.0).count();
        [left, near().count() - left]
    }

    /// Windows with more and more rows on each side.
    fn grow(&self) -> Vec<f64> {
        let distances = [true, false].map(|left| {
            let own = self.x.iter().filter(|x| (**x < 0.0) == left);
            let mut distances: Vec<f64> = own.map(|x| x.abs()).collect();
            distances.sort_unstable_by(f64::total_cmp);
            distances
        });
        let (mut windows, mut rows, mut more) = (Vec::new(), [0; 2], FIRST_ROWS);
        while windows.len() < WINDOWS && (0..2).all(|at| rows[at] + more <= distances[at].len()) {
            let ends = [0, 1].map(|at: usize| distances[at][rows[at] + more - 1]);
            let window = ends[0].max(ends[1]);
            rows = [0, 1].map(|at: usize| distances[at].partition_point(|d| *d <= window));
            windows.push(window);
            more = MORE_ROWS;
        }
        if windows.is_empty() {
            let all = self.x.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
            windows.push(all);
        }
        windows
    }

    fn within(&self, half_width: f64, columns: &[(&String, &Vec<f64>)]) -> Result<Frame> {
        let rows: Vec<usize> = (0..self.x.len())
            .filter(|i| self.x[*i].abs() <= half_width)
            .collect();
        let side: Vec<bool> = rows.iter().map(|i| self.x[*i] >= 0.0).collect();
        let mut frame = Frame::new().with(SIDE, side)?;
        for (name, values) in columns {
            let own: Vec<f64> = rows.iter().map(|i| values[*i]).collect();
            frame = frame.with(name.as_str(), own)?;
        }
        Ok(frame)
    }
}

impl LocalRandomizationFit {
    /// The test of the outcome: difference in means, p-value, interval of constant effects.
    pub fn outcome(&self) -> &OutcomeTest {
        &self.test.outcomes[0]
    }

    /// The whole test.
    pub fn test(&self) -> &RandomizationFit {
        &self.test
    }

    /// The window in use.
    pub fn window(&self) -> &RandomizationWindow {
        &self.window
    }

    /// The windows that were looked at, the first imbalanced one included.
    pub fn candidates(&self) -> &[RandomizationWindow] {
        &self.candidates
    }

    /// What a reader must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The smallest p-value of the covariates by window: the window in use is the last before it falls below α.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] without covariates.
    pub fn window_plot(&self) -> Result<Figure> {
        let (x, y): (Vec<f64>, Vec<f64>) = (self.candidates.iter())
            .filter_map(|w| Some((w.half_width, w.smallest_p_value?)))
            .unzip();
        LinePlot::new()
            .title(format!(
                "Balance around {} = {}",
                self.model.running, self.model.cutoff
            ))
            .x_title("half width of the window")
            .y_title("smallest p-value")
            .line("covariates", x, y)
            .reference_y(self.model.imbalance)
            .reference_x(self.window.half_width)
            .draw()
    }

    /// The test, and the windows.
    pub fn table(&self) -> Table {
        let m = &self.model;
        let mut table = self.test.table().with_title(format!(
            "Local randomisation of {} at {} = {}",
            m.outcome, m.running, m.cutoff
        ));
        for w in &self.candidates {
            let balance = w.smallest_p_value.map_or_else(String::new, |p| {
                format!(": smallest p {}", Cell::fixed(p, 3))
            });
            table = table.note(format!(
                "Within {} of the cutoff {} and {} rows{balance}{}.",
                Cell::significant(w.half_width, 4),
                w.rows[0],
                w.rows[1],
                if w == &self.window { " (in use)" } else { "" }
            ));
        }
        table.warned(&self.warnings)
    }
}

crate::report::notebook::shown!(LocalRandomizationFit);
