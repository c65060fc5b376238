//! One pass over rows in memory: counts, means, co-moments and third moments of every cell (arm, stratum, what is missing).

use super::cell::CellMoments;
use super::variables::Values;
use crate::data::MISSING;
use crate::numeric::blocks;
use crate::summary::gram::{TILE, Tile};
use std::array::from_fn;
use std::ops::Range;

/// Rows that are sorted by cell at once: their columns stay in a second-level cache while every cell takes its rows.
const PIECE: usize = 4096;

/// Rows of one task.
const BLOCK: usize = 64 * PIECE;

/// What is missing in a unit that is not analysed: everything.
pub(crate) const NOT_ANALYSED: u64 = u64::MAX;

/// Codes of a column and the group that each stands for, [`MISSING`] for none.
pub(crate) struct Coded<'a> {
    pub(crate) codes: &'a [u32],
    pub(crate) groups: Vec<u32>,
}

impl Coded<'_> {
    #[inline]
    fn group(&self, row: usize) -> u32 {
        self.groups
            .get(self.codes[row] as usize)
            .copied()
            .unwrap_or(MISSING)
    }
}

/// The rows of a pass.
pub(crate) struct Source<'a> {
    pub(crate) rows: usize,
    pub(crate) arms: Coded<'a>,
    pub(crate) n_arms: usize,
    pub(crate) strata: Option<Coded<'a>>,
    pub(crate) n_strata: usize,
    /// One flag a row: whether it is analysed.
    pub(crate) analysed: Option<&'a [bool]>,
    pub(crate) values: Vec<Values<'a>>,
    /// The bits of the metrics that use each variable.
    pub(crate) users: Vec<u64>,
    /// Numerators and denominators of ratios.
    pub(crate) ratios: Vec<(usize, usize)>,
}

/// The moments of one cell, found under its number `arm + n_arms · stratum`.
pub(crate) struct Found {
    pub(crate) base: usize,
    pub(crate) missing: u64,
    pub(crate) moments: CellMoments,
}

/// What a pass found.
pub(crate) struct Pass {
    pub(crate) cells: Vec<Found>,
    /// Rows without an arm, and rows with one but without a stratum.
    pub(crate) no_arm: u64,
    pub(crate) no_stratum: u64,
}

impl Source<'_> {
    /// Runs over all rows, in parallel; the same bits for any number of threads.
    pub(crate) fn pass(&self) -> Pass {
        let total = blocks::reduce(
            self.rows,
            BLOCK,
            |rows| Worker::new(self).run(rows),
            |total: &mut Sums, part| total.join(part),
        );
        total.unwrap_or_default().into_pass()
    }

    fn cells(&self) -> usize {
        self.n_arms * self.n_strata
    }
}

/// Partial results: for every pattern of missing metrics, the cells.
#[derive(Default)]
struct Sums {
    patterns: Vec<(u64, Vec<Option<CellMoments>>)>,
    no_arm: u64,
    no_stratum: u64,
}

impl Sums {
    /// The position of a pattern, which is added when it is new.
    fn pattern(&mut self, missing: u64, cells: usize) -> usize {
        if let Some(at) = self.patterns.iter().position(|(p, _)| *p == missing) {
            return at;
        }
        self.patterns.push((missing, vec![None; cells]));
        self.patterns.len() - 1
    }

    fn join(&mut self, other: Self) {
        self.no_arm += other.no_arm;
        self.no_stratum += other.no_stratum;
        for (missing, cells) in other.patterns {
            let at = self.pattern(missing, cells.len());
            for (mine, theirs) in self.patterns[at].1.iter_mut().zip(cells) {
                match (mine.as_mut(), theirs) {
                    (Some(mine), Some(theirs)) => mine.join(&theirs),
                    (None, theirs) => *mine = theirs,
                    (Some(_), None) => {}
                }
            }
        }
    }

    fn into_pass(self) -> Pass {
        let mut cells: Vec<Found> = Vec::new();
        for (missing, found) in self.patterns {
            for (base, moments) in found.into_iter().enumerate() {
                cells.extend(moments.map(|moments| Found {
                    base,
                    missing,
                    moments,
                }));
            }
        }
        Pass {
            cells,
            no_arm: self.no_arm,
            no_stratum: self.no_stratum,
        }
    }
}

/// The buffers of one task.
struct Worker<'a> {
    source: &'a Source<'a>,
    sums: Sums,
    tile: Tile,
    part: CellMoments,
    scratch: Vec<Box<[f64; PIECE]>>,
    /// For every row of a piece the number of its cell.
    cells: [u32; PIECE],
    missing: Box<[u64; PIECE]>,
    /// Rows of a piece in the order of their cells.
    order: [u16; PIECE],
    starts: Vec<u32>,
}

impl<'a> Worker<'a> {
    fn new(source: &'a Source<'a>) -> Self {
        let columns = source.values.len();
        Self {
            source,
            sums: Sums::default(),
            tile: Tile::new(columns),
            part: CellMoments::empty(columns, &source.ratios),
            scratch: (0..columns).map(|_| Box::new(from_fn(|_| 0.0))).collect(),
            cells: [0; PIECE],
            missing: Box::new(from_fn(|_| 0)),
            order: [0; PIECE],
            starts: Vec::new(),
        }
    }

