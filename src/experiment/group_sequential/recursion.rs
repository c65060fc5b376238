//! The joint distribution of the statistics at the looks, by recursive integration.
//!
//! With information fractions t the score process `B(t) = Z √t` has independent increments `N(θ Δt, Δt)`, θ the drift: the mean of Z at
//! fraction one. The density of the score of experiments that go on after look k is a convolution of that after look k − 1, restricted to the
//! region of continuation (Armitage, McPherson & Rowe 1969; Jennison & Turnbull 2000, chapter 19). It is analytic inside the region, so
//! that Gauss–Legendre panels converge geometrically; and under another drift each point is only weighted by the likelihood ratio.
//!
//! All panels of a look have one width, so that the kernel between nodes at offsets u and v of panels whose middles are c apart is the
//! product `exp(−(u − v)²/2) exp(−cu) exp(cv) exp(−c²/2)` (in standard deviations of the increment): its matrix is made once for two looks.

use crate::error::Result;
use crate::numeric::quadrature::{Rule, gauss_legendre};
use crate::numeric::special::normal;
use std::sync::LazyLock;

/// Standard deviations kept where a region has no end: beyond them lies 10⁻¹⁹.
const REACH: f64 = 9.0;
/// A normal value beyond which nothing happens in `f64`.
const FARTHEST: f64 = 38.0;
/// What stands for a bound at infinity, with which one can reckon.
const ENDLESS: f64 = 1e150;
/// Nodes of a panel.
const NODES: usize = 32;
/// Width of a panel in standard deviations of the smaller of the increments before and after it: with 32 nodes the product of a density
/// and a kernel of this scale is integrated to 10⁻¹³.
const PANEL: f64 = 8.0;
/// Where the normal distribution function is one to the last bit.
const CERTAIN: f64 = 8.3;

static RULE: LazyLock<Result<Rule>> = LazyLock::new(|| gauss_legendre(NODES, -1.0, 1.0));

/// Where an experiment goes on, in z: between `lower` and `upper` but not within ±`wedge`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Region {
    pub(super) lower: f64,
    pub(super) upper: f64,
    pub(super) wedge: f64,
}

/// A tail of the statistic at a look.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tail {
    /// The probability of coming so far and having the statistic in the tail.
    pub(super) probability: f64,
    /// The density of the statistic z at its end.
    pub(super) density: f64,
    /// The derivative of the density by z, there.
    bend: f64,
    /// The expectation of the score in the tail.
    pub(super) score: f64,
}

/// The distribution of the score among experiments that went on, as points with masses.
#[derive(Clone, Debug)]
pub(super) struct Density {
    time: f64,
    /// The drift of the masses.
    drift: f64,
    /// Time and score from which it started.
    origin: (f64, f64),
    /// Half the width of the panels; of the lone point at the origin, zero.
    half: f64,
    middles: Vec<f64>,
    points: Vec<f64>,
    masses: Vec<f64>,
}

impl Density {
    /// An experiment that starts, its masses to be those of this drift.
    pub(super) fn start(drift: f64) -> Self {
        Self::from(0.0, 0.0, drift)
    }

    /// An experiment that has this score at this time.
    pub(super) fn from(time: f64, score: f64, drift: f64) -> Self {
        Self {
            time,
            drift,
            origin: (time, score),
            half: 0.0,
            middles: vec![score],
            points: vec![score],
            masses: vec![1.0],
        }
    }

    /// The same experiments under another drift, by the likelihood ratio.
    pub(super) fn at(&self, drift: f64) -> Self {
        let mut turned = self.clone();
        let more = drift - self.drift;
        if more.abs() > 0.0 {
            let (time, score) = self.origin;
            let constant = 0.5 * (drift + self.drift) * (self.time - time) + score;
            for (mass, x) in turned.masses.iter_mut().zip(&self.points) {
                *mass *= (more * (x - constant)).exp();
            }
            turned.drift = drift;
        }
        turned
    }

    /// P(Z ≥ z) at a later time together with having gone on until now.
    pub(super) fn above(&self, time: f64, z: f64) -> f64 {
        self.mass(time, z, 1.0)
    }

    /// P(Z ≤ z) at a later time together with having gone on until now.
    pub(super) fn below(&self, time: f64, z: f64) -> f64 {
        self.mass(time, z, -1.0)
    }

