//! Customers, experiments and markets with a known truth, and the Monte Carlo runner.
//!
//! Every process is a plain struct of parameters with defaults: change a field, give a seed, call `simulate`, and get
//! [`Simulated`]: the data that a researcher would see and the [`Oracle`] that knows the truth. The same seed gives
//! the same bits on any number of threads. `misspecify` breaks one assumption; presets whose name ends in `_fails`
//! make a common analysis wrong by an amount that the oracle predicts.
//!
//! | process | what it is |
//! |---|---|
//! | [`Population`] | customers: ability, cost, belief, overconfidence, risk aversion; correlated, in segments |
//! | [`StaticParticipation`] | the flagship: buy and co-create under uncertainty, in a factorial experiment |
//! | [`PhotoFunnel`] | start → finish → buy, co-creating before purchase, designs of others shown |
//! | [`CloudOnboarding`] | education of new customers, co-creating after purchase |
//! | [`ItemResponses`] | answers to items given ability: Rasch, 2PL, 3PL, graded |
//! | [`MassCustomization`] | self-design and willingness to pay by BDM |
//! | [`CoProduction`] | satisfaction against the work that is asked for |
//! | [`NetworkGifting`] | a gift to some, and their friends adopt |
//! | [`Auctions`] | second-price auctions with the top bid hidden |
//! | [`StaggeredRollout`] | cohorts that get a tool at different times |
//! | [`LearningPanel`] | those who take part learn what they can do |
//! | [`JointParticipation`] | all blocks of the joint model: items, told beliefs, signals, choices, success |
//! | [`DynamicPanel`] | choices with consequences: what wears out is replaced (Rust 1987), or any finite programme |
//! | [`TrialPanel`] | customers who try before they buy |
//! | [`LotteryTasks`] | choices between lotteries: expected utility, rank dependence, prospect theory, smooth ambiguity |
//! | [`DataExchange`] | participation and data against transfers |
//! | [`DataOffers`], [`DataAsks`] | what customers ask for their data: choices among offers, answers to bids |
//! | [`Disconfirmation`] | satisfaction over expectation and performance, with a kink |
//! | [`NeedInterviews`] | customers voice needs in interviews |
//! | [`CustomerSurvey`] | satisfaction, Likert items, nonresponse, a classifier's labels |
//! | [`ConfidentChoice`] | logit choice under false confidence |
//! | [`TestPortfolio`] | many A/B tests, and peeking at them |
//! | [`CustomerBase`] | BG/NBD at the CDNOW estimates |
//! | [`HeterogeneousEffects`] | effects that differ between customers, by published designs (Nie & Wager, Wager & Athey, Künzel et al., Powers et al.) |
//! | [`InstrumentedEffects`] | the same under an encouragement: the design of instrumental forests |
//! | [`SemiSynthetic`] | treatment and outcome for the customers of any frame, with known effects |
//! | [`InvitationTargeting`] | whom to invite to co-create: a trial with a cost, and the best policy |
//! | [`Targeting`] | whom to make an offer in any process that knows both potential outcomes: effects, best policies and their values |
//!
//! [`Allocation`], [`factorial`], [`Compliance`], [`attrition`] and [`Network`] assign treatment to any frame;
//! [`MonteCarlo`] runs any estimator on any of them.

pub mod assignment;
mod auctions;
mod chosen_effort;
mod chosen_work;
mod closed;
mod cloud_onboarding;
mod co_production;
mod confident_choice;
mod customer_base;
mod data_exchange;
mod data_offers;
mod disconfirmation;
pub(crate) mod draws;
mod dynamic_panel;
mod generate;
mod gifting;
mod heterogeneous;
mod instrumented_effects;
mod invitation_targeting;
mod item_responses;
mod joint_participation;
mod learning_panel;
mod lottery_tasks;
mod mass_customization;
pub mod monte_carlo;
mod need_interviews;
mod oracle;
mod participation_choice;
mod photo_funnel;
mod population;
mod rollout;
mod semi_synthetic;
mod static_participation;
mod survey;
mod targeting;
mod test_portfolio;
mod trial_panel;

pub use assignment::{Allocation, Compliance, Network, Stratum, attrition, factorial};
pub use auctions::Auctions;
pub use chosen_work::ChosenWork;
pub use cloud_onboarding::{CloudOnboarding, OnboardingFlaw};
pub use co_production::{CoProduction, CoProductionFlaw};
pub use confident_choice::ConfidentChoice;
pub use customer_base::CustomerBase;
pub use data_exchange::{DataExchange, ExchangeFlaw};
pub use data_offers::{DataAsks, DataOffers};
pub use disconfirmation::Disconfirmation;
pub use dynamic_panel::DynamicPanel;
pub use gifting::{GiftingFlaw, NetworkGifting};
pub use heterogeneous::{EffectDesign, HeterogeneousEffects};
pub use instrumented_effects::InstrumentedEffects;
pub use invitation_targeting::InvitationTargeting;
pub use item_responses::{ItemFlaw, ItemParameters, ItemResponses};
pub use joint_participation::{JointFlaw, JointParticipation};
pub use learning_panel::{LearningFlaw, LearningPanel};
pub use lottery_tasks::LotteryTasks;
pub use mass_customization::{ElicitationFlaw, MassCustomization};
pub use monte_carlo::{
    Failure, Measure, MonteCarlo, MonteCarloFit, MonteCarloTable, Performance, Replication,
};
pub use need_interviews::NeedInterviews;
pub use oracle::{Oracle, Simulated, Truth};
pub use participation_choice::PurchaseTiming;
pub use photo_funnel::{FunnelFlaw, PhotoFunnel};
pub use population::{Covariate, Customer, LogNormal, MOST_COVARIATES, Population, Trait, Traits};
pub use rollout::{Cohort, StaggeredRollout};
pub use semi_synthetic::SemiSynthetic;
pub use static_participation::{Offer, ParticipationFlaw, StaticParticipation};
pub use survey::{CustomerSurvey, SurveyFlaw};
pub use targeting::Targeting;
pub use test_portfolio::TestPortfolio;
pub use trial_panel::TrialPanel;
