//! Rows that stand at one point are one site: matches are sought once for all of them.

use super::space::Space;
use super::tree::{Query, Tree, tied};
use crate::causal::weighting::observed::Observed;
use crate::numeric::blocks;
use std::cmp::Ordering;

/// Sites of a block of work.
const BLOCK: usize = 256;

/// The sites of both arms.
pub(super) struct Sites {
    width: usize,
    points: Vec<f64>,
    /// One row of each site.
    any: Vec<u32>,
    /// The site of every row.
    pub(super) of_row: Vec<u32>,
    pub(super) treated: Vec<bool>,
    cells: Vec<u32>,
    /// Rows, copies counted.
    pub(super) weights: Vec<f64>,
    /// Sums of the sampling weights of the rows, and of their squares.
    pub(super) mass: Vec<[f64; 2]>,
}

/// The sites matched with every site that asked; the others have none.
pub(super) struct Matches {
    starts: Vec<usize>,
    sites: Vec<u32>,
}

/// Trees of sites: by cell and arm, control first, and of the arms when there are several cells.
pub(super) struct Trees {
    by_cell: Vec<[Tree; 2]>,
    whole: Option<[Tree; 2]>,
}

impl Matches {
    pub(super) fn of(&self, site: usize) -> &[u32] {
        &self.sites[self.starts[site]..self.starts[site + 1]]
    }
}

impl Sites {
    /// `sampling` weighs the rows; none weighs them alike.
    pub(super) fn new(observed: &Observed, space: &Space, sampling: Option<&[f64]>) -> Self {
        let key = |row: u32| (observed.treated[row as usize], space.cells[row as usize]);
        let compare = |a: &u32, b: &u32| -> Ordering {
            let values = |row: u32| {
                let limits = space.limits.iter().map(move |values| values[row as usize]);
                space.point(row as usize).iter().copied().chain(limits)
            };
            let mut points = values(*a).zip(values(*b)).map(|(a, b)| a.total_cmp(&b));
            key(*a)
                .cmp(&key(*b))
                .then(points.find(|o| o.is_ne()).unwrap_or(Ordering::Equal))
        };
        let mut order: Vec<u32> = (0..observed.len() as u32).collect();
        order.sort_by(compare);
        let mut sites = Self {
            width: space.width,
            points: Vec::new(),
            any: Vec::new(),
            of_row: vec![0; observed.len()],
            treated: Vec::new(),
            cells: Vec::new(),
            weights: Vec::new(),
            mass: Vec::new(),
        };
        for (at, row) in order.iter().enumerate() {
            if at == 0 || compare(&order[at - 1], row) != Ordering::Equal {
                let (treated, cell) = key(*row);
                sites.any.push(*row);
                sites.treated.push(treated);
                sites.cells.push(cell);
                sites.weights.push(0.0);
                sites.mass.push([0.0; 2]);
                sites.points.extend_from_slice(space.point(*row as usize));
            }
            let site = sites.any.len() - 1;
            sites.of_row[*row as usize] = site as u32;
            let (row, copies) = (*row as usize, observed.weights[*row as usize]);
            sites.weights[site] += copies;
            let share = sampling.map_or(1.0, |weights| weights[row]);
            sites.mass[site][0] += copies * share;
            sites.mass[site][1] += copies * share * share;
        }
        sites
    }

    pub(super) fn len(&self) -> usize {
        self.any.len()
    }

    fn point(&self, site: usize) -> &[f64] {
        &self.points[site * self.width..(site + 1) * self.width]
    }

    pub(super) fn trees(&self, cells: usize) -> Trees {
        let mut members = vec![[Vec::new(), Vec::new()]; cells];
        for site in 0..self.len() {
            members[self.cells[site] as usize][usize::from(self.treated[site])].push(site as u32);
        }
        let grow = |members: Vec<u32>| Tree::new(&self.points, self.width, members);
        Trees {
            by_cell: blocks::map(cells, |cell| members[cell].clone().map(grow)),
            // One cell is all of the arm already.
            whole: (cells > 1).then(|| {
                [false, true].map(|arm| {
                    let all = (0..self.len()).filter(|site| self.treated[*site] == arm);
                    grow(all.map(|site| site as u32).collect())
                })
            }),
        }
    }