    fn mass(&self, time: f64, z: f64, sign: f64) -> f64 {
        let (sd, end) = self.scaled(time, z);
        (self.points.iter().zip(&self.masses))
            .map(|(x, mass)| match sign * (end - x) / sd {
                far if far > FARTHEST => 0.0,
                within if within < -CERTAIN => *mass,
                away => mass * normal::cdf(-away),
            })
            .sum()
    }

    /// The standard deviation of the increment until a later time, and the score now whose mean then is at z.
    fn scaled(&self, time: f64, z: f64) -> (f64, f64) {
        let step = time - self.time;
        let end = z.clamp(-ENDLESS, ENDLESS) * time.sqrt();
        (step.sqrt(), end - self.drift * step)
    }

    /// The tail at a later time above (with `sign` 1) or below (−1) z.
    pub(super) fn tail(&self, time: f64, z: f64, sign: f64) -> Tail {
        let (sd, end) = self.scaled(time, z);
        let step = time - self.time;
        let mut tail = Tail::default();
        for (x, mass) in self.points.iter().zip(&self.masses) {
            let away = sign * (end - x) / sd;
            if away > FARTHEST {
                continue;
            }
            let (share, mills) = normal::cdf_and_slope(-away);
            let beyond = mass * share;
            let density = beyond * mills;
            tail.probability += beyond;
            tail.density += density;
            tail.bend -= density * away;
            tail.score += (x + self.drift * step) * beyond + sign * sd * density;
        }
        let scale = time.sqrt() / sd;
        tail.density *= scale;
        tail.bend *= sign * scale * scale;
        tail
    }

    /// The z above which (with `sign` 1) or below which (−1) this much probability lies at a later time; infinite for none. A `hint` near it
    /// saves steps.
    pub(super) fn quantile(
        &self,
        time: f64,
        probability: f64,
        sign: f64,
        hint: Option<f64>,
    ) -> f64 {
        if probability <= 0.0 {
            return sign * f64::INFINITY;
        }
        // No more can lie beyond z than if nobody had stopped: a bound from outside, from where Newton's method for the logarithm of a
        // log-concave tail goes one way.
        let outer = sign * self.drift * time.sqrt() + normal::upper_quantile(probability.min(1.0));
        let start = hint.map_or(outer, |hint| outer.min(sign * hint));
        let bracket = [outer - 2.0 * FARTHEST, outer];
        sign * root(probability, false, start, bracket, |z| {
            let tail = self.tail(time, sign * z, sign);
            [tail.probability, -tail.density, -sign * tail.bend]
        })
    }

    /// The width w ≥ 0 within ±w of which this much probability lies at a later time.
    pub(super) fn wedge(&self, time: f64, probability: f64, hint: Option<f64>) -> f64 {
        if probability <= 0.0 {
            return 0.0;
        }
        let within = |w: f64| {
            let upper = self.tail(time, w, -1.0);
            let lower = self.tail(time, -w, -1.0);
            [
                upper.probability - lower.probability,
                upper.density + lower.density,
                upper.bend - lower.bend,
            ]
        };
        // Without a hint as if the density were the same everywhere.
        let start = (hint.filter(|w| *w > 0.0))
            .unwrap_or_else(|| probability / within(0.0)[1])
            .min(FARTHEST);
        root(probability, true, start, [0.0, FARTHEST], within)
    }

