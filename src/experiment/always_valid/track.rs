//! What every sequence keeps: its options, its looks, and how they are shown.

use super::mixture::MixtureBoundary;
use super::stitched::StitchedBoundary;
use crate::error::{Error, Result, Warning};
use crate::inference::{Alternative, EValue, Interval, check_level};
use crate::report::{Cell, Figure, LinePlot, Table};
use serde::{Deserialize, Serialize};

/// What a sequence said at one look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConfidenceLook {
    /// Its name: a day, a batch.
    pub label: String,
    /// Rows so far.
    pub rows: u64,
    /// The estimate from all rows so far.
    pub estimate: f64,
    /// Lower end of the interval from all rows so far.
    #[serde(deserialize_with = "crate::numeric::infinite::below")]
    pub lower: f64,
    /// Upper end.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub upper: f64,
    /// The largest lower end of any look so far.
    #[serde(deserialize_with = "crate::numeric::infinite::below")]
    pub running_lower: f64,
    /// The smallest upper end of any look so far.
    #[serde(deserialize_with = "crate::numeric::infinite::above")]
    pub running_upper: f64,
    /// Logarithm of the e-value against the null value, now.
    pub log_e_value: f64,
    /// The p-value of the null value, valid at every look: it never rises.
    pub p_value: f64,
}

impl ConfidenceLook {
    /// Whether the interval of this look contains a value.
    pub fn contains(&self, value: f64) -> bool {
        self.lower <= value && value <= self.upper
    }
}

/// Options and looks of a sequence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Track {
    pub(super) name: String,
    pub(super) level: f64,
    pub(super) null: f64,
    pub(super) alternative: Alternative,
    pub(super) looks: Vec<ConfidenceLook>,
    pub(super) notes: Vec<Warning>,
}

/// A look before it is compared with those before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statement {
    pub(super) rows: u64,
    pub(super) estimate: f64,
    pub(super) lower: f64,
    pub(super) upper: f64,
    pub(super) log_e_value: f64,
    /// The p-value, where it is not one over the e-value.
    pub(super) p_value: Option<f64>,
}

impl Statement {
    /// Of data that say nothing yet.
    pub(super) fn nothing(rows: u64, estimate: f64) -> Self {
        Self {
            rows,
            estimate,
            lower: f64::NEG_INFINITY,
            upper: f64::INFINITY,
            log_e_value: 0.0,
            p_value: None,
        }
    }
}

