//! Rows made in parallel blocks: each block has its own stream, so any number of threads gives the same bits, and every
//! value is written where it stays, so memory is that of the output.

use super::draws::Draws;
use crate::data::{Column, Frame, Label};
use crate::error::{Error, Result};
use crate::numeric::{Seed, blocks};

/// Rows of one stream. A change of this number changes all draws.
const BLOCK: usize = 4096;
/// Rows that are held by row before they are written by column; small enough to stay in the first-level cache.
const TILE: usize = 64;

/// Where a field goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// What a researcher would see.
    Data,
    /// What only the simulation knows.
    Oracle,
    /// Nowhere: only its sum is wanted.
    Summed,
}

/// How a field is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Real,
    /// True where the value is above ½.
    Flag,
    /// The value is the index of a level.
    Label(&'static [&'static str]),
}

/// A column to be made.
#[derive(Clone, Debug)]
pub(super) struct Field {
    name: String,
    kind: Kind,
    side: Side,
}

/// A field of the data.
pub(super) fn data(name: impl Into<String>) -> Field {
    field(name, Kind::Real, Side::Data)
}

/// A flag of the data.
pub(super) fn data_flag(name: impl Into<String>) -> Field {
    field(name, Kind::Flag, Side::Data)
}

/// A label of the data, coded by its level.
pub(super) fn data_label(name: impl Into<String>, levels: &'static [&'static str]) -> Field {
    field(name, Kind::Label(levels), Side::Data)
}

/// A field of the oracle.
pub(super) fn oracle(name: impl Into<String>) -> Field {
    field(name, Kind::Real, Side::Oracle)
}

/// A flag of the oracle.
pub(super) fn oracle_flag(name: impl Into<String>) -> Field {
    field(name, Kind::Flag, Side::Oracle)
}

/// A label of the oracle, coded by its level.
pub(super) fn oracle_label(name: impl Into<String>, levels: &'static [&'static str]) -> Field {
    field(name, Kind::Label(levels), Side::Oracle)
}

/// A field of which only the mean is wanted.
pub(super) fn summed(name: impl Into<String>) -> Field {
    field(name, Kind::Real, Side::Summed)
}

fn field(name: impl Into<String>, kind: Kind, side: Side) -> Field {
    Field {
        name: name.into(),
        kind,
        side,
    }
}

/// The columns made, and the sums of all fields.
#[derive(Clone, Debug)]
pub(super) struct Generated {
    /// The data fields.
    pub(super) data: Frame,
    /// The oracle fields; no column when the oracle is not kept.
    pub(super) oracle: Frame,
    names: Vec<String>,
    sums: Vec<f64>,
    rows: usize,
}

impl Generated {
    /// Mean of a field over all rows.
    pub(super) fn mean(&self, name: &str) -> f64 {
        self.sum(name) / self.rows as f64
    }

    /// Sum of one field over the sum of another: the mean where the other is one, when the first is zero elsewhere.
    pub(super) fn ratio(&self, top: &str, bottom: &str) -> f64 {
        self.sum(top) / self.sum(bottom)
    }

    /// Sum of a field; NaN for one that was not made.
    pub(super) fn sum(&self, name: &str) -> f64 {
        (self.names.iter().position(|n| n == name)).map_or(f64::NAN, |i| self.sums[i])
    }
}

