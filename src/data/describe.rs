//! What is in a frame: a summary of every column, and the first rows as a table.

use super::column::{Column, MISSING};
use super::frame::Frame;
use super::time;
use crate::report::{Cell, Table, notebook::notebook};
use serde::Serialize;
use std::fmt;

/// A summary of every column of a frame, made by [`Frame::describe`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// Rows of the frame.
    pub rows: usize,
    /// One summary a column.
    pub columns: Vec<ColumnDescription>,
}

/// The summary of one column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnDescription {
    /// The column's name.
    pub name: String,
    /// `real`, `flag`, `label` or `time`.
    pub kind: &'static str,
    /// Rows that are missing.
    pub missing: usize,
    /// Rows that are infinite.
    pub infinite: usize,
    /// Moments and quantiles of the finite values: of numbers, of flags as 0 and 1, of times in seconds. `None` for labels
    /// and where no value is finite.
    pub numbers: Option<NumberSummary>,
    /// The distinct values of a label or flag, `None` for others.
    pub distinct: Option<usize>,
    /// The most frequent values of a label or flag, ties in the order of the levels.
    pub examples: Vec<LevelCount>,
}

/// Moments and quantiles of the finite values of a column.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NumberSummary {
    /// The mean.
    pub mean: f64,
    /// The standard deviation with divisor n − 1; NaN for a single value.
    pub std_dev: f64,
    /// The smallest value.
    pub min: f64,
    /// The lower quartile. Quartiles interpolate linearly between order statistics (type 7 of Hyndman & Fan 1996).
    pub lower_quartile: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub upper_quartile: f64,
    /// The largest value.
    pub max: f64,
}

/// A level and how many rows have it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LevelCount {
    /// The value.
    pub level: String,
    /// Rows.
    pub count: usize,
}

impl Frame {
    /// Summarises every column.
    ///
    /// ```
    /// use cocreate::prelude::*;
    /// let frame = Frame::from_csv("arm,spend\nA,1\nB,5\nA,\n")?;
    /// let d = frame.describe();
    /// assert_eq!(d.columns[1].missing, 1);
    /// assert_eq!(d.columns[1].numbers.map(|n| n.mean), Some(3.0));
    /// assert_eq!(d.columns[0].examples[0].level, "A");
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn describe(&self) -> Description {
        Description {
            rows: self.rows(),
            columns: self
                .iter()
                .map(|(name, column)| describe(name, column))
                .collect(),
        }
    }

    /// The first rows as a table.
    pub fn to_table(&self) -> Table {
        /// Rows and columns shown.
        const SHOWN: (usize, usize) = (10, 12);
        let columns: Vec<(&str, &Column)> = self.iter().take(SHOWN.1).collect();
        let mut table = Table::new("").columns(columns.iter().map(|(name, _)| *name));
        for row in 0..self.rows().min(SHOWN.0) {
            table = table.row(columns.iter().map(|(_, column)| cell(column, row)));
        }
        let kinds: Vec<String> = columns
            .iter()
            .map(|(name, column)| format!("{name} {}", column.kind()))
            .collect();
        let mut note = format!(
            "{} rows, {} columns: {}",
            self.rows(),
            self.columns(),
            kinds.join(", ")
        );
        if self.columns() > SHOWN.1 {
            note.push_str(", …");
        }
        table.note(note)
    }

    /// The first rows as HTML.
    pub fn to_html(&self) -> String {
        self.to_table().to_html()
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_table().fmt(f)
    }
}

notebook!(Frame);