impl Track {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            level: 0.95,
            null: 0.0,
            alternative: Alternative::TwoSided,
            looks: vec![],
            notes: vec![],
        }
    }

    pub(super) fn alpha(&self) -> f64 {
        1.0 - self.level
    }

    pub(super) fn rows(&self) -> u64 {
        self.looks.last().map_or(0, |look| look.rows)
    }

    pub(super) fn p_value(&self) -> f64 {
        self.looks.last().map_or(1.0, |look| look.p_value)
    }

    pub(super) fn e_value(&self) -> EValue {
        EValue::of_logarithm(self.looks.last().map_or(0.0, |look| look.log_e_value))
    }

    /// # Errors
    /// `InvalidOption` for a level outside (0, 1), a one-sided level of a half or less, a null value that is not finite.
    pub(super) fn check(&self) -> Result<()> {
        check_level(self.level)?;
        if self.alternative != Alternative::TwoSided && self.level <= 0.5 {
            return Err(Error::invalid_option(
                "level",
                self.level,
                "above a half for a one-sided sequence, e.g. 0.95",
            ));
        }
        if !self.null.is_finite() {
            return Err(Error::invalid_option("null", self.null, "a finite number"));
        }
        Ok(())
    }

    /// # Errors
    /// `InvalidOption` when a total of rows is below that of the look before.
    pub(super) fn check_total(&self, rows: u64) -> Result<()> {
        if rows >= self.rows().max(1) {
            return Ok(());
        }
        Err(Error::invalid_option(
            "rows",
            rows,
            format!(
                "all rows so far, at least {}: each look is from the rows of the looks before and new ones",
                self.rows().max(1)
            ),
        ))
    }

    /// The mixture of the declared side with ρ that is best at a planned v.
    pub(super) fn normal_mixture(&self, planned: f64) -> Result<MixtureBoundary> {
        match self.alternative {
            Alternative::TwoSided => {
                MixtureBoundary::normal(MixtureBoundary::best_rho(planned, self.alpha())?)
            }
            _ => MixtureBoundary::one_sided_normal(MixtureBoundary::best_rho(
                planned,
                2.0 * self.alpha(),
            )?),
        }
    }

    /// The mixture for counts of events of probability p, best at a planned number of rows.
    pub(super) fn bernoulli_mixture(&self, planned: f64, p: f64) -> Result<MixtureBoundary> {
        let rho = MixtureBoundary::best_rho(planned * p * (1.0 - p), 2.0 * self.side_alpha())?;
        MixtureBoundary::bernoulli(rho, p)
    }

    /// What a normal mixture says of an estimate whose information (one over its variance) is `v`, in the units of the mixture times
    /// `unit`: `S = (estimate − null) v/unit`.
    pub(super) fn normal_statement(
        &self,
        mixture: MixtureBoundary,
        rows: u64,
        estimate: f64,
        v: f64,
        unit: f64,
    ) -> Result<Statement> {
        let half = mixture.threshold(v, self.alpha())? * unit / v;
        let s = self.alternative_sign() * (estimate - self.null) * v / unit;
        let lower = match self.alternative {
            Alternative::Less => f64::NEG_INFINITY,
            _ => estimate - half,
        };
        let upper = match self.alternative {
            Alternative::Greater => f64::INFINITY,
            _ => estimate + half,
        };
        Ok(Statement {
            rows,
            estimate,
            lower,
            upper,
            log_e_value: mixture.log_value(s, v),
            p_value: None,
        })
    }

    /// What stitching says of an estimate, where `S = slope (estimate − null)`.
    pub(super) fn stitched_statement(
        &self,
        curve: StitchedBoundary,
        rows: u64,
        estimate: f64,
        v: f64,
        slope: f64,
    ) -> Result<Statement> {
        let alpha = self.side_alpha();
        let half = curve.threshold(v, alpha)? / slope;
        let s = slope * (estimate - self.null);
        let both = |f: &dyn Fn(f64) -> f64| self.sided(f(s), f(-s));
        Ok(Statement {
            rows,
            estimate,
            lower: match self.alternative {
                Alternative::Less => f64::NEG_INFINITY,
                _ => estimate - half,
            },
            upper: match self.alternative {
                Alternative::Greater => f64::INFINITY,
                _ => estimate + half,
            },
            log_e_value: both(&|s| curve.log_value(s, v, alpha)),
            p_value: Some((-both(&|s| -curve.log_p_value(s, v))).exp().min(1.0)),
        })
    }

    fn alternative_sign(&self) -> f64 {
        if self.alternative == Alternative::Less {
            -1.0
        } else {
            1.0
        }
    }

    /// The evidence of two one-sided mixtures, `upper` for more than the null value and `lower` for less, in the declared direction. Both
    /// sides together may each take half of α.
    pub(super) fn sided(&self, upper: f64, lower: f64) -> f64 {
        match self.alternative {
            Alternative::TwoSided => upper.max(lower) - std::f64::consts::LN_2,
            Alternative::Greater => upper,
            Alternative::Less => lower,
        }
    }

    /// α of one side.
    pub(super) fn side_alpha(&self) -> f64 {
        match self.alternative {
            Alternative::TwoSided => self.alpha() / 2.0,
            _ => self.alpha(),
        }
    }

    /// Joins a statement to the looks before it.
    pub(super) fn record(&mut self, label: String, now: Statement) -> ConfidenceLook {
        let last = self.looks.last();
        let look = ConfidenceLook {
            label,
            rows: now.rows,
            estimate: now.estimate,
            lower: now.lower,
            upper: now.upper,
            running_lower: last.map_or(now.lower, |l| l.running_lower.max(now.lower)),
            running_upper: last.map_or(now.upper, |l| l.running_upper.min(now.upper)),
            log_e_value: now.log_e_value.clamp(f64::MIN, f64::MAX),
            p_value: (now.p_value.unwrap_or_else(|| (-now.log_e_value).exp())).min(self.p_value()),
        };
        self.looks.push(look.clone());
        look
    }

    pub(super) fn interval(&self, running: bool) -> Interval {
        let ends = self.looks.last().map(|l| {
            if running {
                (l.running_lower, l.running_upper)
            } else {
                (l.lower, l.upper)
            }
        });
        let (lower, upper) = ends.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        Interval {
            name: self.name.clone(),
            level: self.level,
            lower,
            upper,
        }
    }

    /// A truth that stays and what a sequence assumes leave an intersection with probability `level` at least.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let empty = self
            .looks
            .iter()
            .find(|l| l.running_lower > l.running_upper);
        let contradiction = empty.map(|look| Warning::Note {
            message: format!(
                "the intervals of {} have no point in common from look {} on: what is estimated changed over time, or an assumption fails; \
                 report the intervals of the looks, not their intersection",
                self.name, look.label
            ),
        });
        self.notes.iter().cloned().chain(contradiction).collect()
    }

    pub(super) fn table(&self, method: &str) -> Table {
        let percent = Cell::percent(self.level, 0);
        let mut table = Table::new(format!("{}, valid at every look", self.name)).columns([
            "Look".to_owned(),
            "Rows".to_owned(),
            "Estimate".to_owned(),
            format!("{percent} lower"),
            format!("{percent} upper"),
            "p".to_owned(),
        ]);
        for look in &self.looks {
            table = table.row([
                Cell::from(look.label.as_str()),
                Cell::count(look.rows as usize),
                Cell::significant(look.estimate, 5),
                Cell::significant(look.lower, 5),
                Cell::significant(look.upper, 5),
                Cell::p_value(look.p_value),
            ]);
        }
        let side = match self.alternative {
            Alternative::TwoSided => "differs from",
            Alternative::Greater => "is greater than",
            Alternative::Less => "is less than",
        };
        table = table.note(format!(
            "{method}; p-value of whether it {side} {}",
            self.null
        ));
        for warning in self.warnings() {
            table = table.note(warning.to_string());
        }
        table
    }

    pub(super) fn figure(&self) -> Result<Figure> {
        let of = |f: fn(&ConfidenceLook) -> f64| self.looks.iter().map(f).collect::<Vec<_>>();
        LinePlot::new()
            .title(format!("{}: confidence sequence", self.name))
            .x_title("Rows")
            .y_title(&self.name)
            .line(&self.name, of(|l| l.rows as f64), of(|l| l.estimate))
            .band(of(|l| l.lower), of(|l| l.upper))
            .reference_y(self.null)
            .draw()
    }
}