/// Part of a column that one block writes.
enum Slot<'a> {
    Real(&'a mut [f64]),
    Flag(&'a mut [bool]),
    Code(&'a mut [u32]),
    Nowhere,
}

/// A column while it is written.
enum Store {
    Real(Vec<f64>),
    Flag(Vec<bool>),
    Code(Vec<u32>),
    Nowhere,
}

impl Store {
    fn new(field: &Field, rows: usize, keep_oracle: bool) -> Self {
        match (field.side, field.kind) {
            (Side::Summed, _) => Self::Nowhere,
            (Side::Oracle, _) if !keep_oracle => Self::Nowhere,
            (_, Kind::Real) => Self::Real(vec![0.0; rows]),
            (_, Kind::Flag) => Self::Flag(vec![false; rows]),
            (_, Kind::Label(_)) => Self::Code(vec![0; rows]),
        }
    }

    /// The parts of the blocks, in order.
    fn slots(&mut self, count: usize) -> Vec<Slot<'_>> {
        match self {
            Self::Real(v) => v.chunks_mut(BLOCK).map(Slot::Real).collect(),
            Self::Flag(v) => v.chunks_mut(BLOCK).map(Slot::Flag).collect(),
            Self::Code(v) => v.chunks_mut(BLOCK).map(Slot::Code).collect(),
            Self::Nowhere => (0..count).map(|_| Slot::Nowhere).collect(),
        }
    }

    fn column(self, kind: Kind) -> Result<Option<Column>> {
        Ok(match (self, kind) {
            (Self::Real(v), _) => Some(v.into()),
            (Self::Flag(v), _) => Some(v.into()),
            (Self::Code(v), Kind::Label(levels)) => {
                Some(Label::new(v, levels.iter().map(|l| (*l).to_owned()).collect())?.into())
            }
            (Self::Code(_) | Self::Nowhere, _) => None,
        })
    }
}

/// One block of rows: its part of every column, and the sums over its rows.
struct Block<'a> {
    rows: usize,
    slots: Vec<Slot<'a>>,
    sums: Vec<f64>,
}

/// Makes `rows` rows. `row(draws, index, out)` writes one value a field, in the order of `fields`; block b draws from
/// stream b of the seed.
///
/// # Errors
/// [`Error::InvalidOption`] when there are no rows; [`Error::DuplicateColumn`].
pub(super) fn generate(
    rows: usize,
    seed: Seed,
    fields: &[Field],
    keep_oracle: bool,
    row: impl Fn(&mut Draws, usize, &mut [f64]) + Sync,
) -> Result<Generated> {
    let width = fields.len();
    generate_tiles(rows, seed, fields, keep_oracle, &|draws, first, tile| {
        for (index, out) in tile.chunks_exact_mut(width).enumerate() {
            row(draws, first + index, out);
        }
    })
}

/// Fills a tile with rows, the first of which is given.
type Fill<'a> = dyn Fn(&mut Draws, usize, &mut [f64]) + Sync + 'a;

/// Compiled once, whatever the rows.
fn generate_tiles(
    rows: usize,
    seed: Seed,
    fields: &[Field],
    keep_oracle: bool,
    fill: &Fill<'_>,
) -> Result<Generated> {
    if rows == 0 {
        return Err(Error::invalid_option("customers", 0, "at least 1"));
    }
    let mut stores: Vec<Store> = fields
        .iter()
        .map(|field| Store::new(field, rows, keep_oracle))
        .collect();
    let mut parts: Vec<Block<'_>> = blocks::ranges(rows, BLOCK)
        .map(|range| Block {
            rows: range.len(),
            slots: Vec::with_capacity(fields.len()),
            sums: vec![0.0; fields.len()],
        })
        .collect();
    let count = parts.len();
    for store in &mut stores {
        for (part, slot) in parts.iter_mut().zip(store.slots(count)) {
            part.slots.push(slot);
        }
    }
    blocks::fill(&mut parts, 1, |index, part| {
        for block in part {
            write(block, Draws::new(seed, index as u64), index * BLOCK, fill);
        }
    });
    let mut sums = vec![0.0; fields.len()];
    for part in &parts {
        for (sum, more) in sums.iter_mut().zip(&part.sums) {
            *sum += more;
        }
    }
    drop(parts);
    // Making a column counts its missing values: a pass over it.
    let mut columns: Vec<_> = (stores.into_iter())
        .map(|store| (store, Ok(None)))
        .collect();
    blocks::fill(&mut columns, 1, |index, part| {
        for (store, column) in part {
            *column = std::mem::replace(store, Store::Nowhere).column(fields[index].kind);
        }
    });
    let (mut data, mut hidden) = (Frame::new(), Frame::new());
    for ((_, column), field) in columns.into_iter().zip(fields) {
        if let Some(column) = column? {
            let side = if field.side == Side::Data {
                &mut data
            } else {
                &mut hidden
            };
            *side = std::mem::take(side).with(field.name.as_str(), column)?;
        }
    }
    Ok(Generated {
        data,
        oracle: hidden,
        names: fields.iter().map(|field| field.name.clone()).collect(),
        sums,
        rows,
    })
}

