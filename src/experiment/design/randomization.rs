//! Random assignment: complete or by coins, within strata, of clusters, and until covariates are balanced.

use super::assigned::Assigned;
use super::balance::Balance;
use super::plan::{Plan, check_arms, finite, whole};
use crate::data::{Frame, Groups};
use crate::error::{Error, Result};
use crate::numeric::Seed;

/// Assigns the rows of a frame, or clusters of them, to arms.
///
/// Every unit has exactly the probability `share` of its arm. Fixed numbers in each arm (and stratum) are the default; what is left
/// when a share is not a whole number of units goes to chance.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `arms` | | names, control first | at least two |
/// | `shares` | equal | of the arms | sum to 1 |
/// | `independently` | off | every unit by its own coin | |
/// | `within` | none | columns whose combinations are strata | no fewer units than arms in any |
/// | `clusters` | none | column of clusters, which are assigned whole | one stratum each |
/// | `balanced_on` | none | draw again until Mahalanobis' distance of these covariates is small; call it again for less important ones | acceptance in (0, 1) |
/// | `seed` | none | required | |
///
/// Rerandomisation divides the variance of what the covariates explain by `1/v`, `v = P(χ²_{d+2} ≤ a)/P(χ²_d ≤ a)` (see
/// [`BalanceTier`](super::BalanceTier)); the usual interval is then too wide, never too short, and the randomisation test of
/// [`Assigned::randomization_test`] uses the balanced assignments only.
///
/// ```
/// use cocreate::prelude::*;
/// let n = 200;
/// let spend: Vec<f64> = (0..n).map(|i| f64::from(i * 37 % 101)).collect();
/// let region: Vec<&str> = (0..n).map(|i| if i % 3 == 0 { "north" } else { "south" }).collect();
/// let customers = Frame::new().with("spend", spend.clone())?.with("region", region)?;
/// let assigned = Randomization::new(["control", "tool"])
///     .within(["region"])
///     .balanced_on(["spend"], 0.05)
///     .seed(7)
///     .assign(&customers)?;
/// assert_eq!(assigned.counts().iter().sum::<usize>(), 200);
/// // The outcome is seen later.
/// let outcome: Vec<f64> = spend.iter().zip(assigned.is("tool")?).map(|(s, t)| s + f64::from(u8::from(t)) * 20.0).collect();
/// let data = assigned.attach(&customers, "arm")?.with("sales", outcome)?;
/// let effect = assigned.analyze(&data, "sales")?.coefficient("tool - control")?;
/// assert!((effect.estimate - 20.0).abs() < 2.0 * effect.std_error);
/// let test = assigned.randomization_test(&data, "sales", "tool", 199, 7)?;
/// assert!(test.outcomes[0].p_value < 0.05);
/// # Ok::<(), cocreate::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidOption`] for arms, shares or acceptance out of range, for strata with fewer units than arms, and for clusters that
/// lie in several strata; [`Error::SeedRequired`]; [`Error::ColumnNotFound`]; [`Error::MissingClusters`]; [`Error::NotConverged`] when no
/// balanced assignment is found; [`Error::NoRows`].
///
/// # References
/// Imbens & Rubin (2015), doi:10.1017/CBO9781139025751; Morgan & Rubin (2012), doi:10.1214/12-AOS1008, and (2015, tiers),
/// doi:10.1080/01621459.2015.1079528.
#[derive(Clone, Debug, PartialEq)]
pub struct Randomization {
    arms: Vec<String>,
    shares: Option<Vec<f64>>,
    independent: bool,
    strata: Vec<String>,
    cluster: Option<String>,
    tiers: Vec<(Vec<String>, f64)>,
    seed: Option<Seed>,
}

impl Randomization {
    /// Arms of equal size, control first.
    pub fn new<S: Into<String>>(arms: impl IntoIterator<Item = S>) -> Self {
        Self {
            arms: arms.into_iter().map(Into::into).collect(),
            shares: None,
            independent: false,
            strata: Vec::new(),
            cluster: None,
            tiers: Vec::new(),
            seed: None,
        }
    }

    /// The shares of the arms.
    pub fn shares(mut self, shares: &[f64]) -> Self {
        self.shares = Some(shares.to_vec());
        self
    }

    /// Every unit by its own coin (Bernoulli), so that the numbers in the arms vary.
    pub fn independently(mut self) -> Self {
        self.independent = true;
        self
    }

    /// Fixed numbers within each combination of these columns.
    pub fn within<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.strata = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Whole clusters are assigned.
    pub fn clusters(mut self, column: impl Into<String>) -> Self {
        self.cluster = Some(column.into());
        self
    }

    /// Draws again until these covariates are balanced, which this share of assignments are. A second call adds covariates of less
    /// importance, balanced after those before.
    pub fn balanced_on<S: Into<String>>(
        mut self,
        columns: impl IntoIterator<Item = S>,
        acceptance: f64,
    ) -> Self {
        let columns = columns.into_iter().map(Into::into).collect();
        self.tiers.push((columns, acceptance));
        self
    }