/// What all sequences answer.
macro_rules! sequence {
    ($type:ident) => {
        impl $type {
            /// Confidence level of the whole sequence (0.95).
            ///
            /// # Errors
            /// [`Error::InvalidOption`](crate::Error::InvalidOption) outside (0, 1), for one-sided sequences at a half or below, and after a look.
            pub fn level(mut self, level: f64) -> crate::Result<Self> {
                self.before_looks("level", level)?;
                self.track.level = level;
                self.track.check()?;
                Ok(self)
            }

            /// The value that the p-value tests (0).
            ///
            /// # Errors
            /// [`Error::InvalidOption`](crate::Error::InvalidOption) unless finite, and after a look.
            pub fn null(mut self, null: f64) -> crate::Result<Self> {
                self.before_looks("null", null)?;
                self.track.null = null;
                self.track.check()?;
                Ok(self)
            }

            /// What it is called in tables and figures.
            pub fn named(mut self, name: impl Into<String>) -> Self {
                self.track.name = name.into();
                self
            }

            /// An option chosen with the data in view would void the guarantee.
            fn before_looks(
                &self,
                option: &str,
                value: impl std::fmt::Display,
            ) -> crate::Result<()> {
                if self.track.looks.is_empty() {
                    return Ok(());
                }
                Err(crate::Error::invalid_option(
                    option,
                    value,
                    "set before the first look; begin a new sequence",
                ))
            }

            /// What was said at each look.
            pub fn looks(&self) -> &[super::ConfidenceLook] {
                &self.track.looks
            }

            /// Rows at the latest look.
            pub fn rows(&self) -> u64 {
                self.track.rows()
            }

            /// The interval of the latest look; the whole line before the first.
            pub fn interval(&self) -> crate::inference::Interval {
                self.track.interval(false)
            }

            /// The points that are in the intervals of all looks: never wider, and covers as surely while what is estimated does not change.
            pub fn running_interval(&self) -> crate::inference::Interval {
                self.track.interval(true)
            }

            /// The p-value of the null value, valid although one looked before; one before the first look.
            pub fn p_value(&self) -> f64 {
                self.track.p_value()
            }

            /// The e-value against the null value now: e-values of several metrics or arms that are watched together, whatever their dependence and the
            /// moment of looking, go to [`MultipleTests::e_bh`](crate::inference::MultipleTests::e_bh).
            pub fn e_value(&self) -> crate::inference::EValue {
                self.track.e_value()
            }

            /// Whether the looks contradict each other.
            pub fn warnings(&self) -> Vec<crate::Warning> {
                self.track.warnings()
            }

            /// One row a look.
            pub fn table(&self) -> crate::report::Table {
                self.track.table(&self.method())
            }

            /// Estimates and intervals over the rows, with the null value as a line.
            ///
            /// # Errors
            /// [`Error::InvalidOption`](crate::Error::InvalidOption) before the first look.
            pub fn figure(&self) -> crate::Result<crate::report::Figure> {
                self.track.figure()
            }
        }

        crate::report::shown!($type);
    };
}
pub(super) use sequence;

/// The declared side of a sequence that has sides.
macro_rules! sided {
    ($type:ident) => {
        impl $type {
            /// Against which side the null value is tested (two-sided); the interval of one side is open on the other.
            ///
            /// # Errors
            /// [`Error::InvalidOption`](crate::Error::InvalidOption) after a look, and for a level of a half or below.
            pub fn alternative(
                mut self,
                alternative: crate::inference::Alternative,
            ) -> crate::Result<Self> {
                self.before_looks("alternative", format!("{alternative:?}"))?;
                self.track.alternative = alternative;
                self.track.check()?;
                Ok(self)
            }
        }
    };
}
pub(super) use sided;
