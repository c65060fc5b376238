//! What matched sets would still say if treatment was not as good as random within them.

use super::hidden_bias::{MatchedSet, Statistic, binomial, boundary, estimates, law, reach, tails};
use super::sets::SetsFit;
use crate::error::{Error, Result};
use crate::inference::{Alternative, check_level};
use crate::numeric::special::normal;
use crate::report::{Cell, Figure, LinePlot, Table};
use serde::{Deserialize, Serialize};

/// A sensitivity beyond this is not told apart from more.
const MOST: f64 = 1e4;

/// Rosenbaum's bounds: the least and the largest p-value, effect and confidence interval when two rows of a set that look alike may differ in their odds of treatment by a factor of Γ.
///
/// At Γ = 1 rows of a set are as good as randomised. An unmeasured u in [0, 1] that multiplies the odds by `Γ^u` moves the null distribution of a statistic `T = Σ_s Σ_i W_{si} q_{si}`
/// between two known ones (Rosenbaum 2002, chapter 4; for sets Gastwirth, Krieger & Rosenbaum 2000, whose largest expectations are taken set by set):
///
/// | sets | statistic |
/// |---|---|
/// | pairs | Wilcoxon's signed rank of the differences; differences of zero have a rank and no sign |
/// | sets with one treated or one untreated row | the sum of the ranks of the treated among all outcomes less their set's mean (Hodges & Lehmann 1962) |
/// | outcomes of 0 and 1 | the number of treated rows with a one: for pairs McNemar's, with its exact binomial bounds, `P(B(D, Γ/(1 + Γ)) ≥ T)` for D pairs that differ; for sets Mantel–Haenszel's |
///
/// Estimates are the additive effects at which T equals its least and its largest expectation (Hodges & Lehmann), intervals the effects that are not rejected whatever u is. P-values but for McNemar's are those of the
/// normal approximation, without correction for continuity. Outcomes of 0 and 1 have no additive effect.
///
/// | name | default | meaning | range |
/// |---|---|---|---|
/// | `gammas` | required | the factors Γ | 1 or more |
/// | `alternative` | two-sided | side of the test | see [`Alternative`] |
/// | `level` | 0.95 | confidence of intervals, which are two-sided; one less it is the size of the test | (0, 1) |
///
/// # Errors
/// [`Error::InvalidOption`] for a Γ below 1 and a level outside (0, 1); [`Error::LengthMismatch`]; [`Error::NotFinite`]; [`Error::Unidentified`] when no set differs, or sets have several rows of both arms.
///
/// # References
/// Gastwirth, Krieger & Rosenbaum (2000), doi:10.1111/1467-9868.00249; Hodges & Lehmann (1962), doi:10.1214/aoms/1177704575; Rosenbaum (1993), doi:10.1080/01621459.1993.10476405; (2002), doi:10.1007/978-1-4757-3692-2.
///
/// # Examples
/// ```
/// use cocreate::prelude::*;
/// let nsw = datasets::load("nsw")?;
/// let pairs = SetMatching::optimal("re78", "treat", "age + educ + black + hisp + marr + nodegree + re74 + re75").fit(&nsw)?;
/// let bounds = RosenbaumBounds::new(&[1.0, 1.2, 1.4]).sets(&pairs)?;
/// assert!(bounds.points()[0].p_values[1] < 0.05 && bounds.points()[2].p_values[1] > 0.05);
/// assert!(bounds.robust_to().is_some_and(|gamma| gamma < 1.4));
/// println!("{bounds}");
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RosenbaumBounds {
    gammas: Vec<f64>,
    alternative: Alternative,
    level: f64,
}

/// Bounds at one Γ: least and largest of what an unmeasured covariate could make of the data.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RosenbaumPoint {
    /// The factor by which odds of treatment may differ.
    pub gamma: f64,
    /// P-values that there is no effect.
    pub p_values: [f64; 2],
    /// Hodges–Lehmann estimates; none of outcomes of 0 and 1.
    pub estimates: Option<[f64; 2]>,
    /// Ends of the interval that has the confidence whatever was not measured; an end is none when the data do not bound it.
    pub interval: Option<[Option<f64>; 2]>,
}

/// What [`RosenbaumBounds`] found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RosenbaumBoundsFit {
    title: String,
    statistic: String,
    sets: usize,
    level: f64,
    alternative: Alternative,
    points: Vec<RosenbaumPoint>,
    robust_to: Option<f64>,
}

