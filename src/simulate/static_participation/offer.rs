//! A trial of one of the firm's offers, with what every customer does with and without it.

use super::fields::OUTCOMES;
use super::{Offer, StaticParticipation};
use crate::data::Frame;
use crate::error::{Error, Result};
use crate::simulate::assignment::Compliance;
use crate::simulate::oracle::{Oracle, Simulated};

impl StaticParticipation {
    /// The process as a trial of one offer. The others are assigned as the process says (a share of 0 or 1 fixes them); of guarantees there are only none and
    /// the highest level.
    ///
    /// Every customer decides three times, with the same shocks: as assigned, with the offer, and without it. The data get the flag `offered`. In the
    /// oracle, `buys_0`, `buys_1`, `participates_0`, … `profit_1` are those without and with *this* offer, and the truths are the means of their
    /// differences, `ate_purchase`, `ate_participation`, `ate_success`, `ate_anticipated_surplus`, `ate_experienced_surplus`, `ate_profit`; of
    /// education that not all take they are effects of the offer. [`Targeting`](crate::simulate::Targeting) tells whom to make it.
    ///
    /// # Errors
    /// As on the type; [`Error::InvalidOption`] for a trial of guarantees without a positive one.
    ///
    /// # Examples
    /// ```
    /// use cocreate::prelude::*;
    /// use cocreate::simulate::{Offer, PurchaseTiming, StaticParticipation, Targeting};
    /// let process = StaticParticipation::new(PurchaseTiming::AfterPurchase).customers(4_000).seed(7);
    /// let trial = process.offering(Offer::Tool)?;
    /// // Less work never keeps anybody from buying.
    /// let (without, with) = (trial.oracle.individuals.flag("buys_0")?, trial.oracle.individuals.flag("buys_1")?);
    /// assert!(without.iter().zip(with).all(|(without, with)| with >= without));
    /// let target = Targeting::new("profit").cost(0.05).of(&trial)?;
    /// assert!(target.oracle.effect("value_best")? > target.oracle.effect("value_all")?);
    /// # Ok::<(), cocreate::Error>(())
    /// ```
    pub fn offering(&self, offer: Offer) -> Result<Simulated> {
        let highest = self.guarantees.iter().copied().fold(0.0, f64::max);
        if offer == Offer::Guarantee && highest <= 0.0 {
            return Err(Error::invalid_option(
                "guarantees",
                highest,
                "with a positive level where a guarantee is the offer",
            ));
        }
        let under = |given: Option<bool>| {
            let share = |own: f64| given.map_or(own, |g| f64::from(u8::from(g)));
            let mut process = self.clone().keep_oracle(true);
            match offer {
                Offer::Education => process.shares[0] = share(process.shares[0]),
                Offer::Tool => process.shares[1] = share(process.shares[1]),
                Offer::Coupon => process.shares[2] = share(process.shares[2]),
                // As many levels in each run, so that each takes as many draws.
                Offer::Guarantee => {
                    process.guarantees = match given {
                        None => vec![0.0, highest],
                        Some(given) => vec![if given { highest } else { 0.0 }; 2],
                    };
                }
            }
            process.simulate()
        };
        let (made, without, with) = (under(None)?, under(Some(false))?, under(Some(true))?);
        let mut individuals = made.oracle.individuals.clone();
        let mut truths = Vec::new();
        for (name, what) in OUTCOMES {
            let pair = [self.own(&without, name)?, self.own(&with, name)?];
            let n = pair[0].len() as f64;
            let total: f64 = pair[1].iter().zip(&pair[0]).map(|(b, a)| b - a).sum();
            truths.push((format!("ate_{what}"), total / n));
            for (arm, values) in pair.into_iter().enumerate() {
                let column = format!("{name}_{arm}");
                individuals = if individuals.flag(&column).is_ok() {
                    let flags: Vec<bool> = values.iter().map(|v| *v > 0.5).collect();
                    individuals.replace(column.as_str(), flags)?
                } else {
                    individuals.replace(column.as_str(), values)?
                };
            }
        }
        let offered: Vec<bool> = match offer {
            Offer::Education => made.data.flag("education")?.to_vec(),
            Offer::Tool => made.data.flag("tool")?.to_vec(),
            Offer::Guarantee => positive(&made.data, "guarantee")?,
            Offer::Coupon => positive(&made.data, "coupon")?,
        };
        let kept = if self.keep_oracle {
            individuals
        } else {
            Frame::new()
        };
        let oracle = (truths.into_iter()).fold(Oracle::new(kept), |oracle, (name, value)| {
            oracle.with(name, value)
        });
        Ok(Simulated {
            data: made.data.with("offered", offered)?,
            oracle,
        })
    }

    /// What customers did: of the two outcomes without and with education the one that they had.
    fn own(&self, made: &Simulated, name: &str) -> Result<Vec<f64>> {
        let partial = self.compliance != Compliance::FULL;
        let taught = made
            .data
            .flag(if partial { "taught" } else { "education" })?;
        let both = [0, 1].map(|arm| made.oracle.individuals.numeric(&format!("{name}_{arm}")));
        let [without, with] = both;
        let (without, with) = (without?, with?);
        let pairs = without.values().iter().zip(with.values().iter());
        let own = |(taught, (without, with)): (&bool, (&f64, &f64))| {
            if *taught { *with } else { *without }
        };
        Ok(taught.iter().zip(pairs).map(own).collect())
    }
}

fn positive(frame: &Frame, column: &str) -> Result<Vec<bool>> {
    Ok(frame.real(column)?.iter().map(|v| *v > 0.0).collect())
}