    /// Sets the seed.
    pub fn seed(mut self, seed: impl Into<Seed>) -> Self {
        self.seed = Some(seed.into());
        self
    }

    /// Draws the assignment.
    ///
    /// # Errors
    /// See [`Randomization`].
    pub fn assign(&self, frame: &Frame) -> Result<Assigned> {
        let count = self.arms.len();
        let shares = self
            .shares
            .clone()
            .unwrap_or_else(|| vec![1.0 / count as f64; count]);
        check_arms(&self.arms, &shares)?;
        let seed = self.seed.ok_or_else(|| Error::SeedRequired {
            what: "random assignment".to_owned(),
        })?;
        if frame.rows() == 0 {
            return Err(Error::NoRows {
                reason: "the frame has no units to assign".to_owned(),
            });
        }
        let clusters = match &self.cluster {
            Some(column) => Some(whole(frame, column)?),
            None => None,
        };
        let units = clusters.as_ref().map_or(frame.rows(), Groups::count);
        let strata = self.strata_of(frame, clusters.as_ref())?;
        let names = strata.as_ref().map(|g| g.levels.clone());
        let mut members = vec![Vec::new(); strata.as_ref().map_or(1, Groups::count)];
        let mut seen = vec![None; units];
        for row in 0..frame.rows() {
            let unit = clusters.as_ref().map_or(row, |g| g.codes[row] as usize);
            let stratum = strata.as_ref().map_or(0, |g| g.codes[row]);
            match seen[unit] {
                None => {
                    seen[unit] = Some(stratum);
                    members[stratum as usize].push(unit as u32);
                }
                Some(other) if other == stratum => {}
                Some(_) => {
                    let cluster = clusters.as_ref().map_or("", |g| &g.levels[unit]);
                    return Err(Error::invalid_option(
                        "clusters",
                        format!("`{cluster}`, whose rows lie in several strata"),
                        "nested in the strata, because clusters are assigned whole; stratify by what is the same for a cluster",
                    ));
                }
            }
        }
        for (s, stratum) in members.iter().enumerate() {
            if !self.independent && stratum.len() < count {
                let of = names
                    .as_ref()
                    .map_or_else(String::new, |levels| format!(" in stratum `{}`", levels[s]));
                return Err(Error::invalid_option(
                    "arms",
                    count,
                    format!(
                        "no more than the {} units{of}; merge strata, or take fewer arms",
                        stratum.len()
                    ),
                ));
            }
        }
        let of_row = clusters.as_ref().map(|g| g.codes.to_vec());
        let balance = self.balance(frame, of_row.as_deref(), units)?;
        let plan = Plan {
            shares,
            independent: self.independent,
            strata: members,
            of_row,
            units,
            balance,
        };
        Assigned::draw(
            plan,
            self.arms.clone(),
            self.strata.clone(),
            self.cluster.clone(),
            seed.child("randomized design"),
        )
    }

    /// The strata of the rows.
    fn strata_of(&self, frame: &Frame, clusters: Option<&Groups>) -> Result<Option<Groups>> {
        let mut all: Option<Groups> = None;
        for column in &self.strata {
            let groups = whole(frame, column)?;
            all = Some(match all {
                Some(before) => before.pair(&groups),
                None => groups,
            });
        }
        if let (Some(strata), Some(clusters)) = (&all, clusters)
            && strata.count() > clusters.count()
        {
            return Err(Error::invalid_option(
                "within",
                format!("{} strata of {} clusters", strata.count(), clusters.count()),
                "fewer strata than clusters",
            ));
        }
        Ok(all)
    }

    fn balance(
        &self,
        frame: &Frame,
        of_row: Option<&[u32]>,
        units: usize,
    ) -> Result<Option<Balance>> {
        if self.tiers.is_empty() {
            return Ok(None);
        }
        let mut values = Vec::new();
        for column in self.tiers.iter().flat_map(|(columns, _)| columns) {
            let rows = finite(frame, column)?;
            values.push(match of_row {
                None => rows,
                Some(of_row) => cluster_means(&rows, of_row, units),
            });
        }
        if values.is_empty() {
            return Err(Error::invalid_option(
                "balanced_on",
                "no column",
                "at least one covariate",
            ));
        }
        Balance::new(&self.tiers, &values, self.arms.len()).map(Some)
    }
}

/// Means over the rows of each cluster.
pub(super) fn cluster_means(rows: &[f64], of_row: &[u32], units: usize) -> Vec<f64> {
    let mut sums = vec![(0.0, 0.0); units];
    for (x, unit) in rows.iter().zip(of_row) {
        let sum = &mut sums[*unit as usize];
        *sum = (sum.0 + x, sum.1 + 1.0);
    }
    sums.into_iter().map(|(sum, n)| sum / n).collect()
}