impl RosenbaumBounds {
    /// Bounds at some Γ.
    pub fn new(gammas: &[f64]) -> Self {
        Self {
            gammas: gammas.to_vec(),
            alternative: Alternative::TwoSided,
            level: 0.95,
        }
    }

    /// The side of the test.
    pub fn alternative(mut self, alternative: Alternative) -> Self {
        self.alternative = alternative;
        self
    }

    /// The confidence of intervals.
    pub fn level(mut self, level: f64) -> Self {
        self.level = level;
        self
    }

    /// The bounds of pairs: outcomes of the treated, and of the untreated row of each.
    ///
    /// # Errors
    /// See [`RosenbaumBounds`].
    pub fn pairs(&self, treated: &[f64], untreated: &[f64]) -> Result<RosenbaumBoundsFit> {
        if treated.len() != untreated.len() {
            return Err(Error::LengthMismatch {
                column: "untreated".to_owned(),
                expected: treated.len(),
                found: untreated.len(),
            });
        }
        let sets = treated.iter().zip(untreated).map(|(a, b)| MatchedSet {
            outcomes: vec![*a, *b],
            treated: true,
        });
        self.run(&sets.collect::<Vec<_>>(), "pairs")
    }

    /// The bounds of matched sets.
    ///
    /// # Errors
    /// See [`RosenbaumBounds`].
    pub fn sets(&self, fit: &SetsFit) -> Result<RosenbaumBoundsFit> {
        let mut arms = vec![[Vec::new(), Vec::new()]; fit.sets()];
        for (row, set) in fit.sets.iter().enumerate() {
            if let Some(set) = set {
                arms[*set as usize][usize::from(fit.treated[row])].push(fit.outcomes[row]);
            }
        }
        let sets =
            arms.into_iter().map(
                |[untreated, treated]| match (treated.len(), untreated.len()) {
                    (1, _) => Ok(MatchedSet {
                        outcomes: [treated, untreated].concat(),
                        treated: true,
                    }),
                    (_, 1) => Ok(MatchedSet {
                        outcomes: [untreated, treated].concat(),
                        treated: false,
                    }),
                    (a, b) => Err(Error::Unidentified {
                        what: format!(
                            "the bounds of a set with {a} treated and {b} untreated rows"
                        ),
                        needs: "one row of an arm in each set, as `SetMatching` makes them"
                            .to_owned(),
                    }),
                },
            );
        let [treatment, outcome] = &fit.names;
        self.run(
            &sets.collect::<Result<Vec<_>>>()?,
            &format!("{treatment} on {outcome}"),
        )
    }

    fn run(&self, sets: &[MatchedSet], what: &str) -> Result<RosenbaumBoundsFit> {
        check_level(self.level)?;
        if let Some(gamma) = self
            .gammas
            .iter()
            .find(|gamma| !(**gamma >= 1.0 && gamma.is_finite()))
        {
            return Err(Error::invalid_option(
                "gammas",
                gamma,
                "finite and 1 or more",
            ));
        }
        let all = || sets.iter().flat_map(|set| &set.outcomes);
        if all().any(|y| !y.is_finite()) {
            return Err(Error::NotFinite {
                what: format!("an outcome of {what}"),
            });
        }
        if sets.iter().all(|set| {
            set.outcomes
                .iter()
                .all(|y| (y - set.outcomes[0]).abs() <= 0.0)
        }) {
            return Err(Error::Unidentified {
                what: format!("the bounds of {what}"),
                needs: "sets whose outcomes differ".to_owned(),
            });
        }
        let pairs = sets.iter().all(|set| set.outcomes.len() == 2);
        let statistic = if all().all(|y| y.abs() <= 0.0 || (y - 1.0).abs() <= 0.0) {
            Statistic::Events
        } else if pairs {
            Statistic::SignedRank
        } else {
            Statistic::AlignedRank
        };
        let exact = statistic == Statistic::Events && pairs;
        let p_values = |gamma: f64| {
            let [greater, less] = if exact {
                binomial(sets, gamma)
            } else {
                tails(&law(sets, statistic, gamma, 0.0))
            };
            match self.alternative {
                Alternative::Greater => greater,
                Alternative::Less => less,
                Alternative::TwoSided => {
                    [0, 1].map(|end| (2.0 * greater[end].min(less[end])).min(1.0))
                }
            }
        };
        let points = self.gammas.iter().map(|gamma| RosenbaumPoint {
            gamma: *gamma,
            p_values: p_values(*gamma),
            estimates: (statistic != Statistic::Events).then(|| estimates(sets, statistic, *gamma)),
            interval: (statistic != Statistic::Events)
                .then(|| self.interval(sets, statistic, *gamma)),
        });
        let rejects = |gamma: f64| p_values(gamma)[1] <= 1.0 - self.level;
        let robust_to = rejects(1.0).then(|| {
            if rejects(MOST) {
                MOST
            } else {
                boundary(1.0, MOST, rejects)
            }
        });
        Ok(RosenbaumBoundsFit {
            title: format!("Rosenbaum bounds: {what}"),
            statistic: match (statistic, pairs) {
                (Statistic::SignedRank, _) => "Wilcoxon's signed rank statistic",
                (Statistic::AlignedRank, _) => "Hodges and Lehmann's aligned rank statistic",
                (Statistic::Events, true) => "McNemar's statistic, exact",
                (Statistic::Events, false) => "Mantel and Haenszel's statistic",
            }
            .to_owned(),
            sets: sets.len(),
            level: self.level,
            alternative: self.alternative,
            points: points.collect(),
            robust_to,
        })
    }

