//! The bootstrap: schemes, options, and the loop over replicates.

use super::draw::{Words, poisson_counts};
use super::fit::{BootstrapFit, Parts};
use super::jackknife::LeaveOut;
use super::mean;
use super::multinomial::multinomial;
use super::resample::{Drawn, Resample};
use super::units::Units;
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::inference::Estimate;
use crate::numeric::permutation::shuffle;
use crate::numeric::{Progress, Seed, blocks};
use serde::{Deserialize, Serialize};

/// Replicates between two reports of progress.
const WAVE: usize = 256;

/// Most values of the jackknife behind BCa; with more units they are left out in this many groups, which estimate the same skewness.
const JACKKNIFE_GROUPS: usize = 1000;

/// The bootstrap distribution of any statistic of a frame.
///
/// | scheme | what is drawn |
/// |---|---|
/// | [`Bootstrap::pairs`] | as many rows as there are, with replacement (Efron 1979) |
/// | [`Bootstrap::poisson`] | independent Poisson(1) counts of the rows, for streams and big data |
/// | [`Bootstrap::cluster`] | as many clusters as there are, whole |
/// | [`Bootstrap::little_bags`] | from each of `bags` random subsets of n^γ rows, `draws` resamples of n rows (Kleiner et al. 2014) |
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `draws` | 999 | replicates (per bag) | ≥ 2 |
/// | `seed` | none | required | any |
/// | `strata` | none | column within whose groups units are drawn | pairs and clusters |
/// | `names` | `statistic 1`, … | names of the statistics | one each |
/// | `bca` | off | also run the jackknife that [`Method::Bca`](super::Method) needs | not with Poisson or bags |
///
/// The statistic receives a [`Resample`]. A replicate that fails, or is not finite, is counted and its first reason kept in the
/// result; the others stand. Replicate i uses stream i of the seed, so results do not depend on the number of threads.
///
/// The bootstrap is consistent for smooth functions of means. It fails for extremes, for parameters on a boundary, and for the
/// variance of nearest-neighbour matching.
///
/// ```
/// use cocreate::prelude::*;
/// let frame = datasets::load("nsw")?;
/// let ratio = Bootstrap::pairs().draws(499).seed(7).names(["share"]).run(&frame, |r| {
///     Ok(vec![r.mean("re75")? / r.mean("re78")?]) // no copy is made
/// })?;
/// let interval = &ratio.confidence_interval_by(Method::Percentile, 0.95)?[0];
/// assert!(interval.lower < 0.27 && 0.27 < interval.upper && ratio.failed() == 0);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::SeedRequired`]; [`Error::InvalidOption`]; [`Error::TooFewClusters`]; [`Error::MissingClusters`]; whatever the statistic
/// says of the original frame; [`Error::Unidentified`] when fewer than two replicates succeed; [`Error::Cancelled`].
///
/// # References
/// - Efron & Tibshirani (1993), *An Introduction to the Bootstrap*; Davison & Hinkley (1997), *Bootstrap Methods and their Application*,
///   doi:10.1017/CBO9780511802843.
/// - Kleiner, Talwalkar, Sarkar & Jordan (2014), *JRSS B* 76(4), doi:10.1111/rssb.12050.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    scheme: Scheme,
    draws: usize,
    seed: Option<Seed>,
    strata: Option<String>,
    names: Vec<String>,
    bca: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Scheme {
    Pairs,
    Poisson,
    Cluster(String),
    LittleBags { bags: usize, exponent: f64 },
}

impl Bootstrap {
    fn of(scheme: Scheme) -> Self {
        Self {
            scheme,
            draws: 999,
            seed: None,
            strata: None,
            names: vec![],
            bca: false,
        }
    }

    /// Rows are drawn with replacement.
    pub fn pairs() -> Self {
        Self::of(Scheme::Pairs)
    }

    /// Every row gets an independent Poisson(1) weight.
    pub fn poisson() -> Self {
        Self::of(Scheme::Poisson)
    }

    /// Whole clusters are drawn with replacement.
    pub fn cluster(column: impl Into<String>) -> Self {
        Self::of(Scheme::Cluster(column.into()))
    }

    /// The bag of little bootstraps: `bags` random subsets of n^`exponent` rows (0.6 to 0.8 is usual), each resampled to n rows
    /// `draws` times. Statistics that use [`Resample::weights`] or [`Resample::mean`] then cost n^`exponent` operations instead of n.
    pub fn little_bags(bags: usize, exponent: f64) -> Self {
        Self::of(Scheme::LittleBags { bags, exponent })
    }

    /// Sets the number of replicates (per bag).
    pub fn draws(mut self, draws: usize) -> Self {
        self.draws = draws;
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Draws within the groups of a column, keeping their sizes.
    pub fn strata(mut self, column: impl Into<String>) -> Self {
        self.strata = Some(column.into());
        self
    }

    /// Names the statistics.
    pub fn names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.names = names.into_iter().map(Into::into).collect();
        self
    }

    /// Also runs the delete-one jackknife (of clusters under the cluster bootstrap; in 1000 groups when there are more), from which BCa
    /// intervals take their acceleration.
    pub fn bca(mut self) -> Self {
        self.bca = true;
        self
    }

