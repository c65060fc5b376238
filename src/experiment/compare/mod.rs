//! The classical comparisons of arms: means, proportions, rates, ranks, several arms. Every one is a builder with `fit(&frame)` for columns and
//! `compare(…)` for slices, and returns a [`Comparison`].

mod arms;
mod discrete;
mod location;
mod means;
mod paired;
mod proportions;
mod ranks;
mod rates;
mod result;
mod sample;
mod standardized;

pub use crate::inference::{Dunnett, DunnettFit};
pub use arms::{Anova, Center, GamesHowell, Levene, TukeyHsd};
pub use means::{Spread, TwoMeans};
pub use paired::PairedMeans;
pub use proportions::{
    DifferenceInterval, McNemar, OddsRatioInterval, OneProportion, OneProportionTest,
    ProportionInterval, ProportionTest, RatioInterval, TwoProportions,
};
pub use ranks::{
    BrunnerMunzel, KolmogorovSmirnov, KruskalWallis, MannWhitney, RankMethod, Reference,
    WilcoxonSignedRank,
};
pub use rates::{RateInterval, RateTest, TwoRates};
pub use result::{Comparison, ComparisonArm, ComparisonEffect, ComparisonTest, NullDistribution};
