//! A posterior by polynomials: density and both distribution functions in one go, at a hundredth of the cost of the special functions.
//!
//! In the variable w of [`Posterior::chart`] the density is proportional to `exp(−d(w))`, d convex and zero at the mode. Between cuts at which d has grown by a
//! few units it is a polynomial to the last digits, and so is its integral. Beyond the last cut stand the special functions.

use super::posterior::Posterior;
use crate::numeric::quadrature::Rule;

/// Nodes of a panel: where d grows by [`RISE`], the integral of `exp(−d)` is then known to 10⁻¹¹ of itself.
pub(super) const NODES: usize = 16;
/// By how much d grows over a panel.
const RISE: f64 = 2.0;
/// The widest panel about the mode, in units of the chart.
const WIDEST: f64 = 1.2;

/// What a posterior says of a point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Point {
    pub(super) density: f64,
    pub(super) below: f64,
    pub(super) above: f64,
}

impl Point {
    pub(super) fn exact(posterior: &Posterior, x: f64) -> Self {
        let below = posterior.cdf(x);
        Self {
            density: posterior.pdf(x),
            below,
            // Where it has digits left.
            above: if below < 0.5 {
                1.0 - below
            } else {
                posterior.sf(x)
            },
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Law<'a> {
    posterior: &'a Posterior,
    /// Ends of the panels, in w; none for a posterior that is a table already.
    ends: Vec<f64>,
    panels: Vec<Panel>,
}

/// The density between two ends.
#[derive(Clone, Debug)]
struct Panel {
    /// In Legendre polynomials of the place between −1 and 1.
    density: [f64; NODES],
    /// Its integral from the start.
    integral: [f64; NODES + 1],
    half: f64,
    below: f64,
    mass: f64,
    above: f64,
}

impl<'a> Law<'a> {
    /// With panels over the body, and on to where the `range` of the mean ends. The rule has [`NODES`] nodes in [−1, 1].
    pub(super) fn new(posterior: &'a Posterior, range: [f64; 2], rule: &Rule) -> Self {
        let mut law = Self {
            posterior,
            ends: vec![],
            panels: vec![],
        };
        if matches!(posterior, Posterior::Table(_)) {
            return law;
        }
        let [from, to] = range.map(|x| posterior.chart(x).0);
        let further = |d: f64| if d > 0.0 { d + RISE } else { 0.25 * RISE };
        let mut ends = posterior.side(-1.0, from, WIDEST, further);
        ends.reverse();
        ends.push(0.0);
        ends.extend(posterior.side(1.0, to, WIDEST, further));
        law.panels = (ends.windows(2))
            .map(|ends| Panel::new(posterior, rule, ends[0], ends[1]))
            .collect();
        law.accumulate(ends[0], ends[ends.len() - 1]);
        law.ends = ends;
        law
    }

    /// What lies below and above each panel, of a total of one.
    fn accumulate(&mut self, first: f64, last: f64) {
        // Beyond the ends about as much as if d went on in straight lines.
        let beyond = |w: f64| {
            let (d, slope) = self.posterior.drop(w);
            (-d).exp() / slope.abs()
        };
        let (low, high) = (beyond(first), beyond(last));
        let total = low + high + self.panels.iter().map(|p| p.mass).sum::<f64>();
        let mut below = low / total;
        for panel in &mut self.panels {
            for c in panel.density.iter_mut().chain(&mut panel.integral) {
                *c /= total;
            }
            panel.mass /= total;
            panel.below = below;
            below += panel.mass;
        }
        let mut above = high / total;
        for panel in self.panels.iter_mut().rev() {
            panel.above = above;
            above += panel.mass;
        }
    }

    pub(super) fn at(&self, x: f64) -> Point {
        self.at_parts((x, 1.0 - x))
    }

    /// The same of a mean and what it lacks of one.
    pub(super) fn at_parts(&self, (x, rest): (f64, f64)) -> Point {
        let (w, slope) = match self.posterior {
            Posterior::Table(table) => {
                let (below, density) = table.at(x);
                let above = 1.0 - below;
                return Point {
                    density,
                    below,
                    above,
                };
            }
            other => other.chart_of((x, rest)),
        };
        let k = self.ends.partition_point(|end| *end <= w);
        if k == 0 || k == self.ends.len() {
            return Point::exact(self.posterior, x);
        }
        let panel = &self.panels[k - 1];
        let (density, mass) = panel.at((w - self.ends[k - 1]) / panel.half - 1.0);
        Point {
            density: density * slope,
            below: (panel.below + mass).min(1.0),
            above: (panel.above + (panel.mass - mass)).min(1.0),
        }
    }

    /// The mean below which this probability lies.
    pub(super) fn quantile(&self, p: f64) -> f64 {
        /// A step of Newton's method this small leaves an error of its square.
        const NEARLY: f64 = 1e-9;
        const STEPS: usize = 60;
        let last = self.panels.iter().rposition(|panel| panel.below <= p);
        let Some((k, panel)) = last
            .map(|k| (k, &self.panels[k]))
            .filter(|(_, panel)| panel.below + panel.mass >= p)
        else {
            return self.posterior.quantile(p);
        };
        let (mut low, mut high, mut t) = (-1.0, 1.0, 0.0);
        for _ in 0..STEPS {
            let (density, mass) = panel.at(t);
            let excess = panel.below + mass - p;
            if excess > 0.0 {
                high = t;
            } else {
                low = t;
            }
            let newton = t - excess / (density * panel.half);
            let next = if newton >= low && newton <= high {
                newton
            } else {
                f64::midpoint(low, high)
            };
            let step = (next - t).abs();
            t = next;
            if step <= NEARLY {
                break;
            }
        }
        self.posterior
            .mean_at(self.ends[k] + panel.half * (1.0 + t))
    }
}

impl Panel {
    fn new(posterior: &Posterior, rule: &Rule, low: f64, high: f64) -> Self {
        let half = 0.5 * (high - low);
        let mut density = [0.0; NODES];
        for (t, weight) in rule.nodes().iter().zip(rule.weights()) {
            let value = weight * (-posterior.drop(low + half * (1.0 + t)).0).exp();
            let (mut before, mut p) = (0.0, 1.0);
            for (k, c) in density.iter_mut().enumerate() {
                *c += (k as f64 + 0.5) * value * p;
                (before, p) = (p, RISING[k] * t * p - FALLING[k] * before);
            }
        }
        // ∫ Pₖ = (Pₖ₊₁ − Pₖ₋₁)/(2k + 1), which is zero at −1.
        let mut integral = [0.0; NODES + 1];
        integral[0] = density[0];
        integral[1] = density[0];
        for k in 1..NODES {
            let share = density[k] / (2 * k + 1) as f64;
            integral[k + 1] += share;
            integral[k - 1] -= share;
        }
        Self {
            mass: 2.0 * half * density[0],
            integral: integral.map(|c| half * c),
            density,
            half,
            below: 0.0,
            above: 0.0,
        }
    }

    /// The density, and the mass from the start of the panel to a place between −1 and 1.
    fn at(&self, t: f64) -> (f64, f64) {
        (series(&self.density, t), series(&self.integral, t))
    }
}

/// `Pₖ₊₁ = RISINGₖ t Pₖ − FALLINGₖ Pₖ₋₁` of Legendre's polynomials.
const RISING: [f64; NODES + 2] = shares(1);
const FALLING: [f64; NODES + 2] = shares(0);

const fn shares(rising: usize) -> [f64; NODES + 2] {
    let mut shares = [0.0; NODES + 2];
    let mut k = 0;
    while k < NODES + 2 {
        shares[k] = (k + rising * (k + 1)) as f64 / (k + 1) as f64;
        k += 1;
    }
    shares
}

/// A sum of Legendre polynomials, by Clenshaw's recurrence.
fn series<const N: usize>(coefficients: &[f64; N], t: f64) -> f64 {
    let (mut after, mut next) = (0.0, 0.0);
    for (k, c) in coefficients.iter().enumerate().rev() {
        (after, next) = (next, RISING[k] * t * next + (c - FALLING[k + 1] * after));
    }
    next
}

#[cfg(test)]
mod tests {
    use super::super::posterior::BODY;
    use super::*;
    use crate::numeric::quadrature::gauss_legendre;

    #[test]
    fn polynomials_are_the_special_functions() {
        let rule = gauss_legendre(NODES, -1.0, 1.0).unwrap();
        let t = |df: f64| Posterior::T {
            df,
            centre: 3.0,
            scale: 0.2,
        };
        let gamma = |shape: f64| Posterior::Gamma { shape, rate: 7.0 };
        let beta = |a: f64, b: f64| Posterior::Beta { a, b };
        for (posterior, digits) in [
            (beta(101.0, 901.0), 1e-11),
            (beta(0.1, 1001.0), 1e-10),
            (beta(1001.0, 0.5), 1e-11),
            (beta(0.3, 0.4), 1e-11),
            (beta(2e8, 3e9), 1e-10),
            (t(2.1), 1e-11),
            (t(30.0), 1e-11),
            (t(1e7), 1e-10),
            (gamma(0.5), 1e-11),
            (gamma(3e8), 1e-10),
            (
                Posterior::Normal {
                    mean: -2.0,
                    sd: 1e-3,
                },
                1e-11,
            ),
        ] {
            let (low, high) = (
                posterior.falls_by(BODY, -1.0),
                posterior.falls_by(BODY, 1.0),
            );
            let far = [1.5 * low, 1.5 * high].map(|w| posterior.mean_at(w));
            let law = Law::new(&posterior, far, &rule);
            for k in 0..=400 {
                let x = posterior.mean_at(low + (high - low) * f64::from(k) / 400.0);
                let point = law.at(x);
                for (found, exact) in [
                    (point.density, posterior.pdf(x)),
                    (point.below, posterior.cdf(x)),
                    (point.above, posterior.sf(x)),
                ] {
                    assert!(
                        (found - exact).abs() <= digits * exact,
                        "{posterior:?} {x}: {found:e} {exact:e}"
                    );
                }
            }
            for p in [1e-12, 0.025, 0.5, 0.99] {
                let (found, exact) = (law.quantile(p), posterior.quantile(p));
                assert!(
                    (found - exact).abs() <= 1e-11 * exact.abs(),
                    "{posterior:?} {p} {found} {exact}"
                );
            }
        }
    }
}