/// Makes units of several rows each: `unit(draws, index, rows)` pushes the values of its rows, one a field, row after
/// row. Unit i draws from stream i of the seed.
///
/// # Errors
/// As [`generate`].
pub(super) fn generate_units(
    units: usize,
    seed: Seed,
    fields: &[Field],
    keep_oracle: bool,
    unit: impl Fn(&mut Draws, usize, &mut Vec<f64>) + Sync,
) -> Result<Generated> {
    let width = fields.len();
    let values: Vec<Vec<f64>> = blocks::map(units.div_ceil(TILE), |block| {
        let mut out = Vec::new();
        for index in block * TILE..((block + 1) * TILE).min(units) {
            unit(&mut Draws::new(seed, index as u64), index, &mut out);
        }
        out
    });
    // Rows are counted before they are put where they stay, block after block.
    let starts: Vec<usize> = (values.iter())
        .scan(0, |end, v| {
            let start = *end;
            *end += v.len() / width;
            Some(start)
        })
        .collect();
    let rows = values.iter().map(|v| v.len() / width).sum();
    generate(rows, seed, fields, keep_oracle, |_, row, out| {
        let block = starts.partition_point(|start| *start <= row) - 1;
        let at = (row - starts[block]) * width;
        out.copy_from_slice(&values[block][at..at + width]);
    })
}

/// Makes the rows of one block, a tile at a time.
fn write(block: &mut Block<'_>, mut draws: Draws, first: usize, fill: &Fill<'_>) {
    let width = block.sums.len();
    let mut tile = vec![0.0; TILE * width];
    for range in blocks::ranges(block.rows, TILE) {
        let filled = &mut tile[..range.len() * width];
        fill(&mut draws, first + range.start, filled);
        for out in filled.chunks_exact(width) {
            for (sum, value) in block.sums.iter_mut().zip(out) {
                *sum += value;
            }
        }
        for (column, slot) in block.slots.iter_mut().enumerate() {
            let values = filled[column..].iter().step_by(width);
            match slot {
                Slot::Real(out) => {
                    for (to, value) in out[range.clone()].iter_mut().zip(values) {
                        *to = *value;
                    }
                }
                Slot::Flag(out) => {
                    for (to, value) in out[range.clone()].iter_mut().zip(values) {
                        *to = *value > 0.5;
                    }
                }
                Slot::Code(out) => {
                    for (to, value) in out[range.clone()].iter_mut().zip(values) {
                        *to = *value as u32;
                    }
                }
                Slot::Nowhere => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(rows: usize, keep: bool) -> Generated {
        let fields = [
            data("x"),
            data_flag("high"),
            oracle("twice"),
            data_label("side", &["left", "right"]),
            summed("one"),
        ];
        generate(rows, Seed::new(3), &fields, keep, |draws, i, out| {
            let x = draws.normal();
            out.copy_from_slice(&[x, f64::from(x > 0.0), 2.0 * x, (i % 2) as f64, 1.0]);
        })
        .unwrap()
    }

    #[test]
    fn columns_go_where_they_belong_and_sums_are_those_of_the_columns() {
        let g = made(10_000, true);
        assert_eq!(g.data.names(), ["x", "high", "side"]);
        assert_eq!(g.oracle.names(), ["twice"]);
        let x = g.data.real("x").unwrap();
        let twice = g.oracle.real("twice").unwrap();
        assert!(x.iter().zip(twice).all(|(x, t)| *t == 2.0 * x));
        let high = g.data.flag("high").unwrap();
        assert!(x.iter().zip(high).all(|(x, h)| *h == (*x > 0.0)));
        assert_eq!(g.data.label("side").unwrap().get(9_999), Some("right"));
        assert!((g.mean("x") - x.iter().sum::<f64>() / 1e4).abs() < 1e-12);
        assert_eq!(g.mean("one"), 1.0);
        assert!((g.ratio("twice", "x") - 2.0).abs() < 1e-12);
        let lean = made(10_000, false);
        assert_eq!((lean.oracle.columns(), &lean.data), (0, &g.data));
        assert_eq!(lean.mean("twice").to_bits(), g.mean("twice").to_bits());
    }

    #[test]
    fn more_customers_leave_the_first_ones_as_they_are() {
        let (few, many) = (made(5_000, false), made(9_000, false));
        assert_eq!(
            few.data.real("x").unwrap(),
            &many.data.real("x").unwrap()[..5_000]
        );
        assert!(generate(0, Seed::new(1), &[data("x")], true, |_, _, _| ()).is_err());
    }
}
