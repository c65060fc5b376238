//! Identification as code: what each condition refuses, that the observational equivalences behind it are real, and that the
//! generated design identifies the model with the power it promises.

use cocreate::participation::identification::*;
use cocreate::participation::*;
use cocreate::prelude::{Error, Frame, Seed};
use rand::RngExt;

fn refused<T: std::fmt::Debug>(answer: cocreate::Result<T>, words: &[&str]) {
    let error = answer.unwrap_err();
    assert!(matches!(error, Error::Unidentified { .. }), "{error:?}");
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{text} lacks {word}");
    }
}

fn form_four(r: f64, alpha: f64, material: f64, guarantee: f64) -> Situation {
    let terms = Terms {
        price: 1.0,
        taste: 2.0,
        value_abandon: -1e6,
        guarantee,
        ..Terms::default()
    };
    let preferences = Preferences::smooth_ambiguity(r, alpha).unwrap();
    Situation::new(
        preferences,
        Cost::material(material),
        Task::default(),
        terms,
    )
    .unwrap()
}

/// Surpluses after 0, 1, 3 and 8 signals of the given averages.
fn surpluses(situation: &Situation, m: f64, v: f64, s: f64) -> Vec<f64> {
    let prior = Belief::new(m, v).unwrap();
    [(0, 0.0), (1, 0.7), (3, -0.4), (8, 1.1)]
        .into_iter()
        .map(|(n, average)| {
            let posterior = prior.update(Signals::new(n, s).unwrap(), average);
            AfterPurchase::without_signal().surplus(situation, posterior, 0.0)
        })
        .collect()
}

fn same(x: &[f64], y: &[f64]) -> bool {
    x.iter().zip(y).all(|(x, y)| (x - y).abs() < 1e-10)
}

#[test]
fn choices_after_signal_counts_leave_the_scale_of_uncertainty_open() {
    let base = surpluses(&form_four(0.1, 0.8, 0.3, 0.0), 0.5, 0.6, 1.2);
    // (α/t, t v_0, t σ_s²), with contents that the researcher does not see.
    for t in [0.5, 2.0, 7.0] {
        let other = surpluses(&form_four(0.1, 0.8 / t, 0.3, 0.0), 0.5, t * 0.6, t * 1.2);
        assert!(same(&base, &other), "{t}: {base:?} {other:?}");
    }
    // m_0 and the ambiguity premium: both carry v_n/v_0.
    for shift in [0.1, 0.25] {
        let alpha = 0.8 + 2.0 * shift / (2.0 * 0.6);
        let other = surpluses(&form_four(0.1, alpha, 0.3, 0.0), 0.5 + shift, 0.6, 1.2);
        assert!(same(&base, &other), "{shift}: {base:?} {other:?}");
    }
    // What is identified moves choices: v_0/σ_s².
    let other = surpluses(&form_four(0.1, 0.8, 0.3, 0.0), 0.5, 0.6, 0.6);
    assert!(!same(&base, &other));
    // The task-noise term is a constant that the material cost absorbs …
    let absorbed = 0.3 - 0.5 * 0.4 * 4.0;
    let other = surpluses(&form_four(0.5, 0.8, absorbed, 0.0), 0.5, 0.6, 1.2);
    assert!(same(&base, &other));
    // … but not at two positive guarantees.
    let at = |r: f64, material: f64, g: f64| {
        surpluses(&form_four(r, 0.8, material, g), 0.5, 0.6, 1.2)[0]
    };
    let (risky, safe) = (
        at(0.1, 0.3, 1.0) - at(0.1, 0.3, 0.5),
        at(0.5, absorbed, 1.0) - at(0.5, absorbed, 0.5),
    );
    assert!((risky - safe).abs() > 1e-3, "{risky} {safe}");
}

