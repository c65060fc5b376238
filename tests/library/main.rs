//! All tests of the library from outside, in one program: one for each file is several minutes of linking and of the same generic
//! code compiled again.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::float_cmp,
    clippy::type_complexity,
    clippy::unnecessary_wraps,
    clippy::unreadable_literal,
    missing_docs
)]

mod ability;
mod ability_scores;
mod adaptive;
mod always_valid;
mod bad_input;
mod bandits;
mod bayesian;
mod binary;
mod calibration;
mod careless;
mod causal;
mod causal_forest;
mod causal_survival;
mod certified;
mod decision;
mod design;
mod discontinuity;
mod discontinuity_behaviour;
mod discontinuity_density;
mod discontinuity_plot;
mod dose_effects;
mod dose_response;
mod double_machine_learning;
mod dynamic_choice;
mod dynamic_panel;
mod effects_likelihood;
mod exchange;
mod experiment;
mod experiment_bad_input;
mod experiment_calibration;
mod experiment_compare;
mod experiment_compare_behaviour;
mod experiment_design;
mod experiment_power;
mod experiment_trust;
mod forest_intervals;
mod forest_properties;
mod forest_variants;
mod group_sequential;
mod group_sequential_behaviour;
mod group_sequential_properties;
mod hierarchical;
mod honest_discontinuity;
mod identification;
mod instrumental_variables;
mod interrupted;
mod joint_blocks;
mod joint_willingness;
mod learners;
mod learning_panel;
mod likelihood_counts;
mod linear_forest;
mod linear_models;
mod local_randomization;
mod lotteries;
mod made_labels;
mod matching;
mod mc_simex;
mod mccrary;
mod mediation;
mod meta_analysis;
mod meta_learners;
mod meta_regression;
mod multi_arm_forest;
mod multi_arm_weighting;
mod multiplicity;
mod multiplicity_online;
mod multiplicity_overlap;
mod needs_expectations;
mod off_policy;
mod off_policy_stream;
mod partial_bounds;
mod participation;
mod participation_checks;
mod participation_recovery;
mod peers;
mod portfolio;
mod properties;
mod quantile;
mod randomization;
mod resampling;
mod rollout;
mod rollout_pooled;
mod rollout_published;
mod rosenbaum;
mod selection;
mod sensitivity;
mod sequences;
mod sequences_arms;
mod set_matching;
mod simulate;
mod special_functions;
mod stability;
mod stratification;
mod support;
mod survival;
mod survival_calibration;
mod synthetic_control;
mod synthetic_did;
mod trend_sets;
mod trial_stopping;
mod uplift;
mod uplift_evaluation;
mod uplift_policy;
mod uplift_trees;
mod uplift_trees_weights;
mod weighting;
