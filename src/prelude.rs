//! Everything a program or notebook needs: `use cocreate::prelude::*;`.

pub use crate::data::{Column, Frame, Groups, Label, Real, Time};
pub use crate::error::{Error, Result, Warning};
pub use crate::numeric::{Progress, Seed};
pub use crate::report::{
    Align, BarPlot, BinnedScatter, Cell, CoefficientPlot, Ecdf, EventStudyPlot, Figure, Histogram,
    LinePlot, NumberFormat, Page, RowKind, Table,
};