#[test]
fn every_point_names_what_is_missing() {
    let nothing = Evidence::default();
    // 1. Scale.
    refused(scale(ScaleChoice::default()), &["scale of utility"]);
    let free = ScaleChoice {
        utility_fixed: true,
        ability_variance_free: true,
        ..ScaleChoice::default()
    };
    refused(scale(free), &["scale of ability", "anchor"]);
    let both = ScaleChoice {
        success: SuccessLoading::Free,
        ..free
    };
    refused(scale(both), &["both"]);
    for fixed in [
        ScaleChoice {
            success: SuccessLoading::One,
            ..free
        },
        ScaleChoice {
            anchor_item: true,
            ..free
        },
        ScaleChoice {
            ability_variance_free: false,
            ..both
        },
    ] {
        assert!(scale(fixed).is_ok());
    }
    // 2. Risk, ambiguity, belief variance.
    refused(risk_aversion(&nothing), &["risk aversion", "guarantee"]);
    refused(
        risk_aversion(&Evidence {
            guarantees: 1,
            stakes: 1,
            ..nothing.clone()
        }),
        &["two"],
    );
    assert!(
        risk_aversion(&Evidence {
            guarantees: 2,
            ..nothing.clone()
        })
        .is_ok()
    );
    let counts = Evidence {
        signal_counts: 3,
        ..nothing.clone()
    };
    assert!(prior_to_signal_variance(&counts).is_ok());
    refused(prior_to_signal_variance(&nothing), &["numbers of signals"]);
    refused(
        ambiguity_aversion(&counts),
        &["elicited", "signal variance"],
    );
    refused(belief_variance(&counts), &["only v_0/σ_s²"]);
    let rated = Evidence {
        elicitation: Elicitation::FreeScale,
        ..counts.clone()
    };
    refused(ambiguity_aversion(&rated), &["elicited"]);
    refused(belief_mean(&rated), &["item or success-probability"]);
    let elicited = Evidence {
        elicitation: Elicitation::AbilityScale,
        ..counts
    };
    refused(ambiguity_aversion(&elicited), &["signal variance"]);
    for variance in [SignalVariance::Known, SignalVariance::ContentsSeen] {
        let full = Evidence {
            signal_variance: variance,
            ..elicited.clone()
        };
        assert!(ambiguity_aversion(&full).is_ok() && belief_variance(&full).is_ok());
    }
    // 3. Ability and cost.
    let tool = |tool| Evidence {
        tool,
        ..nothing.clone()
    };
    refused(
        ability_and_cost(&tool(ToolVariation::None)),
        &["ability apart from cost"],
    );
    refused(
        ability_and_cost(&tool(ToolVariation::UnknownStrength)),
        &["c_T·C"],
    );
    assert!(ability_and_cost(&tool(ToolVariation::KnownShare)).is_ok());
    assert!(
        ability_and_cost(&Evidence {
            effort: true,
            ..nothing.clone()
        })
        .is_ok()
    );
    // 4. Success is seen for participants only.
    refused(participation_shifter(&[], true), &["coupon"]);
    refused(
        participation_shifter(&[Shifter::Education], true),
        &["education is not one"],
    );
    refused(
        participation_shifter(&[Shifter::DifficultyTool], true),
        &["lowers the difficulty"],
    );
    refused(
        participation_shifter(&[Shifter::Guarantee], false),
        &["effort"],
    );
    assert!(participation_shifter(&[Shifter::Guarantee], true).is_ok());
    assert!(participation_shifter(&[Shifter::Education, Shifter::Coupon], false).is_ok());
    let selected = Evidence {
        success: SuccessSeen::Participants,
        ..nothing.clone()
    };
    let educated = Evidence {
        shifters: vec![Shifter::Education],
        ..selected.clone()
    };
    refused(success_equation(&educated), &["education is not one"]);
    assert!(
        success_equation(&Evidence {
            shifters: vec![Shifter::Coupon],
            ..selected
        })
        .is_ok()
    );
    refused(success_equation(&nothing), &["success outcomes"]);
    // 5. Overconfidence.
    let believing = |elicitation| Evidence {
        elicitation,
        items: 5,
        ..nothing.clone()
    };
    refused(
        overconfidence(&believing(Elicitation::None), false),
        &["elicited"],
    );
    refused(
        overconfidence(&believing(Elicitation::FreeScale), false),
        &["free scale"],
    );
    refused(
        overconfidence(&believing(Elicitation::AbilityScale), true),
        &["fewer moments"],
    );
    refused(
        overconfidence(
            &Evidence {
                items: 0,
                ..believing(Elicitation::Quantiles)
            },
            false,
        ),
        &["measured"],
    );
    assert!(overconfidence(&believing(Elicitation::AbilityScale), false).is_ok());
    // 6. The discount factor.
    refused(discount_factor(None), &["fixed by the caller"]);
    assert!(discount_factor(Some(1.2)).is_err());
    assert!(
        discount_factor(Some(0.95))
            .unwrap()
            .to_string()
            .contains("0.95")
    );
    let table = discount_sensitivity("value", &[0.9, 0.95], |d| Ok(1.0 / (1.0 - d))).unwrap();
    assert_eq!(table.n_rows(), 2);
    // 7. Exclusion.
    assert!(
        excluded_regressor(0)
            .unwrap()
            .to_string()
            .contains("profile")
    );
    assert!(excluded_regressor(1).is_none());
    refused(mutual_shifters(1, 0), &["firm's side"]);
    assert!(mutual_shifters(1, 2).is_ok());
    // 8. Frailty of a funnel.
    let funnel = |funnel| Evidence {
        funnel,
        ..nothing.clone()
    };
    refused(
        funnel_frailty(&funnel(FunnelEvidence::StageSpecific { stages: 3 })),
        &["stage-specific"],
    );
    refused(
        funnel_frailty(&funnel(FunnelEvidence::Restricted { stages: 1 })),
        &["two stages"],
    );
    refused(funnel_frailty(&nothing), &["stages"]);
    assert!(funnel_frailty(&funnel(FunnelEvidence::Restricted { stages: 3 })).is_ok());
    assert!(funnel_frailty(&funnel(FunnelEvidence::Repeated)).is_ok());
}

