//! Where the searches of the joint model begin, and where their nodes lie.

use super::beliefs::{Prior, SignalKind, Told, slot};
use super::integral::Rules;
use super::prepare::Prepared;
use super::rows::{OUTCOMES, PLACES};
use crate::data::DesignColumn;
use crate::error::Result;
use crate::numeric::special::normal;
use crate::numeric::{Progress, blocks};
use crate::participation::optima::Start;
use crate::regression::binary::{Binary, Link};
use crate::regression::likelihood::{Likelihood, maximize};
use crate::summary::gram::TILE;
use std::ops::Range;
use std::sync::Arc;

impl Prepared {
    /// Integrates with these nodes; returns those of before.
    pub(super) fn use_rules(&mut self, rules: Rules) -> Rules {
        let before = std::mem::replace(&mut self.rows.rules, rules);
        self.likelihood.model = Arc::new(self.rows.clone());
        before
    }

    /// Puts the nodes of each customer where the integrand is at a point.
    pub(super) fn place_nodes(&mut self, point: &[f64]) {
        let (likelihood, model) = (&self.likelihood, &self.rows);
        let n = likelihood.rows.len();
        let tiles: Vec<Range<usize>> = blocks::ranges(n, TILE).collect();
        let parts = blocks::map(tiles.len(), |t| {
            let mut out: [Vec<f64>; 5] = std::array::from_fn(|_| vec![]);
            likelihood.inputs(tiles[t].clone(), point, |inputs| {
                model.place(inputs, &mut out);
            });
            out
        });
        let rows = likelihood.rows.clone();
        for k in 0..OUTCOMES - PLACES {
            let mut all = vec![f64::NAN; rows.total()];
            let values = parts.iter().flat_map(|part| &part[k]);
            for (i, v) in values.enumerate() {
                all[rows.index(i)] = *v;
            }
            self.likelihood.outcomes[PLACES + k] = DesignColumn::new("nodes", Arc::new(all));
        }
    }

    /// Where searches begin: shares give constants, spreads are guessed, and two correlations of ability and belief are tried.
    pub(super) fn starts(&self, progress: &Progress) -> Result<Vec<Start>> {
        /// A guess of the spread of ability beside noise of one, and of what a belief counts.
        const SPREAD: f64 = 0.8;
        const COUNTS: f64 = 0.5;
        /// The least that a unit of money counts at the start.
        const LEAST_MONEY: f64 = 0.05;
        const CORRELATIONS: [f64; 2] = [0.5, 0.8];
        let (rows, likelihood) = (&self.rows, &self.likelihood);
        let column = |k: usize| likelihood.outcomes[k].values(&likelihood.rows);
        let of_known = |values: &[f64]| {
            let known: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
            let n = known.len().max(1) as f64;
            let mean = known.iter().sum::<f64>() / n;
            let variance = known.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            (mean, variance.sqrt().max(0.1))
        };
        let free = |s: usize| rows.free.iter().position(|f| *f == s);
        let has_success = free(slot::LN_SD_ABILITY).is_some();
        let spread = if has_success { SPREAD } else { 1.0 };
        let ability = if has_success {
            normal::quantile(of_known(&column(1)).0) * (1.0 + spread * spread).sqrt()
        } else {
            0.0
        };
        let told: Vec<f64> = (column(2).iter().zip(column(3)))
            .map(|(low, high)| 0.5 * (low + high))
            .collect();
        let (told_mean, told_spread) = of_known(&told);
        let variance = match rows.prior {
            Prior::Known(variance) => variance,
            _ => match rows.signals {
                SignalKind::Known(variance) => variance,
                _ => 0.5,
            },
        };
        let scale = (1.0 + variance).sqrt();
        // A probit of the choice alone.
        let choice = free(slot::CHOICE).unwrap_or(0);
        let alone = Likelihood {
            model: Arc::new(Binary { link: Link::Probit }),
            indices: vec![self.of_choice.clone()],
            outcomes: vec![likelihood.outcomes[0].clone()],
            ..likelihood.clone()
        };
        let of_choice = maximize(
            &alone,
            vec![0.0; alone.parameters()],
            "the probit of the choice",
            progress,
        )?
        .point;
        let ranges = likelihood.ranges();
        let mut starts = vec![];
        for rho in CORRELATIONS {
            let mut point = vec![0.0; likelihood.parameters()];
            let of_belief = match rows.prior {
                Prior::Calibrated => rho * spread,
                _ => 0.8 * told_spread * scale,
            };
            for (j, s) in rows.free.iter().enumerate() {
                let constant = likelihood.indices[j].has_constant();
                let value = match *s {
                    slot::ABILITY if constant => ability,
                    slot::OVERCONFIDENCE if constant => told_mean * scale - ability,
                    slot::BELIEF => COUNTS,
                    slot::LN_SD_ABILITY => spread.ln(),
                    slot::LN_SD_BELIEF => of_belief.ln(),
                    slot::ATANH_RHO => rho.atanh(),
                    slot::LN_SD_TOLD if rows.told == Told::Rating => (0.8 * told_spread).ln(),
                    slot::LN_SD_TOLD => (0.5 * told_spread).ln(),
                    slot::RATING_CONSTANT => told_mean - 0.5 * told_spread / of_belief * ability,
                    slot::RATING_SLOPE => 0.5 * told_spread / of_belief,
                    slot::EFFORT if constant => of_known(&column(8)).0,
                    slot::LN_SD_EFFORT => of_known(&column(8)).1.ln(),
                    slot::LN_SD_SIGNAL => (0.7 * of_known(&column(5)).1).ln(),
                    _ => continue,
                };
                point[ranges[j].start] = value;
            }
            // The belief's mean and spread are taken out of the constant and the scale of the probit.
            let grow = (1.0 + (COUNTS * of_belief).powi(2)).sqrt();
            // Where money is a parameter of its own it is not among the regressors of the choice.
            let names = likelihood.indices[choice].names();
            for (name, b) in self.of_choice.names().iter().zip(&of_choice) {
                match names.iter().position(|own| own == name) {
                    Some(j) => point[ranges[choice].start + j] = b * grow,
                    None => {
                        if let Some(money) = free(slot::MONEY) {
                            let (mean, spread) = of_known(&column(6));
                            let b = (b / spread).max(LEAST_MONEY);
                            point[ranges[money].start] = b * grow;
                            if likelihood.indices[choice].has_constant() {
                                point[ranges[choice].start] -= b * grow * mean;
                            }
                        }
                    }
                }
            }
            if likelihood.indices[choice].has_constant() {
                let mean = if rows.told == Told::Probability {
                    told_mean * scale
                } else {
                    ability
                };
                point[ranges[choice].start] -= COUNTS * mean;
            }
            for k in 0..rows.items {
                let share = of_known(&column(OUTCOMES + k)).0;
                let slope = 1.0 / spread;
                let at = ranges[rows.free.len() + 2 * k].start;
                point[at] = 1.2 * (share / (1.0 - share)).ln() - slope * ability;
                point[at + 1] = slope;
            }
            starts.push(Start {
                name: format!("ρ = {rho}"),
                point,
            });
        }
        Ok(starts)
    }
}
