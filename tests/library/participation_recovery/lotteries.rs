//! Subjects who choose between lotteries, under each theory.

use super::{Model, Sample, all, truth};
use cocreate::prelude::*;

pub(super) fn models() -> Vec<Model> {
    vec![
        Model::new(
            "lotteries_expected",
            |s| chosen(s, tasks(), &[]),
            |f| fit(f, RiskTheory::default()),
        ),
        // Of 1,000 samples four end on a ridge without a maximum, and one far off.
        Model::new("lotteries_expo", expo, |f| {
            fit(f, RiskTheory::ExpectedUtility(UtilityForm::ExpoPower))
        })
        .waiting(),
        Model::new("lotteries_ranked", ranked, |f| {
            fit(f, RiskTheory::RankDependent(Weighting::PrelecTwo))
        }),
        Model::new("lotteries_prospects", prospects, |f| {
            fit(f, RiskTheory::ProspectTheory(Weighting::Prelec))
        }),
        Model::new("lotteries_ambiguous", ambiguous, |f| {
            fit(f, RiskTheory::SmoothAmbiguity)
        }),
    ]
}

fn tasks() -> LotteryTasks {
    LotteryTasks {
        keep_oracle: false,
        ..LotteryTasks::new()
    }
}

fn fit(frame: &Frame, theory: RiskTheory) -> Result<Vec<Estimate>> {
    let lottery = |l: &str| {
        let known = Lottery::new((1..=3).map(|i| (format!("{l}x{i}"), format!("{l}p{i}"))));
        if theory == RiskTheory::SmoothAmbiguity {
            known.or((1..=3).map(|i| format!("{l}q{i}")))
        } else {
            known
        }
    };
    let model = LotteryChoice::new("chose_b ~ 1", lottery("a"), lottery("b"), "subject");
    all(&model.theory(theory).fit(frame)?)
}

/// Choices, with the truth of what every theory has and of what is its own.
fn chosen(seed: Seed, tasks: LotteryTasks, own: &[(&str, f64)]) -> Sample {
    let mut known = vec![("(Intercept)", tasks.risk_aversion)];
    known.extend_from_slice(own);
    known.push(("ln_mu", tasks.noise.ln()));
    (tasks.seed(seed).simulate().unwrap().data, truth(&known))
}

fn expo(seed: Seed) -> Sample {
    let tasks = LotteryTasks {
        subjects: 200,
        risk_aversion: 0.3,
        expo: 0.05,
        highest: 100.0,
        ..tasks()
    };
    chosen(seed, tasks, &[("a", 0.05)])
}

fn ranked(seed: Seed) -> Sample {
    let weighting = [0.7, 0.9];
    let tasks = LotteryTasks {
        weighting,
        ..tasks()
    };
    let [gamma, eta] = weighting.map(f64::ln);
    chosen(seed, tasks, &[("ln_gamma", gamma), ("ln_eta", eta)])
}

fn prospects(seed: Seed) -> Sample {
    let tasks = LotteryTasks {
        risk_aversion: 0.2,
        weighting: [0.7, 1.0],
        loss_aversion: Some(2.0),
        ..tasks()
    };
    let own = [("ln_gamma", 0.7_f64.ln()), ("ln_lambda", 2_f64.ln())];
    chosen(seed, tasks, &own)
}

fn ambiguous(seed: Seed) -> Sample {
    let tasks = LotteryTasks {
        ambiguity: 0.8,
        ..tasks()
    };
    chosen(seed, tasks, &[("ambiguity", 0.8)])
}