#[test]
fn the_generated_design_identifies_all_that_an_experiment_can() {
    let design = FactorialDesign::identifying();
    let found = Identification::of(&design.evidence());
    let wanted: Vec<Parameter> = Parameter::ALL
        .into_iter()
        .filter(|p| !matches!(p, Parameter::FunnelFrailty | Parameter::DiscountFactor))
        .collect();
    found.require(&wanted).unwrap();
    assert!(!found.is_identified(Parameter::DiscountFactor));
    let text = found.to_string();
    assert!(
        text.contains("ambiguity aversion") && text.contains("needs a value fixed by the caller"),
        "{text}"
    );
    assert_eq!(found.findings().len(), Parameter::ALL.len());
    // Take one thing away, and what it carried goes with it.
    for (poorer, lost) in [
        (
            design.clone().guarantee([0.0, 1.0]).unwrap(),
            Parameter::RiskAversion,
        ),
        (
            design.clone().information([0]).unwrap(),
            Parameter::AmbiguityAversion,
        ),
        (
            design.clone().elicitation(Elicitation::FreeScale),
            Parameter::Overconfidence,
        ),
        (design.clone().coupon([0.0]).unwrap(), Parameter::MoneyScale),
    ] {
        let found = Identification::of(&poorer.evidence());
        assert!(!found.is_identified(lost), "{lost:?}");
        assert!(found.require(&[lost]).is_err());
    }
    // Education in place of the coupon does not identify success.
    let educating = FactorialDesign::new().productivity([0.0, 1.0]).unwrap();
    assert!(!Identification::of(&educating.evidence()).is_identified(Parameter::Success));
}

