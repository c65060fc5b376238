//! How precisely the items measure, ability by ability.

use super::fit::ItemResponseFit;
use super::item::Item;
use super::scores::Scoring;
use crate::error::{Error, Result};
use crate::report::{Cell, DistributionMap, Figure, LinePlot, Table};
use serde::{Deserialize, Serialize};

/// Abilities shown when none are asked for: from −4 to 4, where persons are when ability is standard normal.
const SHOWN: [f64; 2] = [-4.0, 4.0];
const POINTS: usize = 81;

/// Information of the items and of the test, `I(a) = Σ_k I_k(a)`, and the standard error `1/√I(a)` of a maximum-likelihood score.
///
/// ```
/// use cocreate::ability::{Item, TestInformation};
/// let items = [Item::rasch("easy", -1.0)?, Item::rasch("hard", 1.0)?];
/// let curve = TestInformation::of(&items, &[-1.0, 0.0, 1.0])?;
/// assert!((curve.test()[1] - 2.0 * 0.196_611_933_241_481_85).abs() < 1e-12); // 2 Λ(1)Λ(−1)
/// # Ok::<(), cocreate::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestInformation {
    abilities: Vec<f64>,
    names: Vec<String>,
    /// One vector an item.
    items: Vec<Vec<f64>>,
    test: Vec<f64>,
}

impl TestInformation {
    /// The information of items at abilities.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] without items or abilities, or for abilities that are not finite.
    pub fn of(items: &[Item], abilities: &[f64]) -> Result<Self> {
        if items.is_empty() || abilities.is_empty() || abilities.iter().any(|a| !a.is_finite()) {
            return Err(Error::invalid_option(
                "abilities",
                format!("{} abilities for {} items", abilities.len(), items.len()),
                "finite, at least one, for at least one item",
            ));
        }
        let own: Vec<Vec<f64>> = items
            .iter()
            .map(|item| abilities.iter().map(|a| item.information(*a)).collect())
            .collect();
        let test = (0..abilities.len())
            .map(|q| own.iter().map(|i: &Vec<f64>| i[q]).sum())
            .collect();
        Ok(Self {
            abilities: abilities.to_vec(),
            names: items.iter().map(|i| i.name().to_owned()).collect(),
            items: own,
            test,
        })
    }

    /// The abilities.
    pub fn abilities(&self) -> &[f64] {
        &self.abilities
    }

    /// The information of an item at the abilities.
    pub fn item(&self, name: &str) -> Option<&[f64]> {
        let at = self.names.iter().position(|n| n == name)?;
        Some(&self.items[at])
    }

    /// The information of the test at the abilities.
    pub fn test(&self) -> &[f64] {
        &self.test
    }

    /// The standard error of a maximum-likelihood score at the abilities.
    pub fn std_errors(&self) -> Vec<f64> {
        self.test.iter().map(|i| i.sqrt().recip()).collect()
    }

    /// Test information and standard error against ability.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is too little to draw.
    pub fn plot(&self) -> Result<Figure> {
        LinePlot::new()
            .title("Test information and standard error")
            .x_title("ability")
            .y_title("information, standard error")
            .line("information", &self.abilities, &self.test)
            .line("standard error", &self.abilities, self.std_errors())
            .draw()
    }

    /// The information of each item against ability.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] when there is too little to draw.
    pub fn plot_items(&self) -> Result<Figure> {
        let start = LinePlot::new()
            .title("Item information")
            .x_title("ability")
            .y_title("information");
        let lines = self.names.iter().zip(&self.items);
        lines
            .fold(start, |plot, (name, own)| {
                plot.line(name.as_str(), &self.abilities, own)
            })
            .draw()
    }

    /// Information and standard error at about nine abilities.
    pub fn table(&self) -> Table {
        const ROWS: usize = 9;
        let every = self.abilities.len().div_ceil(ROWS).max(1);
        let mut table =
            Table::new("Test information").columns(["Ability", "Information", "Std. error"]);
        let errors = self.std_errors();
        for q in (0..self.abilities.len()).step_by(every) {
            table = table.row([
                Cell::fixed(self.abilities[q], 2),
                Cell::significant(self.test[q], 4),
                Cell::significant(errors[q], 4),
            ]);
        }
        table
    }

    /// The table as HTML.
    pub fn to_html(&self) -> String {
        self.table().to_html()
    }
}

impl std::fmt::Display for TestInformation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.table().fmt(f)
    }
}

crate::report::notebook!(TestInformation);

impl ItemResponseFit {
    /// Test and item information at 81 abilities within four standard deviations of the mean (of the first group).
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a fit without items.
    pub fn information(&self) -> Result<TestInformation> {
        TestInformation::of(self.items(), &self.abilities_shown())
    }

    /// The abilities that figures show.
    pub(super) fn abilities_shown(&self) -> Vec<f64> {
        let group = self.population().groups().first();
        let (mean, sd) = group.map_or((0.0, 1.0), |g| (g.mean, g.variance.sqrt()));
        let at = |i: usize| SHOWN[0] + (SHOWN[1] - SHOWN[0]) * i as f64 / (POINTS - 1) as f64;
        (0..POINTS).map(|i| mean + sd * at(i)).collect()
    }

    /// The characteristic curves of an item: the probability of each answer against ability (of the highest alone, when there are
    /// two).
    ///
    /// # Errors
    /// [`Error::ColumnNotFound`] for an item that the fit does not have.
    pub fn item_curves(&self, item: &str) -> Result<Figure> {
        let names: Vec<String> = self.items().iter().map(|i| i.name().to_owned()).collect();
        let found = self.items().iter().find(|i| i.name() == item);
        let found = found.ok_or_else(|| Error::column_not_found(item, &names))?;
        let x = self.abilities_shown();
        let start = LinePlot::new()
            .title(format!("Characteristic curves of {item}"))
            .x_title("ability")
            .y_title("probability");
        let first = usize::from(found.categories() == 2);
        (first..found.categories())
            .fold(start, |plot, c| {
                let y: Vec<f64> = x.iter().map(|a| found.probabilities(*a)[c]).collect();
                plot.line(format!("answer {c}"), &x, y)
            })
            .draw()
    }

    /// The expected share of the highest score of every item against ability, all in one figure.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for a fit without items.
    pub fn all_item_curves(&self) -> Result<Figure> {
        let x = self.abilities_shown();
        let start = LinePlot::new()
            .title("Item characteristic curves")
            .x_title("ability")
            .y_title("expected score, as a share of the highest");
        self.items()
            .iter()
            .fold(start, |plot, item| {
                let top = (item.categories() - 1) as f64;
                let y: Vec<f64> = x.iter().map(|a| item.expected_score(*a) / top).collect();
                plot.line(item.name(), &x, y)
            })
            .draw()
    }

    /// The person–item map (Wright map): weighted likelihood scores of the persons above the difficulties, thresholds or steps of the
    /// items, on the same scale. Where there are persons but no items the test does not tell them apart.
    ///
    /// # Errors
    /// [`Error::DataNotKept`] after `lean`.
    pub fn person_item_map(&self) -> Result<Figure> {
        let scores = self.scores(Scoring::WeightedLikelihood)?;
        let start = DistributionMap::new("Persons", scores.ability())
            .title("Persons and items")
            .x_title("ability, difficulty");
        self.items()
            .iter()
            .flat_map(|item| item.thresholds().into_iter().map(|b| (item.name(), b)))
            .fold(start, |map, (name, b)| map.point(name, b))
            .draw()
    }
}
