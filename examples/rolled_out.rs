//! The tool was rolled out, not randomised: what a comparison over time can say, and what could still be wrong.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use cocreate::prelude::*;

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    // %% A design tool reaches some shops in period 2, all others in period 9, and it helps more the longer it is used: by 0.1 at first, by one more every period. A simulated roll-out, so that the truth is known: no effect is negative.
    let rollout = StaggeredRollout {
        units: 300,
        seed: Some(Seed::new(5)),
        ..StaggeredRollout::sign_flip()
    };
    let shops = rollout.simulate()?;
    let truth = (100.0 * shops.oracle.effect("att")?).round() / 100.0;
    let panel = shops.data;
    println!("{truth}\n");

    // %% What most would run: a fixed effect for every shop and every period, and the treatment.
    let naive = TwoWayFixedEffects::new("y", "treated", "unit", "period").fit(&panel)?;
    println!("{naive}\n");

    // %% A negative number from effects that are all positive. The coefficient is a mean of all comparisons of two groups over time, and most of its weight lies where shops that have the tool already, and keep gaining, stand as controls for those that get it.
    let comparisons = naive.decomposition()?.clone();
    println!("{comparisons}\n");

    // %% The same as a picture: one point a comparison.
    let bacon = comparisons.plot()?;
    println!("{bacon}\n");

    // %% The remedy: compare each cohort with shops that do not have the tool yet, and with none else (Callaway and Sant'Anna).
    let fair = CallawaySantAnna::new("y", "treated", "unit", "period")
        .controls(ControlGroup::NotYetTreated)
        .base_period(BasePeriod::Universal)
        .fit(&panel)?;
    let study = fair.event_study()?;
    println!("{study}\n");

    // %% One band around all effects at once, so that they may be looked at together: the multiplier bootstrap.
    let bands = {
        let after = study.after();
        MultiplierBootstrap::new()
            .seed(7)
            .run(&study, &after, 0.95)?
    };
    let inside = {
        let after = study.times().iter().filter(|time| **time >= 0.0);
        let covered = after.zip(&bands.intervals).filter(|(time, band)| {
            let true_effect = 0.1 + **time;
            band.lower < true_effect && true_effect < band.upper
        });
        covered.count()
    };
    println!(
        "{inside} of {} true effects lie in the band\n",
        bands.intervals.len()
    );

    // %% Effects by time since the tool came, with the band.
    let picture = study.plot(Some(&bands))?;
    println!("{picture}\n");

    // %% Others solve it in other ways, and agree: weights for each cohort's interactions (Sun and Abraham), or outcomes without the tool that are predicted from rows without it (Borusyak, Jaravel and Spiess; Gardner's errors). They need rows without the tool in every period, so the periods in which all shops have it are left out; the true average there is 3.1.
    let comparable: Vec<bool> = panel
        .real("period")?
        .iter()
        .map(|period| *period < 9.0)
        .collect();
    let early = panel.filter(&comparable)?;
    let sun = SunAbraham::new("y", "treated", "unit", "period").fit(&early)?;
    let imputed = Imputation::new("y", "treated", "unit", "period").fit(&early)?;
    let two_stage = Imputation::two_stage("y", "treated", "unit", "period").fit(&early)?;
    let methods = {
        let found = [
            ("two-way fixed effects", naive.coefficient("treated")?),
            ("Callaway–Sant'Anna", fair.simple()?.coefficient("ATT")?),
            ("Sun–Abraham", sun.simple().coefficient("ATT")?),
            ("imputation", imputed.coefficient("ATT")?),
            ("two-stage", two_stage.coefficient("ATT")?),
        ];
        let empty = Table::new("The average effect, by method").columns([
            "Method",
            "Estimate",
            "Std. error",
        ]);
        found.into_iter().fold(empty, |table, (method, effect)| {
            table.row([
                Cell::text(method),
                Cell::fixed(effect.estimate, 2),
                Cell::fixed(effect.std_error, 2),
            ])
        })
    };
    println!("{methods}\n");

    // %% All rest on parallel trends. The test before treatment is a check with little power: this is the difference in trends that it would find four times in five, and what it would do to the estimates.
    let blind = study.detectable_slope(0.8)?;
    println!("{blind}\n");

    // %% One shop alone gets the tool in period 8: there is no average over shops to trust. Synthetic difference in differences weights the others, and the periods before, until they move as that shop did. The true average effect is 1.15.
    let alone = StaggeredRollout {
        units: 40,
        noise: 0.3,
        cohorts: (0..40)
            .map(|shop| Cohort {
                start: if shop == 0 { 8 } else { 12 },
                effect: 1.0,
                growth: 0.1,
            })
            .collect(),
        seed: Some(Seed::new(9)),
        ..StaggeredRollout::new()
    };
    let one = alone.simulate()?;
    let synthetic = SyntheticDid::new("y", "treated", "unit", "period")
        .seed(7)
        .fit(&one.data)?;
    println!("{synthetic}\n");

    // %% Within a shop the tool is a button, and customers press it or not. Doubly robust scores compare those who are alike in what was measured. The true average effect is 0.5.
    let button = HeterogeneousEffects::new(EffectDesign::NieWagerA)
        .customers(2_000)
        .seed(3)
        .simulate()?;
    let features = ["x1", "x2", "x3", "x4", "x5"];
    let pressed = DoublyRobust::new("y", "w", &features)
        .seed(7)
        .fit(&button.data)?;
    println!("{pressed}\n");

    // %% What could still be wrong: something that nobody measured. How strong would it have to be to explain the effect away?
    let hidden = OmittedConfounder::doubly_robust(&pressed, "1")?;
    println!("{hidden}\n");

    // %% And how strong is that? Beside the outcome and treatment that such a variable explains, the bounds of the effect.
    let contours = hidden.contours(0.0)?;
    println!("{contours}\n");
    Ok(())
}