#[test]
fn customers_are_assigned_as_announced() {
    let design = FactorialDesign::identifying();
    assert_eq!(design.arms().len(), 36);
    let names = ["information", "tool", "guarantee", "coupon"];
    for allocation in [
        ArmAllocation::Balanced,
        ArmAllocation::Blocked,
        ArmAllocation::Independent,
    ] {
        let frame = design.assign(3600, allocation, 5).unwrap();
        assert_eq!(frame.rows(), 3600);
        check_channels(&frame, &names).unwrap();
        let again = design.assign(3600, allocation, 5).unwrap();
        assert!(frame == again);
        assert!(frame != design.assign(3600, allocation, 6).unwrap());
        let codes = frame.label("arm").unwrap().codes().to_vec();
        let mut counts = [0; 36];
        for code in &codes {
            counts[*code as usize] += 1;
        }
        match allocation {
            ArmAllocation::Balanced => assert!(counts.iter().all(|n| *n == 100)),
            ArmAllocation::Blocked => {
                for block in codes.chunks(36) {
                    let mut block = block.to_vec();
                    block.sort_unstable();
                    assert!(
                        block
                            .iter()
                            .enumerate()
                            .all(|(k, code)| *code as usize == k)
                    );
                }
            }
            // Binomial(3600, 1/36): sd 9.9.
            ArmAllocation::Independent => assert!(counts.iter().all(|n| (*n - 100i32).abs() < 50)),
        }
    }
    let clustered = design
        .clone()
        .clusters_of(10)
        .unwrap()
        .assign(720, ArmAllocation::Balanced, 1)
        .unwrap();
    let codes = clustered.label("arm").unwrap().codes().to_vec();
    assert!(
        codes
            .chunks(10)
            .all(|cluster| cluster.iter().all(|code| *code == cluster[0]))
    );
    assert_eq!(clustered.real("cluster").unwrap()[719], 72.0);
    assert!(
        design
            .assign(20, ArmAllocation::Balanced, 1)
            .unwrap_err()
            .to_string()
            .contains("36")
    );
    for bad in [
        FactorialDesign::new().tool([0.0, 1.5]),
        FactorialDesign::new().coupon([0.1, 0.1]),
        FactorialDesign::new().guarantee([]),
        FactorialDesign::new().guarantee([-1.0]),
        FactorialDesign::new().clusters_of(0),
    ] {
        assert!(bad.is_err());
    }
}

#[test]
fn channels_that_go_together_are_named() {
    let bundle = FactorialDesign::new()
        .information([0, 4])
        .unwrap()
        .coupon([0.0, 0.2])
        .unwrap()
        .bundled_education();
    let frame = bundle.assign(400, ArmAllocation::Balanced, 3).unwrap();
    refused(
        check_channels(&frame, &["information", "coupon", "productivity"]),
        &["`productivity`", "`information`"],
    );
    let constant = check_channels(&frame, &["information", "tool"]);
    refused(constant, &["`tool`", "same for everybody"]);
    // A sum of two others.
    let mut random = Seed::new(9).stream(0);
    let (x, y): (Vec<f64>, Vec<f64>) = (0..50)
        .map(|_| (random.random::<f64>(), random.random::<f64>()))
        .unzip();
    let z: Vec<f64> = x.iter().zip(&y).map(|(x, y)| 1e6 + x - 2.0 * y).collect();
    let frame = Frame::new()
        .with("x", x)
        .unwrap()
        .with("y", y)
        .unwrap()
        .with("z", z)
        .unwrap();
    let found = collinear_channels(&frame, &["x", "y", "z"]).unwrap();
    assert_eq!(found[0].channel, "z");
    assert_eq!(found[0].with, ["x", "y"]);
    assert!(collinear_channels(&frame, &["x", "nowhere"]).is_err());
}

