//! Nearest neighbours of a point, ties included, by a tree of boxes.

/// Points of a leaf at most: its distances are computed side by side.
const LEAF: usize = 16;
/// Distances that differ by less than this share are ties: rounding of whitened coordinates is far below, differences that mean something above.
const TIE: f64 = 1e-9;
/// Coordinates that are looked at at once; a leaf is left when by then all of its points are too far.
const LANES: usize = 4;

/// The largest squared distance that counts as tied with this one.
pub(super) fn tied(squared: f64) -> f64 {
    squared * (1.0 + 2.0 * TIE) + TIE * TIE
}

/// A k-d tree (Friedman, Bentley & Finkel 1977) whose boxes are as tight as their points, which prunes more in many dimensions.
pub(super) struct Tree {
    width: usize,
    nodes: Vec<Node>,
    /// Lowest and highest coordinate of each node in each dimension, padded with zeros to whole lanes.
    boxes: Vec<[[f32; LANES]; 2]>,
    /// Coordinates in half precision of what they are, which sorts out points that are far at half the cost: sixteen points at a time, dimension by dimension.
    coarse: Vec<[f32; LEAF]>,
    /// What half precision may change a distance by.
    slack: f64,
    /// Coordinates of the points, in the order of the leaves.
    leaves: Vec<f64>,
    /// The points in the order of the leaves.
    order: Vec<u32>,
}

/// What is known while a query goes on.
struct Search<'a> {
    found: &'a mut Vec<(f64, u32)>,
    bound: f64,
    /// The bound of coarse distances.
    coarse: f32,
    at: Vec<[f32; LANES]>,
}

struct Node {
    first: u32,
    count: u32,
    /// Where its coarse coordinates begin.
    coarse: u32,
    /// The right child; the left one is the next node. None of a leaf.
    right: Option<u32>,
}

/// What is sought: as many nearest points as together have at least `need` weight, within `radius` (squared), that `accept` allows.
pub(super) struct Query<'a, F> {
    pub(super) at: &'a [f64],
    pub(super) need: f64,
    pub(super) radius: f64,
    pub(super) weights: &'a [f64],
    pub(super) accept: F,
}

impl Tree {
    /// `points` has `width` coordinates a point; `members` are those in the tree.
    pub(super) fn new(points: &[f64], width: usize, mut members: Vec<u32>) -> Self {
        let mut tree = Self {
            width,
            nodes: Vec::new(),
            boxes: Vec::new(),
            coarse: Vec::new(),
            slack: 0.0,
            leaves: Vec::with_capacity(members.len() * width),
            order: Vec::with_capacity(members.len()),
        };
        if !members.is_empty() {
            tree.grow(points, &mut members);
        }
        let largest = tree.leaves.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
        tree.slack = 4.0 * f64::from(f32::EPSILON) * largest * (width as f64).sqrt();
        tree
    }

    /// The points by leaves: those that follow each other are near.
    pub(super) fn order(&self) -> &[u32] {
        &self.order
    }

