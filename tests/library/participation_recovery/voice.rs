//! What customers say: needs in interviews, satisfaction over expectation and performance.

use super::{Model, ROWS, Sample, all, truth};
use cocreate::prelude::*;

const INTERVIEWS: usize = 20;
/// Needs of a sample: as many as the columns of a large study.
const NEEDS: usize = 2_000;

pub(super) fn models() -> Vec<Model> {
    vec![
        Model::new("needs_beta_binomial", needs, |f| {
            let voiced = NeedsDiscovery::mentions("interview", "need")
                .interviews(INTERVIEWS)
                .fit(f)?;
            let fit = voiced.beta_binomial()?;
            let mut found = all(&fit)?;
            found.extend([
                fit.total(0.95)?.estimate,
                fit.share_after(2 * INTERVIEWS)?,
                fit.interviews_for(0.9)?,
            ]);
            Ok(found)
        }),
        Model::new("expectation_surface", surface, |f| {
            let model = ExpectationSurface::new("satisfaction", "expectation", "performance");
            let fit = model.loss().fit(f)?;
            let mut found = all(&fit)?;
            found.push(fit.feature(SurfaceFeature::CongruenceSlope)?);
            found.push(fit.feature(SurfaceFeature::CongruenceCurvature)?);
            found.push(fit.feature(SurfaceFeature::IncongruenceSlope)?);
            found.push(fit.feature(SurfaceFeature::IncongruenceCurvature)?);
            Ok(found)
        }),
    ]
}

fn needs(seed: Seed) -> Sample {
    let process = NeedInterviews::new().needs(NEEDS).interviews(INTERVIEWS);
    let [a, b] = process.voicing;
    let shares = |n: usize| -> f64 {
        // P_0(n) = Π (β + j)/(α + β + j)
        1.0 - (0..n)
            .map(|j| (b + j as f64) / (a + b + j as f64))
            .product::<f64>()
    };
    // Where the share passes 0.9, between two whole numbers of interviews: the log of what is silent is nearly linear there.
    let above = (1..10_000).find(|n| shares(*n) >= 0.9).unwrap();
    let silent = |n: usize| (1.0 - shares(n)).ln();
    let between = (silent(above - 1) - 0.1_f64.ln()) / (silent(above - 1) - silent(above));
    let truth = truth(&[
        ("ln_alpha", a.ln()),
        ("ln_beta", b.ln()),
        ("needs (beta-binomial)", NEEDS as f64),
        ("share of needs after 40 interviews", shares(2 * INTERVIEWS)),
        ("interviews for 90 % of needs", above as f64 - 1.0 + between),
    ]);
    (process.seed(seed).simulate().unwrap().data, truth)
}

fn surface(seed: Seed) -> Sample {
    let process = Disconfirmation::new().customers(ROWS);
    let [b0, b1, b2, b3, b4, b5] = process.surface;
    let loss = process.loss;
    let made = process.seed(seed).simulate().unwrap();
    let effect = |name: &str| made.oracle.effect(name).unwrap();
    let truth = truth(&[
        ("(Intercept)", b0),
        ("expectation", b1),
        ("performance", b2),
        ("expectation²", b3),
        ("expectation × performance", b4),
        ("performance²", b5),
        ("(expectation − performance)₊", -loss),
        ("a1: slope along P = E", effect("congruence_slope")),
        ("a2: curvature along P = E", effect("congruence_curvature")),
        ("a3: slope along P = −E", effect("incongruence_slope")),
        (
            "a4: curvature along P = −E",
            effect("incongruence_curvature"),
        ),
    ]);
    (made.data.clone(), truth)
}