    /// The `need` nearest of the opposite arm, by cell and within calipers, for sites for which `asks` is true. There may be fewer.
    pub(super) fn opposite(
        &self,
        trees: &Trees,
        space: &Space,
        need: f64,
        asks: impl Fn(usize) -> bool + Sync,
    ) -> Matches {
        self.search(trees, |site, before, found| {
            if asks(site) {
                let tree =
                    &trees.by_cell[self.cells[site] as usize][usize::from(!self.treated[site])];
                let own = self.any[site] as usize;
                let accept = |other: u32| space.allows(own, self.any[other as usize] as usize);
                self.look(tree, site, need, accept, before, found);
            }
        })
    }

    /// The nearest of the own or of the opposite arm, calipers aside, with at least `need` rows, itself included: of the same cell if it
    /// has as many, else of any.
    pub(super) fn around(
        &self,
        trees: &Trees,
        need: f64,
        own: bool,
        asks: impl Fn(usize) -> bool + Sync,
    ) -> Matches {
        self.search(trees, |site, before, found| {
            if asks(site) {
                let arm = usize::from(self.treated[site] == own);
                let cell = &trees.by_cell[self.cells[site] as usize][arm];
                self.look(cell, site, need, |_| true, before, found);
                let weight: f64 = found.iter().map(|(_, s)| self.weights[*s as usize]).sum();
                if let (Some(whole), true) = (&trees.whole, weight < need) {
                    self.look(&whole[arm], site, need, |_| true, &[], found);
                }
            }
        })
    }

    fn look(
        &self,
        tree: &Tree,
        site: usize,
        need: f64,
        accept: impl Fn(u32) -> bool,
        before: &[u32],
        found: &mut Vec<(f64, u32)>,
    ) {
        let at = self.point(site);
        // Those of the site before will do; the nearest ones are no farther.
        let (mut radius, mut weight) = (0.0_f64, 0.0);
        let cell = self.cells[site];
        let will_do = |other: &&u32| self.cells[**other as usize] == cell && accept(**other);
        for other in before.iter().filter(will_do) {
            let point = self.point(*other as usize);
            let squared: f64 = at.iter().zip(point).map(|(a, b)| (a - b) * (a - b)).sum();
            radius = radius.max(tied(squared));
            weight += self.weights[*other as usize];
        }
        let query = Query {
            at,
            need,
            radius: if weight >= need {
                radius
            } else {
                f64::INFINITY
            },
            weights: &self.weights,
            accept,
        };
        tree.nearest(&query, found);
    }

    /// What `look` finds for each site, which may start from what it found for the one before in the same cell and arm. Sites come in the order of the trees, in which neighbours follow each other.
    fn search(
        &self,
        trees: &Trees,
        look: impl Fn(usize, &[u32], &mut Vec<(f64, u32)>) + Sync,
    ) -> Matches {
        let leaves = trees.by_cell.iter().flatten();
        let order: Vec<u32> = leaves.flat_map(Tree::order).copied().collect();
        let ranges: Vec<_> = blocks::ranges(order.len(), BLOCK).collect();
        let parts = blocks::map(ranges.len(), |block| {
            let (mut found, mut sites, mut counts) = (Vec::new(), Vec::new(), Vec::new());
            let (mut begin, mut last) = (0, None);
            for site in order[ranges[block].clone()].iter().map(|s| *s as usize) {
                found.clear();
                let group = Some((self.cells[site], self.treated[site]));
                let before = if last == group { begin } else { sites.len() };
                look(site, &sites[before..], &mut found);
                (begin, last) = (sites.len(), group);
                sites.extend(found.iter().map(|(_, site)| *site));
                counts.push(found.len());
            }
            (sites, counts)
        });
        let counts = parts.iter().flat_map(|(_, counts)| counts);
        let mut starts = vec![0; self.len() + 1];
        for (site, count) in order.iter().zip(counts) {
            starts[*site as usize + 1] = *count;
        }
        for site in 0..self.len() {
            starts[site + 1] += starts[site];
        }
        let mut sites = vec![0; starts[self.len()]];
        let found = parts.iter().flat_map(|(sites, _)| sites).copied();
        let places = order
            .iter()
            .flat_map(|s| starts[*s as usize]..starts[*s as usize + 1]);
        for (place, other) in places.zip(found) {
            sites[place] = other;
        }
        Matches { starts, sites }
    }
}