    /// The experiments that go on at a later look, `next` before the look after it.
    pub(super) fn advance(&self, time: f64, region: Region, next: f64) -> Result<Self> {
        let rule = RULE.as_ref().map_err(Clone::clone)?;
        let step = time - self.time;
        let sd = step.sqrt();
        let (middles, half) = self.panels(time, region, sd.min(next.sqrt()));
        let nodes = rule.nodes();
        let count = middles.len() * NODES;
        let (mut points, mut masses) = (Vec::with_capacity(count), vec![0.0; count]);
        for middle in &middles {
            points.extend(nodes.iter().map(|node| middle + half * node));
        }
        // Offsets in standard deviations of the increment. Nodes lie symmetrically, so that half of all exponentials is enough.
        let lone = self.half <= 0.0;
        let now: [f64; NODES] = std::array::from_fn(|i| half * nodes[i] / sd);
        let before: [f64; NODES] = std::array::from_fn(|j| self.half * nodes[j] / sd);
        let mut matrix = [[0.0; NODES]; NODES];
        for j in 0..if lone { 1 } else { NODES / 2 } {
            for i in 0..NODES {
                let kernel = (-0.5 * (now[i] - before[j]) * (now[i] - before[j])).exp();
                matrix[j][i] = kernel;
                matrix[NODES - 1 - j][NODES - 1 - i] = kernel;
            }
        }
        let far = FARTHEST + (half + self.half) / sd;
        let width = if lone { 1 } else { NODES };
        for (middle, out) in middles.iter().zip(masses.chunks_exact_mut(NODES)) {
            for (from, mass) in self.middles.iter().zip(self.masses.chunks_exact(width)) {
                let apart = (middle - from - self.drift * step) / sd;
                if apart.abs() > far {
                    continue;
                }
                let mut sums = [0.0; NODES];
                let growth = exponentials(apart, &before);
                for ((mass, growth), column) in mass.iter().zip(&growth).zip(&matrix) {
                    let weighted = mass * growth;
                    for (sum, kernel) in sums.iter_mut().zip(column) {
                        *sum += weighted * kernel;
                    }
                }
                let decay = exponentials(-apart, &now);
                let all = (-0.5 * apart * apart).exp();
                for ((out, decay), sum) in out.iter_mut().zip(&decay).zip(&sums) {
                    *out += sum * decay * all;
                }
            }
            for (out, weight) in out.iter_mut().zip(rule.weights()) {
                *out *= weight * half / (sd * SQRT_TAU);
            }
        }
        Ok(Self {
            time,
            drift: self.drift,
            origin: self.origin,
            half,
            middles,
            points,
            masses,
        })
    }

    /// The middles of the panels that cover a region, and half their width.
    fn panels(&self, time: f64, region: Region, scale: f64) -> (Vec<f64>, f64) {
        let (start, score) = self.origin;
        let spread = (time - start).sqrt();
        let centre = score + self.drift * (time - start);
        let at = |z: f64| z.clamp(-ENDLESS, ENDLESS) * time.sqrt();
        // Where this drift may leave someone.
        let end = |z: f64| {
            let far = if z.is_finite() { FARTHEST } else { REACH } * spread;
            at(z).clamp(centre - far, centre + far)
        };
        let pieces = if region.wedge > 0.0 {
            // Panels on both sides have one width: they end equally far from zero, wherever the experiments are.
            let far = end(region.upper).max(-end(region.lower));
            let (near, far) = (at(region.wedge), far.min(at(region.upper)));
            [(-far, -near), (near, far)]
        } else {
            [(end(region.lower), end(region.upper)), (0.0, 0.0)]
        };
        let mut middles = Vec::new();
        let mut half = 0.0;
        for (low, high) in pieces {
            if high <= low {
                continue;
            }
            let panels = ((high - low) / (PANEL * scale)).ceil().max(1.0);
            half = 0.5 * (high - low) / panels;
            middles.extend((0..panels as usize).map(|k| low + half * (2 * k + 1) as f64));
        }
        (middles, half)
    }
}

/// `exp(factor x)` of offsets that lie symmetrically about zero.
fn exponentials(factor: f64, offsets: &[f64; NODES]) -> [f64; NODES] {
    let mut values = [1.0; NODES];
    for i in 0..NODES / 2 {
        values[i] = (factor * offsets[i]).exp();
        values[NODES - 1 - i] = 1.0 / values[i];
    }
    values
}

/// The z at which a positive monotone function with known slope and curvature has this value, within a bracket, by Halley's method for its
/// logarithm.
fn root(
    value: f64,
    rising: bool,
    start: f64,
    [mut low, mut high]: [f64; 2],
    f: impl Fn(f64) -> [f64; 3],
) -> f64 {
    /// Far more than are needed.
    const STEPS: usize = 200;
    /// A step of Halley's method this small leaves an error of its cube.
    const NEARLY: f64 = 1e-5;
    let mut z = start;
    for _ in 0..STEPS {
        let [found, slope, bend] = f(z);
        if (found > value) == rising {
            high = z;
        } else {
            low = z;
        }
        let newton = -(found / value).ln() * found / slope;
        // Half of Newton's step times the logarithm's curvature over its slope.
        let turn = 0.5 * newton * (bend / slope - slope / found);
        let next = z + newton / if turn.abs() < 0.5 { 1.0 + turn } else { 1.0 };
        let inside = next >= low && next <= high;
        let next = if inside {
            next
        } else {
            f64::midpoint(low, high)
        };
        let step = (next - z).abs() / (1.0 + z.abs());
        if step <= f64::EPSILON || inside && step <= NEARLY {
            return next;
        }
        z = next;
    }
    z
}

/// √2π.
const SQRT_TAU: f64 = 2.506_628_274_631_000_5;