    fn interval(&self, sets: &[MatchedSet], statistic: Statistic, gamma: f64) -> [Option<f64>; 2] {
        let z = normal::upper_quantile(0.5 * (1.0 - self.level));
        let [low, high] = reach(sets);
        let above = |tau: f64| law(sets, statistic, gamma, tau).z(1) > z;
        let below = |tau: f64| law(sets, statistic, gamma, tau).z(0) >= -z;
        [
            above(low).then(|| boundary(low, high, above)),
            (!below(high)).then(|| boundary(low, high, below)),
        ]
    }
}

impl RosenbaumBoundsFit {
    /// The bounds, one a Γ.
    pub fn points(&self) -> &[RosenbaumPoint] {
        &self.points
    }

    /// The largest Γ (up to 10 000) at which every p-value is at most one less the level; none when it is larger without any bias.
    pub fn robust_to(&self) -> Option<f64> {
        self.robust_to
    }

    /// The bounds as a table.
    pub fn table(&self) -> Table {
        let percent = 100.0 * self.level;
        let interval = format!("{percent} % interval");
        let mut table = Table::new(&self.title)
            .columns([
                "Γ",
                "p least",
                "largest",
                "estimate least",
                "largest",
                "from",
                "to",
            ])
            .group_headers([
                ("", 1),
                ("p-value", 2),
                ("Hodges–Lehmann", 2),
                (&interval, 2),
            ]);
        let some = |value: Option<f64>| value.map_or_else(Cell::empty, |v| Cell::significant(v, 5));
        for point in &self.points {
            table = table.row([
                Cell::fixed(point.gamma, 2),
                Cell::p_value(point.p_values[0]),
                Cell::p_value(point.p_values[1]),
                some(point.estimates.map(|e| e[0])),
                some(point.estimates.map(|e| e[1])),
                some(point.interval.and_then(|i| i[0])),
                some(point.interval.and_then(|i| i[1])),
            ]);
        }
        let side = match self.alternative {
            Alternative::TwoSided => "two-sided",
            Alternative::Greater => "against larger outcomes of the treated",
            Alternative::Less => "against smaller outcomes of the treated",
        };
        table.note(format!("{} sets. {}, {side}.", self.sets, self.statistic)).note(match self.robust_to {
            Some(gamma) => format!("An unmeasured covariate would have to multiply the odds of treatment by more than {gamma:.3} to explain the difference at the {:.3} level.", 1.0 - self.level),
            None => "The difference needs no unmeasured covariate to be explained.".to_owned(),
        })
    }

    /// The largest p-value against Γ.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] without a Γ.
    pub fn plot(&self) -> Result<Figure> {
        let column =
            |f: &dyn Fn(&RosenbaumPoint) -> f64| self.points.iter().map(f).collect::<Vec<f64>>();
        LinePlot::new()
            .title(&self.title)
            .x_title("Γ, the factor by which odds of treatment may differ")
            .y_title("largest p-value")
            .line(
                "largest p-value",
                column(&|p| p.gamma),
                column(&|p| p.p_values[1]),
            )
            .reference_y(1.0 - self.level)
            .draw()
    }
}

crate::report::notebook::shown!(RosenbaumBoundsFit);