#[test]
fn evidence_is_read_from_the_data() {
    let frame = Frame::new()
        .with("price", vec![1.0, 2.0, 1.0, 2.0])
        .unwrap()
        .with("guarantee", vec![0.0, 0.5, 1.0, 0.0])
        .unwrap()
        .with("trained", vec![false, true, false, true])
        .unwrap()
        .with("joined", vec![true, true, false, false])
        .unwrap()
        .with("worked", vec![1.0, 0.0, f64::NAN, f64::NAN])
        .unwrap()
        .with("odd", vec![1.0, 0.0, 1.0, f64::NAN])
        .unwrap();
    let roles = Roles::new()
        .price("price")
        .guarantee("guarantee")
        .education("trained")
        .participation("joined")
        .success("worked");
    let evidence = Evidence::from_frame(&frame, &roles).unwrap();
    assert_eq!((evidence.prices, evidence.guarantees), (2, 2));
    assert_eq!(evidence.success, SuccessSeen::Participants);
    assert_eq!(evidence.shifters, [Shifter::Coupon, Shifter::Education]);
    assert!(Identification::of(&evidence).is_identified(Parameter::RiskAversion));
    let odd = Evidence::from_frame(&frame, &roles.clone().success("odd")).unwrap_err();
    assert!(matches!(odd, Error::OutOfRange { row: 3, .. }), "{odd:?}");
    assert!(Evidence::from_frame(&frame, &roles.price("cost")).is_err());
}

fn truth() -> AssumedTruth {
    let terms = Terms {
        price: 1.0,
        taste: 1.5,
        value_abandon: -1.0,
        ..Terms::default()
    };
    let preferences = Preferences::continuous_cara(0.4).unwrap();
    AssumedTruth {
        situation: Situation::new(preferences, Cost::material(0.6), Task::default(), terms)
            .unwrap(),
        effort: 0.0,
        shock_sd: 1.0,
        belief_mean: 0.8,
        belief_sd: 0.8,
        belief_variance: 0.7,
        overconfidence: 0.5,
        ability_sd: 0.8,
        signal_variance: 1.0,
        productivity: 0.3,
        persuasion: 0.25,
    }
}

#[test]
fn power_is_what_simulated_experiments_find() {
    let after = AfterPurchase::without_signal();
    let design = FactorialDesign::new()
        .information([0, 2])
        .unwrap()
        .tool([0.0, 0.5])
        .unwrap()
        .coupon([0.0, 0.25])
        .unwrap()
        .persuasion([0.0, 1.0])
        .unwrap()
        .elicitation(Elicitation::AbilityScale);
    let base = truth();
    // Giving up is so bad that its kink is out of sight.
    let bound = Terms {
        value_abandon: -3.0,
        ..base.situation.terms()
    };
    let truth = AssumedTruth {
        situation: base.situation.with_terms(bound).unwrap(),
        overconfidence: 1.0,
        signal_variance: 2.0,
        ..base
    };
    let analysis = PowerAnalysis::new(&design, truth);
    let (n, replications) = (1_200, 300);
    let power = analysis.run(&after, n).unwrap();
    let simulated = analysis
        .simulate(&after, n, replications, 11)
        .unwrap_or_else(|error| panic!("{error}\n{power}"));
    for row in simulated {
        let exact = power.of(row.channel).unwrap();
        let count = replications as f64;
        let error = (exact.power * (1.0 - exact.power) / count).sqrt();
        assert!(
            (row.power - exact.power).abs() < 4.0 * error + 0.01,
            "{row:?} {exact:?}"
        );
        assert!(
            (row.mean - 1.0).abs() < 4.0 * exact.standard_error / count.sqrt() + 0.05,
            "{row:?}"
        );
        let ratio = row.standard_deviation / exact.standard_error;
        // Four standard errors of a standard deviation, 1/√(2·300).
        assert!((ratio - 1.0).abs() < 4.0 * 0.0408, "{row:?} {exact:?}");
    }
    // The same numbers again.
    let again = analysis.simulate(&after, n, 3, 2).unwrap();
    assert_eq!(again, analysis.simulate(&after, n, 3, 2).unwrap());
    assert!(analysis.simulate(&after, n, 1, 2).is_err());
}

