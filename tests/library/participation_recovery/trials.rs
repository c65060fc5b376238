//! Customers who try before they buy.

use super::{Model, Sample, all, truth};
use cocreate::prelude::*;

/// Customers of a sample.
const CUSTOMERS: usize = 2_000;
const AMBIGUITY: f64 = 0.3;

pub(super) fn models() -> Vec<Model> {
    vec![
        Model::new("trial_stopping", tried, |f| {
            let model = TrialStopping::new("bought ~ price", "trials", 5, 0.95);
            all(&model.elicited("prior_mean", 1.0).ambiguity().fit(f)?)
        })
        .slow(),
    ]
}

fn tried(seed: Seed) -> Sample {
    let process = TrialPanel {
        ambiguity_aversion: AMBIGUITY,
        ..TrialPanel::new()
    };
    let made = process.customers(CUSTOMERS).seed(seed).simulate().unwrap();
    let premium = 0.5 * AMBIGUITY * 9.0;
    let truth = truth(&[
        ("(Intercept)", -premium),
        ("price", -1.0),
        ("trial_cost", 0.3),
        ("taste", 3.0),
        ("ln_ratio", 0.0),
        ("ambiguity", AMBIGUITY),
    ]);
    (made.data, truth)
}
