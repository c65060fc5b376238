//! Who voiced which need: the counts that all estimators of unseen needs use.

use crate::data::Frame;
use crate::error::{Error, Result, Warning};
use crate::report::{Cell, Table};
use serde::{Deserialize, Serialize};

/// Reads who voiced which need in T interviews (customers), for the **needs-discovery curve**: how many needs n interviews voice, how many there are that
/// nobody has voiced yet, and how many more interviews reach a given share of them.
///
/// What counts is in how many interviews each need was voiced: Q_k is the number of needs voiced in exactly k of them. Needs differ in how likely a
/// customer voices them, so the needs seen are not the needs there are; those voiced once or twice tell how many are left:
/// - without a model, [`VoicedNeeds::chao2`] is a lower bound of the number of needs, [`VoicedNeeds::coverage`] the share of what customers would
///   voice that belongs to needs already seen, [`VoicedNeeds::curve`] the curve before and beyond T;
/// - with one, [`VoicedNeeds::beta_binomial`]: the probability that a customer voices a need has a beta distribution over needs.
///
/// # Identification
/// Interviews are independent and alike (no need is asked for because an earlier customer voiced it), customers are a sample of those
/// the needs are of, and the same need is coded as the same in all interviews. Needs that no customer would ever voice are outside every
/// estimator.
///
/// # Errors
/// [`Error::InvalidOption`] for fewer than two interviews, or fewer than the data have; [`Error::OutOfRange`] with the row for counts that are negative, not whole or
/// above the number of interviews; [`Error::NoRows`] when no need was voiced; [`Error::Unidentified`] when every need was voiced in every interview.
///
/// # References
/// Griffin, A. & Hauser, J. R. (1993). The voice of the customer. *Marketing Science* 12(1), 1–27. doi:10.1287/mksc.12.1.1
///
/// Chao, A., Gotelli, N. J., Hsieh, T. C., et al. (2014). Rarefaction and extrapolation with Hill numbers. *Ecological Monographs* 84(1), 45–67.
/// doi:10.1890/13-0133.1
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// // One row a need: in how many of 24 interviews it was voiced.
/// let frame = Frame::new().with("voiced_by", vec![14, 9, 7, 5, 4, 3, 3, 2, 2, 2, 1, 1, 1, 1, 1])?;
/// let needs = NeedsDiscovery::counts("voiced_by", 24).fit(&frame)?;
/// let total = needs.chao2(ChaoForm::BiasCorrected, 0.95)?;
/// assert!((total.estimate.estimate - 17.4).abs() < 0.1 && total.interval.lower > 15.0);
/// assert!(needs.coverage()?.estimate > 0.9);
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NeedsDiscovery {
    source: Source,
    interviews: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
enum Source {
    Mentions { interview: String, need: String },
    Counts(String),
}

impl NeedsDiscovery {
    /// One row a mention: columns of the interview and of the need. A need mentioned twice in an interview is voiced once.
    pub fn mentions(interview: impl Into<String>, need: impl Into<String>) -> Self {
        let (interview, need) = (interview.into(), need.into());
        Self {
            source: Source::Mentions { interview, need },
            interviews: None,
        }
    }

    /// One row a need: the column of the number of interviews that voiced it, and how many interviews there were.
    pub fn counts(column: impl Into<String>, interviews: usize) -> Self {
        Self {
            source: Source::Counts(column.into()),
            interviews: Some(interviews),
        }
    }

    /// How many interviews there were, where some voiced no need and have no row.
    pub fn interviews(mut self, interviews: usize) -> Self {
        self.interviews = Some(interviews);
        self
    }

    /// Counts.
    ///
    /// # Errors
    /// See [`NeedsDiscovery`].
    pub fn fit(&self, frame: &Frame) -> Result<VoicedNeeds> {
        match &self.source {
            Source::Counts(column) => self.read_counts(column, frame),
            Source::Mentions { interview, need } => self.read_mentions(interview, need, frame),
        }
    }

    fn read_counts(&self, column: &str, frame: &Frame) -> Result<VoicedNeeds> {
        let interviews = self.interviews.unwrap_or_default();
        let values = frame.numeric(column)?;
        let mut voiced = Vec::new();
        for (row, value) in values.values().iter().enumerate() {
            if value.is_nan() {
                continue;
            }
            let whole = value.fract().abs() <= 0.0;
            if !(whole && *value >= 0.0 && *value <= interviews as f64) {
                return Err(Error::OutOfRange {
                    column: column.to_owned(),
                    row: row + 1,
                    value: *value,
                    expected: format!(
                        "a whole number from 0 to {interviews}, the number of interviews"
                    ),
                });
            }
            voiced.push(*value as usize);
        }
        let mut needs = VoicedNeeds::new(&voiced, interviews, None)?;
        let missing = frame.rows() - voiced.len();
        if missing > 0 {
            needs.warnings.push(Warning::RowsDropped {
                dropped: missing,
                missing: vec![(column.to_owned(), missing)],
            });
        }
        Ok(needs)
    }

    fn read_mentions(&self, interview: &str, need: &str, frame: &Frame) -> Result<VoicedNeeds> {
        let (who, what) = (frame.groups(interview)?, frame.groups(need)?);
        let mut pairs: Vec<(u32, u32)> = (what.codes.iter().zip(who.codes.iter()))
            .filter(|(need, who)| **need != u32::MAX && **who != u32::MAX)
            .map(|(need, who)| (*need, *who))
            .collect();
        let complete = pairs.len();
        let mut mentions = vec![0; what.count()];
        for (need, _) in &pairs {
            mentions[*need as usize] += 1;
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut voiced = vec![0; what.count()];
        for (need, _) in &pairs {
            voiced[*need as usize] += 1;
        }
        let heard = who.count();
        let interviews = self.interviews.unwrap_or(heard);
        if interviews < heard {
            return Err(Error::invalid_option(
                "interviews",
                interviews,
                format!("at least {heard}, as many as `{interview}` has"),
            ));
        }
        let mut needs = VoicedNeeds::new(&voiced, interviews, Some(&mentions))?;
        let dropped = frame.rows() - complete;
        if dropped > 0 {
            needs.warnings.push(Warning::RowsDropped {
                dropped,
                missing: [(interview, who.missing), (need, what.missing)]
                    .into_iter()
                    .filter(|(_, missing)| *missing > 0)
                    .map(|(name, missing)| (name.to_owned(), missing))
                    .collect(),
            });
        }
        Ok(needs)
    }
}

/// In how many interviews needs were voiced. Made by [`NeedsDiscovery::fit`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoicedNeeds {
    /// T.
    pub(super) interviews: usize,
    /// Q_1, Q_2, …, Q_T.
    pub(super) frequencies: Vec<f64>,
    /// f_1, f_2, … of mentions, where they were counted.
    pub(super) mentions: Option<Vec<f64>>,
    warnings: Vec<Warning>,
}

impl VoicedNeeds {
    fn new(voiced: &[usize], interviews: usize, mentions: Option<&[usize]>) -> Result<Self> {
        if interviews < 2 {
            return Err(Error::invalid_option(
                "interviews",
                interviews,
                "at least 2: one interview does not tell rare needs from common ones",
            ));
        }
        let count = |of: &[usize], most: usize| {
            let mut out = vec![0.0; most];
            for k in of.iter().filter(|k| **k > 0) {
                out[k - 1] += 1.0;
            }
            out
        };
        let frequencies = count(voiced, interviews);
        let observed: f64 = frequencies.iter().sum();
        if observed <= 0.0 {
            return Err(Error::NoRows {
                reason: "no need was voiced in any interview".to_owned(),
            });
        }
        if frequencies[interviews - 1] >= observed {
            return Err(Error::Unidentified {
                what: "the chance that a need is not voiced".to_owned(),
                needs: format!(
                    "needs that some interviews do not voice: all {observed} were voiced in all {interviews}"
                ),
            });
        }
        let silent = voiced.iter().filter(|k| **k == 0).count();
        let warnings = (silent > 0).then(|| Warning::Note {
            message: format!(
                "{silent} needs with a count of zero left out: that they are listed does not say how many others are unvoiced"
            ),
        });
        Ok(Self {
            interviews,
            frequencies,
            mentions: mentions.map(|m| count(m, m.iter().copied().max().unwrap_or(1))),
            warnings: warnings.into_iter().collect(),
        })
    }

    /// T, the number of interviews.
    pub fn interviews(&self) -> usize {
        self.interviews
    }

    /// How many needs were voiced.
    pub fn observed(&self) -> f64 {
        self.frequencies.iter().sum()
    }

    /// Q_k: how many needs were voiced in exactly k interviews.
    pub fn voiced_in(&self, k: usize) -> f64 {
        (k.checked_sub(1))
            .and_then(|at| self.frequencies.get(at))
            .copied()
            .unwrap_or(0.0)
    }

    /// What a reader of the numbers must know.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Counts and estimates as a table.
    pub fn table(&self) -> Table {
        const DIGITS: usize = 5;
        const LEVEL: f64 = 0.95;
        let mut table = Table::new("Needs that customers voice")
            .columns(["", "Estimate", "Std. error", "95 % from", "to"])
            .note(format!(
                "{} needs voiced in {} interviews; {} of them in one interview alone, {} in two",
                self.observed(),
                self.interviews,
                self.voiced_in(1),
                self.voiced_in(2)
            ));
        let totals = [
            self.chao2(super::ChaoForm::BiasCorrected, LEVEL),
            self.chao1(super::ChaoForm::BiasCorrected, LEVEL),
        ];
        for total in totals.into_iter().flatten() {
            table = table.row([
                Cell::text(total.estimate.name.as_str()),
                Cell::significant(total.estimate.estimate, DIGITS),
                Cell::significant(total.estimate.std_error, DIGITS),
                Cell::significant(total.interval.lower, DIGITS),
                Cell::significant(total.interval.upper, DIGITS),
            ]);
        }
        if let Ok(coverage) = self.coverage()
            && let Ok(interval) = coverage.confidence_interval(LEVEL)
        {
            table = table.row([
                Cell::text(coverage.name.as_str()),
                Cell::significant(coverage.estimate, DIGITS),
                Cell::significant(coverage.std_error, DIGITS),
                Cell::significant(interval.lower, DIGITS),
                Cell::significant(interval.upper.min(1.0), DIGITS),
            ]);
        }
        for warning in &self.warnings {
            table = table.note(format!("Warning: {warning}"));
        }
        table
    }
}

crate::report::notebook::shown!(VoicedNeeds);
