//! Everything a program or notebook needs: `use cocreate::prelude::*;`.
//!
//! It brings the types that one writes down and the traits whose verbs one calls ([`Inference`]). What only some programs
//! need stays in its room: optimisers, quadrature and draws in [`crate::numeric`], the statistics of blocks in [`crate::summary`].
//! [`Result`] is that of this crate, with [`Error`] as its default; write `std::result::Result` for the other.

pub use crate::data::{
    Column, CsvOptions, Description, Design, DesignColumn, Formula, FormulaBuilder, Frame, Groups,
    Label, Real, Rows, Time, datasets,
};
pub use crate::error::{Error, Result, Warning};
pub use crate::inference::{
    ClusterDf, ConfidenceSet, Covariance, Distribution, Estimate, FixedEffectCount, Inference,
    Interval, KrinskyRobb, ModelTable, ResidualDf, Segment, SmallSample, Summarized, TestResult,
    fieller,
};
pub use crate::numeric::{Progress, Seed};
pub use crate::regression::learners::{
    BoostedTrees, Custom, CustomFit, CustomLearner, ElasticNet, Features, FittedLearner, Forest,
    Learner, LearnerFit, LearnerModel, Linear, PenaltyPath, Stack, Strength, Task, TrainingSet,
};
pub use crate::regression::{FirstStage, FitStatistics, Iv, IvFit, KClass, Ols, OlsFit};
pub use crate::report::{
    Align, BarPlot, BinnedScatter, Cell, CoefficientPlot, Ecdf, EventStudyPlot, Figure, Histogram,
    LinePlot, NumberFormat, Page, RowKind, Table,
};
pub use crate::summary::{GroupSums, Moments, Summary};
