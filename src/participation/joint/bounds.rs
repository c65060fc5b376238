//! The ranges of parameters: an estimate that leaves its range is not identified.

use super::beliefs::slot;
use crate::error::Error;

/// The error for a parameter that runs to a bound of its range.
pub(super) fn at_bound(of: impl Fn(usize) -> Option<f64>, most_guaranteed: f64) -> Option<Error> {
    /// |ρ| > 0.9998, deviations below 0.002, ratios of variances beyond e^±7.
    const BOUNDS: [(usize, f64, f64, &str, &str); 7] = [
        (
            slot::ATANH_RHO,
            -4.5,
            4.5,
            "the correlation of ability and belief, whose estimate runs to ±1,",
            "more items, or success of more customers",
        ),
        (
            slot::LN_SD_ABILITY,
            -6.0,
            4.0,
            "the spread of ability, whose estimate runs to a bound,",
            "more items, or success of more customers",
        ),
        (
            slot::LN_SD_BELIEF,
            -6.0,
            4.0,
            "the spread of beliefs, whose estimate runs to a bound,",
            "choices that depend on beliefs, and beliefs told with less error",
        ),
        (
            slot::LN_RATIO,
            -7.0,
            7.0,
            "the weight of a signal, whose estimate runs to nothing or to all,",
            "more customers with and without signals, or other numbers of them",
        ),
        (
            slot::LN_SD_TOLD,
            -6.0,
            6.0,
            "the error of telling a belief, whose estimate runs to a bound,",
            "a finer grid, or the error held at what is known of it (JointWillingness::report_error)",
        ),
        (
            slot::LN_SD_SIGNAL,
            -6.0,
            6.0,
            "the variance of signals, whose estimate runs to a bound,",
            "items or success of those who got signals",
        ),
        (
            slot::LN_SD_EFFORT,
            -6.0,
            6.0,
            "the error of effort, whose estimate runs to a bound,",
            "efforts that are not those of the model to the digit, or left out",
        ),
    ];
    /// e^±rG beyond which a guarantee is worth all or nothing to those who fear to fail.
    const STEEPEST: f64 = 20.0;
    if let Some(r) = of(slot::RISK)
        && (r * most_guaranteed).abs() > STEEPEST
    {
        return Some(Error::Unidentified {
            what: "the risk aversion r, whose estimate runs to a bound,".to_owned(),
            needs: "guarantees that move more customers, or other amounts of them".to_owned(),
        });
    }
    if let Some(money) = of(slot::MONEY)
        && money <= 0.0
    {
        return Some(Error::Unidentified {
            what: "what a guarantee is worth in money".to_owned(),
            needs: format!("a coupon that raises participation: a unit of money counts {money}"),
        });
    }
    BOUNDS.iter().find_map(|(s, low, high, what, needs)| {
        let value = of(*s)?;
        let beyond = value < *low || value > *high;
        beyond.then(|| Error::Unidentified {
            what: (*what).to_owned(),
            needs: (*needs).to_owned(),
        })
    })
}