#[test]
fn the_minimal_sample_just_reaches_the_target() {
    let after = AfterPurchase::without_signal();
    let design = FactorialDesign::identifying();
    let analysis = PowerAnalysis::new(&design, truth()).target(0.9);
    let at = |n: usize| analysis.run(&after, n).unwrap();
    let needed = at(1000);
    assert_eq!(needed.channels.len(), 4);
    for row in &needed.channels {
        let n = row.customers_needed as usize;
        assert!(at(n).of(row.channel).unwrap().power >= 0.9 - 1e-9);
        assert!(at(n - 1).of(row.channel).unwrap().power < 0.9);
    }
    assert!(needed.to_string().contains("guarantee"));
    assert!(needed.of(Channel::Persuasion).is_err());
    // Elicited beliefs help; clusters with correlation hurt by the design effect.
    let blind = design.clone().elicitation(Elicitation::None);
    let blind = PowerAnalysis::new(&blind, truth())
        .run(&after, 1000)
        .unwrap();
    let clustered = design.clone().clusters_of(11).unwrap();
    let clustered = PowerAnalysis::new(&clustered, truth())
        .intra_cluster_correlation(0.1)
        .run(&after, 1000)
        .unwrap();
    for row in &needed.channels {
        let seen = row.standard_error;
        assert!(blind.of(row.channel).unwrap().standard_error > seen);
        let ratio = clustered.of(row.channel).unwrap().standard_error / seen;
        assert!((ratio - 2f64.sqrt()).abs() < 1e-9);
    }
}

#[test]
fn bundled_education_is_told_apart_by_success_and_not_by_choices() {
    let after = AfterPurchase::without_signal();
    let bundle = FactorialDesign::new()
        .information([0, 2, 6])
        .unwrap()
        .coupon([0.0, 0.25])
        .unwrap()
        .elicitation(Elicitation::AbilityScale)
        .bundled_education();
    let analysis = PowerAnalysis::new(&bundle, truth());
    refused(
        analysis.clone().choices_only().run(&after, 5000),
        &["`persuasion`", "`productivity`"],
    );
    let told = analysis.run(&after, 5000).unwrap();
    let apart = FactorialDesign::new()
        .information([0, 2, 6])
        .unwrap()
        .coupon([0.0, 0.25])
        .unwrap()
        .productivity([0.0, 1.0])
        .unwrap()
        .persuasion([0.0, 1.0])
        .unwrap()
        .elicitation(Elicitation::AbilityScale);
    let better = PowerAnalysis::new(&apart, truth())
        .run(&after, 5000)
        .unwrap();
    for channel in [Channel::Productivity, Channel::Persuasion] {
        assert!(better.of(channel).unwrap().power > told.of(channel).unwrap().power);
    }
    // A channel of no assumed effect cannot be judged in multiples of it.
    let idle = AssumedTruth {
        persuasion: 0.0,
        ..truth()
    };
    refused(
        PowerAnalysis::new(&apart, idle).run(&after, 5000),
        &["`persuasion`", "effect"],
    );
    let nothing = FactorialDesign::new();
    refused(
        PowerAnalysis::new(&nothing, truth()).run(&after, 5000),
        &["varies"],
    );
    assert!(
        PowerAnalysis::new(&apart, truth())
            .level(0.0)
            .run(&after, 10)
            .is_err()
    );
    assert!(
        PowerAnalysis::new(&apart, truth())
            .target(0.01)
            .run(&after, 10)
            .is_err()
    );
    let bad = AssumedTruth {
        shock_sd: 0.0,
        ..truth()
    };
    assert!(PowerAnalysis::new(&apart, bad).run(&after, 10).is_err());
}