impl Description {
    /// The summary as a table.
    pub fn to_table(&self) -> Table {
        /// Levels shown of a column.
        const LEVELS: usize = 3;
        let headers = [
            "column", "kind", "missing", "mean", "sd", "min", "25%", "median", "75%", "max",
            "values",
        ];
        let mut table = Table::new(format!(
            "{} rows, {} columns",
            self.rows,
            self.columns.len()
        ))
        .columns(headers);
        for c in &self.columns {
            let mut cells = vec![
                Cell::text(&*c.name),
                Cell::text(c.kind),
                Cell::count(c.missing),
            ];
            match &c.numbers {
                Some(n) => {
                    let quantiles = [n.min, n.lower_quartile, n.median, n.upper_quartile, n.max];
                    if c.kind == "time" {
                        cells.extend([Cell::text(time::iso_text(n.mean.round())), Cell::empty()]);
                        cells.extend(quantiles.map(|q| Cell::text(time::iso_text(q.round()))));
                    } else {
                        cells.extend([n.mean, n.std_dev].map(number));
                        cells.extend(quantiles.map(number));
                    }
                }
                None => cells.extend((0..headers.len() - 1 - cells.len()).map(|_| Cell::empty())),
            }
            let mut values: Vec<String> = c
                .examples
                .iter()
                .take(LEVELS)
                .map(|e| format!("{} ({})", e.level, e.count))
                .collect();
            if c.distinct.is_some_and(|d| d > values.len()) {
                values.push(format!("… {} in all", c.distinct.unwrap_or(0)));
            }
            if c.infinite > 0 {
                values.push(format!("{} infinite", c.infinite));
            }
            cells.push(Cell::text(values.join(", ")));
            table = table.row(cells);
        }
        table
    }

    /// The summary as HTML.
    pub fn to_html(&self) -> String {
        self.to_table().to_html()
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_table().fmt(f)
    }
}

notebook!(Description);

/// Significant digits of numbers in both tables.
const DIGITS: usize = 5;

fn number(value: f64) -> Cell {
    Cell::significant(value, DIGITS)
}

fn cell(column: &Column, row: usize) -> Cell {
    match column {
        Column::Real(c) => number(c.values()[row]),
        other => other.text(row).map_or(
            Cell::number(f64::NAN, crate::report::NumberFormat::Fixed(0)),
            Cell::text,
        ),
    }
}

fn describe(name: &str, column: &Column) -> ColumnDescription {
    let counts: Vec<(&str, usize)> = match column {
        Column::Label(label) => {
            let mut counts = vec![0; label.levels().len()];
            for code in label.codes().iter().filter(|c| **c != MISSING) {
                counts[*code as usize] += 1;
            }
            label
                .levels()
                .iter()
                .zip(counts)
                .filter(|(_, n)| *n > 0)
                .collect()
        }
        Column::Flag(flags) => {
            let yes = flags.iter().filter(|v| **v).count();
            [("false", flags.len() - yes), ("true", yes)]
                .into_iter()
                .filter(|(_, n)| *n > 0)
                .collect()
        }
        _ => Vec::new(),
    };
    let (numbers, infinite) = match column {
        Column::Real(c) => (summarise(c.values()), c.infinite()),
        Column::Time(c) => (summarise(c.seconds().values()), c.seconds().infinite()),
        Column::Flag(c) => (
            summarise(
                &c.iter()
                    .map(|v| f64::from(u8::from(*v)))
                    .collect::<Vec<_>>(),
            ),
            0,
        ),
        Column::Label(_) => (None, 0),
    };
    let discrete = matches!(column, Column::Label(_) | Column::Flag(_));
    ColumnDescription {
        name: name.to_owned(),
        kind: column.kind(),
        missing: column.missing(),
        infinite,
        numbers,
        distinct: discrete.then_some(counts.len()),
        examples: most_frequent(counts),
    }
}

/// The levels with the highest counts.
fn most_frequent(mut counts: Vec<(&str, usize)>) -> Vec<LevelCount> {
    const KEPT: usize = 5;
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let kept = counts.into_iter().take(KEPT);
    kept.map(|(level, count)| LevelCount {
        level: level.to_owned(),
        count,
    })
    .collect()
}