    /// Runs the statistic on every resample.
    ///
    /// # Errors
    /// See [`Bootstrap`].
    pub fn run(
        &self,
        frame: &Frame,
        statistic: impl Fn(&Resample<'_>) -> Result<Vec<f64>> + Sync,
    ) -> Result<BootstrapFit> {
        self.run_with(frame, &Progress::none(), statistic)
    }

    /// The same, watched by `progress`.
    ///
    /// # Errors
    /// See [`Bootstrap`].
    pub fn run_with(
        &self,
        frame: &Frame,
        progress: &Progress,
        statistic: impl Fn(&Resample<'_>) -> Result<Vec<f64>> + Sync,
    ) -> Result<BootstrapFit> {
        let estimate = |r: &Resample<'_>| {
            Ok(Values {
                estimates: statistic(r)?,
                std_errors: vec![],
            })
        };
        self.simulate(frame, progress, self.names.clone(), &estimate)
    }

    /// Runs a statistic that also gives standard errors, such as `|r| Ok(Ols::new("y ~ x").fit(r.frame()?)?.coefficients())`, for
    /// bootstrap-t intervals. Names are those of the estimates on the original frame; a replicate that lacks one of them (a
    /// regressor dropped as collinear) counts as failed.
    ///
    /// # Errors
    /// See [`Bootstrap`].
    pub fn run_studentized(
        &self,
        frame: &Frame,
        statistic: impl Fn(&Resample<'_>) -> Result<Vec<Estimate>> + Sync,
    ) -> Result<BootstrapFit> {
        let units = Units::new(frame, None, None)?;
        let original = statistic(&Resample::new(frame, &units, Drawn::Original, None))?;
        let names: Vec<String> = original.into_iter().map(|e| e.name).collect();
        let estimate =
            |r: &Resample<'_>| {
                let found = statistic(r)?;
                let mut values = Values::default();
                for name in &names {
                    let e = found.iter().find(|e| e.name == *name).ok_or_else(|| {
                        Error::Unidentified {
                            what: format!("`{name}` in this resample"),
                            needs: "the columns that identify it".to_owned(),
                        }
                    })?;
                    values.estimates.push(e.estimate);
                    values.std_errors.push(e.std_error);
                }
                Ok(values)
            };
        self.simulate(frame, &Progress::none(), names.clone(), &estimate)
    }

    /// The bootstrap of the mean of a numeric column, missing rows left out, on the fastest road: rows are summed as they are drawn
    /// under the pairs scheme (which then carries what BCa needs) and under the Poisson scheme.
    ///
    /// # Errors
    /// See [`Bootstrap`]; [`Error::WrongKind`], [`Error::Infinite`], [`Error::NoRows`].
    pub fn mean(&self, frame: &Frame, column: &str) -> Result<BootstrapFit> {
        let weights = match self.scheme {
            Scheme::Pairs if self.strata.is_none() => Some(mean::Weights::Multinomial),
            Scheme::Poisson => Some(mean::Weights::Poisson),
            _ => None,
        };
        if let Some(weights) = weights {
            return mean::of_column(frame, column, weights, self.draws, self.checked()?);
        }
        let named = Self {
            names: vec![column.to_owned()],
            ..self.clone()
        };
        named.run(frame, |r| Ok(vec![r.mean(column)?]))
    }

    /// Checks the options and gives the seed.
    fn checked(&self) -> Result<Seed> {
        if self.draws < 2 {
            return Err(Error::invalid_option("draws", self.draws, "at least 2"));
        }
        let rows = matches!(self.scheme, Scheme::Pairs | Scheme::Cluster(_));
        if !rows && (self.strata.is_some() || self.bca) {
            return Err(Error::invalid_option(
                "strata or bca",
                "given with Poisson weights or little bags",
                "used with pairs or clusters",
            ));
        }
        if let Scheme::LittleBags { bags, exponent } = self.scheme
            && !(bags >= 1 && (0.5..=1.0).contains(&exponent))
        {
            return Err(Error::invalid_option(
                "little bags",
                format!("{bags} of n^{exponent}"),
                "at least one bag, with an exponent between 0.5 and 1",
            ));
        }
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: "the bootstrap".to_owned(),
        })?;
        Ok(seed.child("bootstrap"))
    }

    fn simulate(
        &self,
        frame: &Frame,
        progress: &Progress,
        names: Vec<String>,
        statistic: &(dyn Fn(&Resample<'_>) -> Result<Values> + Sync),
    ) -> Result<BootstrapFit> {
        let seed = self.checked()?;
        let cluster = match &self.scheme {
            Scheme::Cluster(column) => Some(column.as_str()),
            _ => None,
        };
        let units = Units::new(frame, cluster, self.strata.as_deref())?;
        let original = statistic(&Resample::new(frame, &units, Drawn::Original, None))?;
        let size = original.estimates.len();
        let names = if names.is_empty() {
            (1..=size).map(|i| format!("statistic {i}")).collect()
        } else {
            names
        };
        original.check(size)?;
        if names.len() != size {
            return Err(Error::LengthMismatch {
                column: "names of the statistics".to_owned(),
                expected: size,
                found: names.len(),
            });
        }
        let sources = self.sources(frame, &units, seed)?;
        let total = sources.len() * self.draws;
        let mut results: Vec<Result<Values>> = Vec::with_capacity(total);
        while results.len() < total {
            let from = results.len();
            results.extend(blocks::map(WAVE.min(total - from), |i| {
                let index = from + i;
                let (source, units) = &sources[index / self.draws];
                let drawn = self.draw(units, frame.rows(), seed, index as u64)?;
                let values = statistic(&Resample::new(source, units, drawn, Some(index)))?;
                values.check(size)?;
                Ok(values)
            }));
            progress.report("the bootstrap", results.len(), total)?;
        }
        let influence = if self.bca {
            let leave = LeaveOut::new(&units, JACKKNIFE_GROUPS, seed.child("jackknife"));
            let left: Vec<Result<Values>> = blocks::map(leave.parts, |i| {
                let drawn = leave.drawn(&units, frame.rows(), i);
                let values = statistic(&Resample::new(frame, &units, drawn, None))?;
                values.check(size)?;
                Ok(values)
            });
            left.into_iter()
                .map(|values| Ok(values?.estimates))
                .collect::<Result<Vec<_>>>()?
        } else {
            vec![]
        };
        Parts {
            names,
            estimates: original.estimates,
            std_errors: original.std_errors,
            per_bag: self.draws,
            results: results
                .into_iter()
                .map(|r| r.map(|v| (v.estimates, v.std_errors)))
                .collect(),
            left_out: influence,
            label: self.label(units.count),
        }
        .assemble()
    }

    /// The frames that are resampled: the original, or the bags.
    fn sources(&self, frame: &Frame, units: &Units, seed: Seed) -> Result<Vec<(Frame, Units)>> {
        let Scheme::LittleBags { bags, exponent } = self.scheme else {
            return Ok(vec![(frame.clone(), units.clone())]);
        };
        let rows = frame.rows();
        let size = ((rows as f64).powf(exponent).ceil() as usize).clamp(1, rows);
        (0..bags)
            .map(|bag| {
                let mut order: Vec<usize> = (0..rows).collect();
                shuffle(&mut order, &mut seed.child("bags").stream(bag as u64));
                order.truncate(size);
                order.sort_unstable();
                let bag = frame.take(&order)?;
                let units = Units::new(&bag, None, None)?;
                Ok((bag, units))
            })
            .collect()
    }

    fn draw(&self, units: &Units, rows: usize, seed: Seed, index: u64) -> Result<Drawn> {
        match &self.scheme {
            Scheme::Pairs | Scheme::Cluster(_) => {
                let mut words = Words::new(seed.stream(index));
                let mut drawn = Vec::with_capacity(units.count);
                for stratum in &units.strata {
                    let whole = units.strata.len() == 1;
                    words.visit(stratum.len(), stratum.len() as u32, |four, used| {
                        let four = if whole {
                            four
                        } else {
                            four.map(|i| stratum[i as usize])
                        };
                        drawn.extend_from_slice(&four[..used]);
                    });
                }
                Ok(Drawn::Units(drawn))
            }
            Scheme::Poisson => {
                let counts = poisson_counts(&mut Words::new(seed.stream(index)), units.count);
                Ok(Drawn::Counts(counts))
            }
            Scheme::LittleBags { .. } => {
                let mut counts = vec![0; units.count];
                multinomial(
                    &mut Words::new(seed.stream(index)),
                    rows as u64,
                    &mut counts,
                )?;
                Ok(Drawn::Counts(counts))
            }
        }
    }

    fn label(&self, units: usize) -> String {
        let within = self
            .strata
            .as_ref()
            .map_or(String::new(), |s| format!(" within {s}"));
        match &self.scheme {
            Scheme::Pairs => format!("pairs bootstrap{within}"),
            Scheme::Poisson => "Poisson bootstrap".to_owned(),
            Scheme::Cluster(column) => format!("cluster bootstrap by {column} ({units}){within}"),
            Scheme::LittleBags { bags, exponent } => {
                format!("bag of little bootstraps ({bags} of n^{exponent})")
            }
        }
    }
}

/// What a statistic returned.
#[derive(Default)]
struct Values {
    estimates: Vec<f64>,
    std_errors: Vec<f64>,
}

impl Values {
    fn check(&self, size: usize) -> Result<()> {
        if self.estimates.len() != size || size == 0 {
            return Err(Error::LengthMismatch {
                column: "the statistics of a replicate".to_owned(),
                expected: size.max(1),
                found: self.estimates.len(),
            });
        }
        let fine = self
            .estimates
            .iter()
            .chain(&self.std_errors)
            .all(|v| v.is_finite());
        if fine && self.std_errors.iter().all(|s| *s > 0.0) {
            return Ok(());
        }
        Err(Error::NotFinite {
            what: "the statistic (or its standard error, which must be positive)".to_owned(),
        })
    }
}
