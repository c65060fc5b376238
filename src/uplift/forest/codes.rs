//! Features as bytes, row by row: what trees are grown on and walked with.

use super::plan::Data;
use super::sample::Units;
use crate::data::Rows;
use crate::error::Warning;
use crate::numeric::blocks;
use crate::regression::learners::Features;
use crate::regression::learners::bins::{Bins, CODES, Cut, MOST_BINS};
use crate::regression::learners::features::Values;
use serde::{Deserialize, Serialize};

/// The code of a missing value, of every feature.
pub(super) const MISSING_CODE: u8 = u8::MAX;
/// Rows coded by one task.
const CHUNK: usize = 1 << 13;

/// Where one feature was cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Cuts {
    /// A number's code is the count of edges below it.
    Edges(Vec<f64>),
    /// The code of each level.
    Levels(Vec<u8>),
}

impl Cuts {
    /// The cuts of all features, shared with the learners.
    pub(super) fn of(bins: &Bins) -> Vec<Self> {
        let cuts = bins.features.iter().map(|feature| match &feature.cut {
            Cut::Edges(edges) => Self::Edges(edges.clone()),
            Cut::Levels(codes) => Self::Levels(
                codes
                    .iter()
                    .map(|code| known(*code, feature.values))
                    .collect(),
            ),
        });
        cuts.collect()
    }

    pub(super) fn is_category(&self) -> bool {
        matches!(self, Self::Levels(_))
    }
}

/// The code of a bin; the bin after the last is that of missing values.
fn known(code: u8, values: usize) -> u8 {
    if usize::from(code) < values {
        code
    } else {
        MISSING_CODE
    }
}

/// One byte a value; the codes of a row stand together.
#[derive(Clone, Debug)]
pub(super) struct Codes {
    bytes: Vec<u8>,
    features: usize,
}

impl Codes {
    /// The used rows of a table that was binned for training.
    pub(super) fn binned(bins: &Bins, rows: &Rows) -> Self {
        let features = bins.features.len();
        let mut bytes = vec![0; features * rows.len()];
        blocks::fill(&mut bytes, CHUNK * features, |first, chunk| {
            for (i, codes) in chunk.chunks_exact_mut(features).enumerate() {
                let row = rows.index(first / features + i);
                for (j, code) in codes.iter_mut().enumerate() {
                    *code = known(bins.code(j, row), bins.features[j].values);
                }
            }
        });
        Self { bytes, features }
    }

    /// All rows of another table, cut as in training.
    pub(super) fn cut(features: &Features, cuts: &[Cuts]) -> Self {
        let count = cuts.len();
        let mut bytes = vec![MISSING_CODE; count * features.rows()];
        // Edges in a table of one length, so that the search has no branch to guess.
        let padded: Vec<Option<[f64; CODES]>> = cuts.iter().map(padded).collect();
        blocks::fill(&mut bytes, CHUNK * count, |first, chunk| {
            let from = first / count;
            for (j, cut) in cuts.iter().enumerate() {
                let rows = chunk.chunks_exact_mut(count).enumerate();
                match (&features.values()[j], &padded[j], cut) {
                    (Values::Number(x), Some(edges), _) => {
                        rows.for_each(|(i, row)| row[j] = number_code(x[from + i], edges));
                    }
                    (Values::Category(label), _, Cuts::Levels(code_of)) => {
                        let codes = label.codes();
                        rows.for_each(|(i, row)| {
                            let level = codes[from + i] as usize;
                            row[j] = code_of.get(level).copied().unwrap_or(MISSING_CODE);
                        });
                    }
                    // Features are matched with those of training before: a column and its cut are of one kind.
                    _ => {}
                }
            }
        });
        Self {
            bytes,
            features: count,
        }
    }

    pub(super) fn features(&self) -> usize {
        self.features
    }

    pub(super) fn rows(&self) -> usize {
        self.bytes.len() / self.features.max(1)
    }

    /// The codes of a row.
    #[inline]
    pub(super) fn row(&self, row: usize) -> &[u8] {
        &self.bytes[row * self.features..][..self.features]
    }
}

/// A table that was binned for training, and how it is drawn from.
pub(super) struct Binned {
    pub(super) codes: Codes,
    pub(super) cuts: Vec<Cuts>,
    pub(super) category: Vec<bool>,
    pub(super) units: Units,
}

impl Binned {
    pub(super) fn new(
        features: &Features,
        rows: &Rows,
        clusters: Option<&(Vec<u32>, usize)>,
        warnings: &mut Vec<Warning>,
    ) -> Self {
        let bins = features.bins(MOST_BINS);
        let names = features.names();
        warnings.extend(bins.pooled.iter().map(|j| Warning::Note {
            message: format!(
                "`{}` has more than {MOST_BINS} levels: the rarest count as missing",
                names[*j]
            ),
        }));
        let cuts = Cuts::of(&bins);
        Self {
            codes: Codes::binned(&bins, rows),
            category: cuts.iter().map(Cuts::is_category).collect(),
            cuts,
            units: Self::units(rows.len(), clusters),
        }
    }

    /// What trees draw from.
    pub(super) fn units(rows: usize, clusters: Option<&(Vec<u32>, usize)>) -> Units {
        match clusters {
            None => Units::rows(rows),
            Some((of_row, count)) => Units::clusters(of_row.clone(), *count),
        }
    }

    /// What trees are grown on.
    pub(super) fn data<'a, P>(&'a self, points: &'a [P], weighted: bool) -> Data<'a, P> {
        Data {
            codes: &self.codes,
            category: &self.category,
            points,
            weighted,
            units: &self.units,
        }
    }
}

fn padded(cuts: &Cuts) -> Option<[f64; CODES]> {
    let Cuts::Edges(edges) = cuts else {
        return None;
    };
    let mut table = [f64::INFINITY; CODES];
    table[..edges.len()].copy_from_slice(edges);
    Some(table)
}

/// The number of edges below a value, by halving.
fn number_code(x: f64, edges: &[f64; CODES]) -> u8 {
    if x.is_nan() {
        return MISSING_CODE;
    }
    let mut code = 0;
    for step in [128, 64, 32, 16, 8, 4, 2, 1] {
        if edges[(code + step - 1) % CODES] < x {
            code += step;
        }
    }
    code as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Frame;

    #[test]
    fn a_new_table_has_the_codes_of_training() {
        let n = 700_u32;
        let x: Vec<f64> = (0..n)
            .map(|i| {
                if i % 9 == 0 {
                    f64::NAN
                } else {
                    f64::from(i * 37 % 700)
                }
            })
            .collect();
        let c: Vec<Option<&str>> = (0..n)
            .map(|i| [Some("a"), Some("b"), None][i as usize % 3])
            .collect();
        let frame = Frame::new().with("x", x).unwrap().with("c", c).unwrap();
        let features = Features::from_frame(&frame, &["x", "c"]).unwrap();
        let bins = features.bins(255);
        let rows = Rows::some(700, (0..700).filter(|r| r % 2 == 0).collect());
        let (trained, cuts) = (Codes::binned(&bins, &rows), Cuts::of(&bins));
        let again = Codes::cut(&features, &cuts);
        assert_eq!((trained.rows(), again.rows()), (350, 700));
        for i in 0..350 {
            assert_eq!(trained.row(i), again.row(2 * i));
        }
        assert_eq!(again.row(0)[0], MISSING_CODE);
        assert_eq!(again.row(2)[1], MISSING_CODE);
        assert!(cuts[1].is_category() && !cuts[0].is_category());
    }
}