    fn grow(&mut self, points: &[f64], members: &mut [u32]) {
        let at = self.nodes.len();
        let value = |m: u32, k: usize| points[m as usize * self.width + k];
        let (mut widest, mut spread) = (0, 0.0);
        for k in 0..self.width {
            let (low, high) = members
                .iter()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), m| {
                    (low.min(value(*m, k)), high.max(value(*m, k)))
                });
            if k % LANES == 0 {
                self.boxes.push([[0.0; LANES]; 2]);
            }
            let last = self.boxes.len() - 1;
            self.boxes[last][0][k % LANES] = low as f32;
            self.boxes[last][1][k % LANES] = high as f32;
            if high - low > spread {
                (widest, spread) = (k, high - low);
            }
        }
        self.nodes.push(Node {
            first: self.order.len() as u32,
            count: members.len() as u32,
            coarse: self.coarse.len() as u32,
            right: None,
        });
        if members.len() <= LEAF || spread <= 0.0 {
            for part in members.chunks(LEAF) {
                for k in 0..self.width {
                    let mut side = [f32::INFINITY; LEAF];
                    for (coarse, m) in side.iter_mut().zip(part) {
                        *coarse = points[*m as usize * self.width + k] as f32;
                    }
                    self.coarse.push(side);
                }
            }
            for m in members.iter() {
                self.leaves
                    .extend_from_slice(&points[*m as usize * self.width..][..self.width]);
            }
            self.order.extend_from_slice(members);
            return;
        }
        let middle = members.len() / 2;
        members.select_nth_unstable_by(middle, |a, b| {
            value(*a, widest)
                .total_cmp(&value(*b, widest))
                .then(a.cmp(b))
        });
        let (left, right) = members.split_at_mut(middle);
        self.grow(points, left);
        self.nodes[at].right = Some(self.nodes.len() as u32);
        self.grow(points, right);
    }

    /// Squared distances and points, nearest first, those tied with the last included.
    pub(super) fn nearest<F: Fn(u32) -> bool>(
        &self,
        query: &Query<F>,
        found: &mut Vec<(f64, u32)>,
    ) {
        found.clear();
        if !self.nodes.is_empty() {
            let largest = query.at.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
            let slack =
                self.slack + 4.0 * f64::from(f32::EPSILON) * largest * (self.width as f64).sqrt();
            let mut search = Search {
                found,
                bound: query.radius,
                coarse: coarse(query.radius, slack),
                at: (query.at.chunks(LANES))
                    .map(|part| {
                        let mut lanes = [0.0; LANES];
                        for (lane, x) in lanes.iter_mut().zip(part) {
                            *lane = *x as f32;
                        }
                        lanes
                    })
                    .collect(),
            };
            self.visit(0, query, slack, &mut search);
        }
    }

    /// The squared distance of a box.
    fn apart(&self, node: usize, at: &[[f32; LANES]]) -> f32 {
        let mut sums = [0.0_f32; LANES];
        for (x, [low, high]) in at.iter().zip(&self.boxes[node * at.len()..]) {
            for lane in 0..LANES {
                let d = (low[lane] - x[lane]).max(x[lane] - high[lane]).max(0.0);
                sums[lane] += d * d;
            }
        }
        sums.iter().sum()
    }

    fn visit<F: Fn(u32) -> bool>(
        &self,
        at: usize,
        query: &Query<F>,
        slack: f64,
        search: &mut Search,
    ) {
        let node = &self.nodes[at];
        let Some(right) = node.right else {
            return self.leaf(node, query, slack, search);
        };
        let right = right as usize;
        let mut children = [
            (self.apart(at + 1, &search.at), at + 1),
            (self.apart(right, &search.at), right),
        ];
        if children[1].0 < children[0].0 {
            children.swap(0, 1);
        }
        for (apart, child) in children {
            if apart <= search.coarse {
                self.visit(child, query, slack, search);
            }
        }
    }

    fn leaf<F: Fn(u32) -> bool>(
        &self,
        node: &Node,
        query: &Query<F>,
        slack: f64,
        search: &mut Search,
    ) {
        let (first, count) = (node.first as usize, node.count as usize);
        // A leaf has more points than this only when all of them coincide but for what calipers are on.
        for (part, members) in self.order[first..first + count].chunks(LEAF).enumerate() {
            let sides = &self.coarse[node.coarse as usize + part * self.width..][..self.width];
            let mut squared = [0.0_f32; LEAF];
            let far = sides.chunks(LANES).zip(&search.at).any(|(sides, at)| {
                for (side, x) in sides.iter().zip(at) {
                    for (sum, value) in squared.iter_mut().zip(side) {
                        let d = x - value;
                        *sum += d * d;
                    }
                }
                squared.iter().all(|s| *s > search.coarse)
            });
            if far {
                continue;
            }
            for (place, member) in members.iter().enumerate() {
                if squared[place] > search.coarse {
                    continue;
                }
                let own = &self.leaves[(first + part * LEAF + place) * self.width..][..self.width];
                let exact: f64 = query
                    .at
                    .iter()
                    .zip(own)
                    .map(|(x, value)| (x - value) * (x - value))
                    .sum();
                if exact <= search.bound && (query.accept)(*member) {
                    let place = search
                        .found
                        .partition_point(|other| *other < (exact, *member));
                    search.found.insert(place, (exact, *member));
                    shorten(query.need, query.weights, &mut search.bound, search.found);
                    search.coarse = coarse(search.bound, slack);
                }
            }
        }
    }
}

/// The bound of distances in half precision, above which exact ones are above theirs.
fn coarse(bound: f64, slack: f64) -> f32 {
    ((bound.sqrt() + slack).powi(2) * (1.0 + 1e-5)) as f32
}

/// Draws the bound to what is needed, and drops what is beyond.
fn shorten(need: f64, weights: &[f64], bound: &mut f64, found: &mut Vec<(f64, u32)>) {
    let mut weight = 0.0;
    let last = found.iter().position(|(_, member)| {
        weight += weights[*member as usize];
        weight >= need
    });
    if let Some(last) = last {
        *bound = bound.min(tied(found[last].0));
        let keep = found.partition_point(|(squared, _)| squared <= bound);
        found.truncate(keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Seed;
    use rand::RngExt;

    #[test]
    fn the_tree_finds_what_a_search_through_all_finds() {
        let mut random = Seed::new(7).stream(0);
        for (width, lattice) in [(1, false), (3, false), (3, true), (8, false), (0, false)] {
            let n = 700;
            let draw = |random: &mut rand::rngs::ChaCha8Rng| {
                let x: f64 = random.random();
                if lattice { (4.0 * x).floor() } else { x }
            };
            let points: Vec<f64> = (0..n * width).map(|_| draw(&mut random)).collect();
            let weights: Vec<f64> = (0..n).map(|i| 1.0 + (i % 3) as f64).collect();
            let tree = Tree::new(
                &points,
                width,
                (0..n as u32).filter(|i| i % 5 > 0).collect(),
            );
            let mut found = Vec::new();
            for need in [1.0, 4.0, 9.0] {
                for radius in [f64::INFINITY, 0.05] {
                    let at: Vec<f64> = (0..width).map(|_| draw(&mut random)).collect();
                    tree.nearest(
                        &Query {
                            at: &at,
                            need,
                            radius,
                            weights: &weights,
                            accept: |m| m % 7 != 3,
                        },
                        &mut found,
                    );
                    let mut all: Vec<(f64, u32)> = (0..n as u32)
                        .filter(|m| m % 5 > 0 && m % 7 != 3)
                        .map(|m| {
                            let own = &points[m as usize * width..(m as usize + 1) * width];
                            (own.iter().zip(&at).map(|(a, b)| (b - a) * (b - a)).sum(), m)
                        })
                        .filter(|(d, _)| *d <= radius)
                        .collect();
                    all.sort_by(|a, b| a.partial_cmp(b).unwrap());
                    let mut bound = radius;
                    shorten(need, &weights, &mut bound, &mut all);
                    assert_eq!(found, all, "{width} {need} {radius}");
                }
            }
        }
    }
}