    fn run(mut self, rows: Range<usize>) -> Sums {
        for piece in blocks::ranges(rows.len(), PIECE) {
            self.piece(rows.start + piece.start, piece.len());
        }
        self.sums
    }

    /// Sorts the rows of a piece by cell and adds each cell's rows, tile by tile.
    fn piece(&mut self, start: usize, len: usize) {
        let source = self.source;
        let mut scratch = std::mem::take(&mut self.scratch);
        let columns: Vec<&[f64; PIECE]> = source
            .values
            .iter()
            .zip(&mut scratch)
            .map(|(values, scratch)| values.piece(start, len, scratch))
            .collect();
        self.number(start, len);
        if self.find_missing(start, len, &columns) {
            self.number_by_pattern(len);
        } else {
            self.sums.pattern(0, source.cells());
        }
        self.sort(len);
        let cells = source.cells();
        for cell in 0..self.starts.len() - 1 {
            let (from, to) = (self.starts[cell] as usize, self.starts[cell + 1] as usize);
            if from == to {
                continue;
            }
            let (missing, sums) = &mut self.sums.patterns[cell / cells];
            let total = sums[cell % cells]
                .get_or_insert_with(|| CellMoments::empty(source.values.len(), &source.ratios));
            if *missing == NOT_ANALYSED {
                total.count((to - from) as u64);
                continue;
            }
            for rows in self.order[from..to].chunks(TILE) {
                for (j, column) in columns.iter().enumerate() {
                    let out = &mut self.tile.column_mut(j)[..rows.len()];
                    if source.users[j] & !*missing == 0 {
                        out.fill(0.0);
                        continue;
                    }
                    for (out, row) in out.iter_mut().zip(rows) {
                        *out = column[*row as usize % PIECE];
                    }
                }
                self.part.summarize(&mut self.tile, rows.len());
                total.join(&self.part);
            }
        }
        self.scratch = scratch;
    }

    /// Numbers the cell of every row, [`MISSING`] where there is none.
    fn number(&mut self, start: usize, len: usize) {
        let source = self.source;
        for (i, cell) in self.cells[..len].iter_mut().enumerate() {
            *cell = source.arms.group(start + i);
        }
        let none = self.cells[..len].iter().filter(|c| **c == MISSING).count();
        self.sums.no_arm += none as u64;
        if let Some(strata) = &source.strata {
            for (i, cell) in self.cells[..len].iter_mut().enumerate() {
                let stratum = strata.group(start + i);
                if *cell == MISSING {
                    continue;
                }
                if stratum == MISSING {
                    self.sums.no_stratum += 1;
                    *cell = MISSING;
                } else {
                    *cell += source.n_arms as u32 * stratum;
                }
            }
        }
    }

    /// Finds which metrics are missing in each row; returns whether any is.
    fn find_missing(&mut self, start: usize, len: usize, columns: &[&[f64; PIECE]]) -> bool {
        let source = self.source;
        let mut any = false;
        if source.analysed.is_none() && source.values.iter().all(|v| v.missing() == 0) {
            return false;
        }
        self.missing[..len].fill(0);
        for ((values, column), users) in source.values.iter().zip(columns).zip(&source.users) {
            if values.missing() == 0 {
                continue;
            }
            for (bits, value) in self.missing[..len].iter_mut().zip(column.iter()) {
                if value.is_nan() {
                    *bits |= users;
                    any = true;
                }
            }
        }
        if let Some(analysed) = source.analysed {
            for (bits, analysed) in self.missing[..len].iter_mut().zip(&analysed[start..]) {
                if !analysed {
                    *bits = NOT_ANALYSED;
                    any = true;
                }
            }
        }
        any
    }

    /// Numbers cells within patterns of what is missing.
    fn number_by_pattern(&mut self, len: usize) {
        let cells = self.source.cells();
        let (mut last, mut offset) = (0, self.sums.pattern(0, cells) * cells);
        for (cell, bits) in self.cells[..len].iter_mut().zip(self.missing.iter()) {
            if *cell == MISSING {
                continue;
            }
            if *bits != last {
                (last, offset) = (*bits, self.sums.pattern(*bits, cells) * cells);
            }
            *cell += offset as u32;
        }
    }

    /// Counting sort: `order[starts[c]..starts[c + 1]]` are the rows of cell `c`.
    fn sort(&mut self, len: usize) {
        let cells = self.sums.patterns.len() * self.source.cells();
        self.starts.clear();
        self.starts.resize(cells + 2, 0);
        // Rows without a cell are counted behind the last one.
        for cell in &self.cells[..len] {
            self.starts[(*cell as usize).min(cells) + 1] += 1;
        }
        for c in 1..self.starts.len() {
            self.starts[c] += self.starts[c - 1];
        }
        let mut next = self.starts.clone();
        for (row, cell) in (0_u16..).zip(&self.cells[..len]) {
            let at = &mut next[(*cell as usize).min(cells)];
            self.order[*at as usize % PIECE] = row;
            *at += 1;
        }
        self.starts.pop();
    }
}