/// Moments in two passes around the first value and then around the mean, so that a large mean does not swallow a small
/// variance; quantiles by selection.
fn summarise(values: &[f64]) -> Option<NumberSummary> {
    let mut finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let origin = *finite.first()?;
    let n = finite.len() as f64;
    let mean = origin + finite.iter().map(|v| (v - origin) / n).sum::<f64>();
    let (mut squares, mut rest) = (0.0, 0.0);
    for v in &finite {
        squares += (v - mean) * (v - mean);
        rest += v - mean;
    }
    let variance = (squares - rest * rest / n).max(0.0) / (n - 1.0);
    let quantile = |values: &mut [f64], p: f64| {
        let position = p * (values.len() - 1) as f64;
        let (_, low, above) =
            values.select_nth_unstable_by(position.floor() as usize, f64::total_cmp);
        let low = *low;
        let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(low);
        low + position.fract() * (high - low)
    };
    Some(NumberSummary {
        mean: mean + rest / n,
        std_dev: variance.sqrt(),
        min: quantile(&mut finite, 0.0),
        lower_quartile: quantile(&mut finite, 0.25),
        median: quantile(&mut finite, 0.5),
        upper_quartile: quantile(&mut finite, 0.75),
        max: quantile(&mut finite, 1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-14 * b.abs()
    }

    #[test]
    fn moments_and_quartiles_match_numpy() {
        // NumPy 2: mean, std(ddof=1), quantile of the finite values.
        let s = summarise(&[7.0, 2.0, f64::NAN, 4.0, 100.0, 4.0, f64::INFINITY, 9.0, 5.0]).unwrap();
        assert!(close(s.mean, 18.714_285_714_285_715) && close(s.std_dev, 35.915_244_143_744_33));
        assert_eq!(
            [s.min, s.lower_quartile, s.median, s.upper_quartile, s.max],
            [2.0, 4.0, 5.0, 8.0, 100.0]
        );
        let s = summarise(&[3.5, 1.25, 8.0, 2.0]).unwrap();
        assert!(close(s.mean, 3.6875) && close(s.std_dev, 3.023_346_655_611_956));
        assert_eq!(
            [s.lower_quartile, s.median, s.upper_quartile],
            [1.8125, 2.75, 4.625]
        );
        assert!(summarise(&[1.0]).unwrap().std_dev.is_nan());
        assert_eq!(summarise(&[f64::NAN, f64::INFINITY]), None);
    }

    #[test]
    fn a_large_mean_does_not_swallow_the_variance() {
        let x: Vec<f64> = (0..1000_u32).map(|i| 1e12 + f64::from(i % 2)).collect();
        let s = summarise(&x).unwrap();
        assert!((s.std_dev - (250.0_f64 / 999.0).sqrt()).abs() < 1e-12);
        assert!((s.mean - 1e12 - 0.5).abs() < 1e-4);
    }

    #[test]
    fn every_kind_is_described_and_shown() {
        let text = "x,arm,won,day\n1.5,b,true,2024-01-01\ninf,,false,\n3,a,true,2024-01-03T12:00:00Z\n,a,true,2024-01-02\n";
        let f = Frame::from_csv(text).unwrap();
        let d = f.describe();
        assert_eq!(
            (d.rows, d.columns[0].missing, d.columns[0].infinite),
            (4, 1, 1)
        );
        assert_eq!(d.columns[1].distinct, Some(2));
        assert_eq!(
            d.columns[1].examples[0],
            LevelCount {
                level: "a".into(),
                count: 2
            }
        );
        assert_eq!(d.columns[2].numbers.unwrap().mean, 0.75);
        let shown = d.to_string();
        for part in [
            "4 rows, 4 columns",
            "a (2), b (1)",
            "1 infinite",
            "2024-01-03T12:00:00Z",
            "true (3)",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        let shown = f.to_string();
        for part in [
            "4 rows, 4 columns: x real, arm label, won flag, day time",
            "2024-01-02",
            "∞",
            "–",
        ] {
            assert!(shown.contains(part), "{part}\n{shown}");
        }
        assert!(f.to_html().contains("<table") && d.to_html().contains("<table"));
        assert_eq!(Frame::new().describe().columns.len(), 0);
        assert!(Frame::new().to_string().contains("0 rows"));
    }
}
